"""``liverseg doctor``: what it finds, what it advises, and that nothing it tries can end it."""

import json
import sys
import types
from pathlib import Path

import pytest

from LiverSegLib.cli import checks as doctor
from LiverSegLib.cli import main
from LiverSegLib.cli.checks import FAILED, OK, WARNING, Check, healthy
from LiverSegLib.errors import ModelCorruptError, ModelNotFoundError


def test_examine_looks_at_everything_once(monkeypatch, probe_once):
    monkeypatch.setattr(doctor, "probe", probe_once)
    checks = doctor.examine()
    keys = [check.key for check in checks]
    assert len(keys) == len(set(keys))
    wanted = {
        "python",
        "numpy",
        "scipy",
        "SimpleITK",
        "memory",
        "engine:openvino",
        "engine:torch",
        "engine:onnxruntime",
        "pydicom",
        "pillow",
        "dicomweb-client",
        "highdicom",
        "drawing",
        "temporary",
    }
    assert wanted <= set(keys)
    by_key = {check.key: check for check in checks}
    assert by_key["engine:torch"].outcome == OK and by_key["device:cpu"].facts["threads"] >= 1
    assert "computes in" in by_key["device:cpu"].text
    assert json.loads(json.dumps([check.to_dict() for check in checks]))
    assert all(check.advice for check in checks if check.outcome != OK)


def test_healthy_means_that_nothing_failed():
    fine, weak, bad = (Check("key", "Name", outcome, "text") for outcome in (OK, WARNING, FAILED))
    assert healthy([fine, weak]) and not healthy([fine, bad])


def test_old_python_fails(monkeypatch):
    monkeypatch.setattr(doctor, "OLDEST_PYTHON", (99, 0))
    check = doctor.check_python()
    assert check.outcome == FAILED and "99.0" in check.advice


def test_missing_package_fails_or_warns_as_it_is_needed():
    needed = doctor.check_package("nosuchpackage", "nosuchpackage", needed=True)
    assert needed.outcome == FAILED and "pip install nosuchpackage" in needed.advice
    wanted = doctor.check_package("nosuchpackage", "pillow", needed=False, use="there will be no report")
    assert wanted.outcome == WARNING and "no report" in wanted.text and "pip install pillow" in wanted.advice


def test_package_that_does_not_load_says_why(tmp_path, monkeypatch):
    (tmp_path / "brokenpackage.py").write_text("raise OSError('libnothing.so: cannot open')")
    monkeypatch.syspath_prepend(str(tmp_path))
    check = doctor.check_package("brokenpackage", "brokenpackage", needed=True)
    assert check.outcome == FAILED and "libnothing.so" in check.text


@pytest.fixture
def engines(monkeypatch):
    """What the probes of engines find: engine -> version, or None where it does not load; and the devices."""
    found = {"openvino": "2025.4.1", "torch": "2.13.0", "onnxruntime": "1.27.0", "devices": []}

    def probe(code):
        if "describe_devices" in code:
            return {"devices": found["devices"]}, ""
        name = next(name for name in found if f'"{name}"' in code)
        return ({"version": found[name]}, "") if found[name] else (None, f"No module named '{name}_c'")

    monkeypatch.setattr(doctor, "probe", probe)
    monkeypatch.setattr(
        "LiverSegLib.inference.devices.installed_engines",
        lambda: [name for name in found if name != "devices"],
    )
    return found


def engine_lines():
    return {check.key: check for check in doctor.check_engines()}


def test_every_engine_is_a_line_with_its_version_or_why_it_does_not_load(engines):
    engines["openvino"] = None
    del engines["onnxruntime"]
    lines = engine_lines()
    assert lines["engine:openvino"].outcome == WARNING
    assert lines["engine:openvino"].text == "does not load: No module named 'openvino_c'"
    assert (lines["engine:torch"].outcome, lines["engine:torch"].text) == (OK, "2.13.0")
    assert (lines["engine:onnxruntime"].outcome, lines["engine:onnxruntime"].text) == (OK, "not installed")
    assert "engine" not in lines


@pytest.mark.parametrize(
    ("version", "outcome"), [("1.13.1+cpu", WARNING), ("2.1.0a0+git", OK), ("2.13.0", OK)]
)
def test_torch_must_be_new_enough(engines, version, outcome):
    engines["torch"] = version
    check = engine_lines()["engine:torch"]
    assert check.outcome == outcome and version in check.text


@pytest.mark.parametrize("broken", [{"torch": None}, {"torch": "1.13.1"}, {}])
def test_without_an_engine_that_works_nothing_can_be_segmented(engines, broken):
    devices = engines["devices"]
    engines.clear()
    engines.update(broken, devices=devices)
    check = engine_lines()["engine"]
    assert check.outcome == FAILED and "pip install openvino" in check.advice


def test_every_device_is_a_line_with_engine_memory_and_precision(engines):
    gpu = {
        "kind": "cuda",
        "name": "A GPU",
        "engine": "torch",
        "precision": "float16",
        "memory_bytes": 8 * 2**30,
        "free_bytes": 6 * 2**30,
    }
    cpu = {
        "kind": "cpu", "name": "A processor", "engine": "openvino", "precision": "bfloat16", "threads": 2
    }  # fmt: skip
    engines["devices"] = [gpu, cpu]
    lines = {key: check.text for key, check in engine_lines().items()}
    assert lines["device:cuda"] == "A GPU; 8.0 GiB, 6.0 GiB free; PyTorch computes in float16"
    assert lines["device:cpu"] == "A processor; 2 threads; OpenVINO computes in bfloat16"


def model(error=None):
    """A stand-in for a model in the store whose check raises ``error``."""

    def verify():
        if error is not None:
            raise error

    return types.SimpleNamespace(
        name="some", origin="bundled", path=Path("some"), sha256="ab" * 32, size_bytes=2_000_000,
        verify=verify, manifest=types.SimpleNamespace(version="1.2"),
    )  # fmt: skip


def test_models_are_checked_by_their_checksums(monkeypatch):
    monkeypatch.setattr("LiverSegLib.models.load_model", lambda name: model())
    monkeypatch.setattr("LiverSegLib.models.list_models", lambda: [model()])
    (check,) = doctor.check_models()
    assert check.outcome == OK and check.facts["sha256"] == "ab" * 32 and "2.0 MB" in check.text
    monkeypatch.setattr("LiverSegLib.models.list_models", lambda: [model(ModelCorruptError("damaged"))])
    (check,) = doctor.check_models()
    assert check.outcome == WARNING and check.text == "damaged" and "install" in check.advice


def test_a_missing_default_model_fails(monkeypatch):
    def load(name):
        raise ModelNotFoundError("There is no model 'default'.")

    monkeypatch.setattr("LiverSegLib.models.load_model", load)
    monkeypatch.setattr("LiverSegLib.models.list_models", list)
    (check,) = doctor.check_models()
    assert check.outcome == FAILED and "default" in check.text


def test_drawing_that_fails_is_a_warning_with_advice(monkeypatch):
    monkeypatch.setattr(doctor, "probe", lambda code: (None, "the process crashed (signal 11)"))
    check = doctor.check_drawing()
    assert check.outcome == WARNING and "signal 11" in check.text and "libgl1" in check.advice


def test_a_probe_that_crashes_does_not_end_the_doctor():
    found, problem = doctor.probe("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert found is None
    assert "crashed" in problem or sys.platform == "win32"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("raise SystemExit('no such screen')", "no such screen"),
        ("raise ValueError('wrong')", "wrong"),
        ("raise SystemExit(3)", "status 3"),
        ("print('hello')", "no answer"),
        ("import time; time.sleep(60)", "did not answer"),
    ],
)
def test_a_probe_that_fails_says_why(code, problem):
    found, said = doctor.probe(code, seconds=3 if "sleep" in code else 60)
    assert found is None and problem in said


def test_a_probe_may_print_before_it_answers():
    assert doctor.probe("print('noise'); print('{\"a\": 1}')") == ({"a": 1}, "")


def test_a_folder_that_cannot_be_written_to_is_a_warning(tmp_path, monkeypatch):
    assert doctor.check_disk("here", "Here", tmp_path).outcome == OK
    assert doctor.check_disk("here", "Here", tmp_path / "none").outcome == WARNING
    monkeypatch.setattr(doctor, "LOW_DISK_BYTES", 1 << 60)
    assert "Free some space" in doctor.check_disk("here", "Here", tmp_path).advice


def test_little_memory_is_a_warning(monkeypatch):
    monkeypatch.setattr(doctor, "LOW_MEMORY_BYTES", 1 << 60)
    assert doctor.check_memory().outcome in (WARNING, OK if sys.platform == "win32" else WARNING)


CHECKS = [Check("a", "Good", OK, "works"), Check("b", "Weak", WARNING, "is missing", "Install it.")]


def test_doctor_prints_a_mark_a_line_and_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr("LiverSegLib.cli.doctor.examine", lambda: CHECKS)
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "✓  Good" in said and "!  Weak" in said and "→ Install it." in said


def test_doctor_fails_when_segmenting_does_not_work(monkeypatch, capsys):
    checks = [*CHECKS, Check("c", "Bad", FAILED, "is broken", "Mend it.")]
    monkeypatch.setattr("LiverSegLib.cli.doctor.examine", lambda: checks)
    assert main(["doctor"]) == 1
    assert "✗  Bad" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["ok"] is False and [check["outcome"] for check in content["checks"]] == [
        OK,
        WARNING,
        FAILED,
    ]
