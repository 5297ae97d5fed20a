"""Engines: found from metadata, the small one chosen for every computer, installed by pip alone without its
dependencies, Slicer's own packages untouched.
"""

import ast
import subprocess
import sys

import logic_doubles
import pytest
from logic_doubles import Ending, Told, addVolume, command

MODULES = logic_doubles.REPOSITORY / "LiverSeg"

OLD, NEW = (3, 9), (3, 12)


def machine(system="Linux", processor="x86_64", python=NEW, numpy=2, driver=None, release=(2, 36)):
    from LiverSegSlicer.work.machine import Machine

    return Machine(system, processor, python, numpy, driver, (8, 6) if driver else None, release)


def state(installed, here=None, **versions):
    """The state on a computer where these packages are installed."""
    from LiverSegSlicer.work import engines, requirements

    installed.update(versions)
    here = here or machine()
    installed["numpy"] = "2.4.6" if here.numpy >= 2 else "1.26.4"
    return engines.stateOn(here, requirements._stateOn(here))


class TestPlans:
    @pytest.mark.parametrize(
        "system, processor, release, python, openvino, onnxruntime",
        [
            ("Linux", "x86_64", (2, 28), OLD, ("2025.3.0", 49, 151), ("1.19.2", 13, 41)),
            ("Linux", "aarch64", (2, 35), OLD, ("2025.3.0", 28, 90), ("1.19.2", 11, 31)),
            ("Linux", "aarch64", (2, 31), OLD, None, ("1.19.2", 11, 31)),
            ("Windows", "AMD64", (0, 0), OLD, ("2025.3.0", 41, 135), ("1.19.2", 11, 32)),
            ("Darwin", "x86_64", (11, 0), OLD, ("2025.3.0", 39, 156), ("1.19.2", 17, 62)),
            ("Darwin", "arm64", (11, 0), OLD, ("2025.3.0", 32, 144), ("1.19.2", 17, 62)),
            ("Linux", "x86_64", (2, 28), NEW, ("2025.4.1", 50, 155), ("1.23.2", 17, 53)),
            ("Linux", "aarch64", (2, 35), NEW, ("2025.4.1", 28, 92), ("1.23.2", 15, 42)),
            ("Linux", "aarch64", (2, 31), NEW, None, ("1.23.2", 15, 42)),
            ("Windows", "AMD64", (0, 0), NEW, ("2025.4.1", 42, 139), ("1.23.2", 13, 39)),
            ("Darwin", "x86_64", (13, 6), NEW, ("2025.4.1", 38, 154), ("1.23.2", 19, 72)),
            ("Darwin", "x86_64", (12, 7), NEW, ("2025.4.1", 38, 154), None),
            ("Darwin", "arm64", (14, 0), NEW, ("2025.4.1", 33, 148), ("1.23.2", 17, 65)),
            ("Linux", "riscv64", (2, 39), NEW, None, None),
            ("Windows", "AMD64", (0, 0), (3, 14), None, None),
            ("Windows", "AMD64", (0, 0), (3, 8), None, None),
        ],
    )
    def test_every_platform(self, host, system, processor, release, python, openvino, onnxruntime):
        from LiverSegSlicer.work.engine_plans import planOf, smallPlan

        here = machine(system, processor, python, release=release)
        plans = {engine: planOf(engine, here) for engine in ("openvino", "onnxruntime")}
        found = {
            engine: plan and (plan.version, plan.downloadMb, plan.diskMb) for engine, plan in plans.items()
        }
        assert found == {"openvino": openvino, "onnxruntime": onnxruntime}
        assert smallPlan(here) == (plans["openvino"] or plans["onnxruntime"])

    def test_pip_takes_the_package_alone_as_a_wheel(self, host):
        from LiverSegSlicer.work.pip_process import pipArguments

        arguments = pipArguments("openvino==2025.3.0")
        assert arguments[0] == "install" and arguments[-1] == "openvino==2025.3.0"
        assert {"--no-deps", "--only-binary=:all:", "--no-input"} <= set(arguments)


class TestState:
    @pytest.mark.parametrize(
        "versions, status, engine, text",
        [
            ({}, "missing", None, "not installed"),
            ({"openvino": "2025.3.0"}, "ok", "openvino", "OpenVINO 2025.3, CPU"),
            ({"onnxruntime": "1.19.2"}, "ok", "onnxruntime", "ONNX Runtime 1.19, CPU"),
            ({"torch": "2.8.0+cpu"}, "ok", "torch", "PyTorch 2.8.0, CPU"),
            ({"torch": "2.8.0+cpu", "onnxruntime": "1.19.2"}, "ok", "onnxruntime", "ONNX Runtime 1.19, CPU"),
            ({"torch": "2.8.0+cpu", "openvino": "2025.4.1"}, "ok", "openvino", "OpenVINO 2025.4, CPU"),
            ({"torch": "1.13.1", "openvino": "2025.4.1"}, "ok", "openvino", "OpenVINO 2025.4, CPU"),
            ({"openvino": "2022.3.1"}, "unusable", None, "OpenVINO 2022.3.1, too old"),
            ({"torch": "1.13.1"}, "unusable", None, "PyTorch 1.13.1, too old"),
        ],
    )
    def test_from_metadata_alone(self, installed, versions, status, engine, text):
        found = state(installed, **versions)
        assert (found.status, found.engine, found.text) == (status, engine, text)
        assert found.isUsable == (status == "ok") and bool(found.request) == (status != "ok")

    def test_the_small_one_is_the_default_and_torch_the_other_choice(self, installed):
        first, second = state(installed).offers
        assert first.request == (
            "OpenVINO suits this computer: a download of about 50 MB, about 155 MB on the disk, installed "
            "once into Slicer's own Python."
        )
        assert (second.engine, second.downloadMb) == ("torch", 250)

    def test_an_nvidia_gpu_turns_that_round(self, installed):
        gpu = machine(driver=550)
        assert [offer.engine for offer in state(installed, gpu).offers] == ["torch", "openvino"]
        assert "NVIDIA GPU" in state(installed, gpu).offers[0].purpose
        both = {"openvino": "2025.4.1", "torch": "2.11.0+cu126"}
        assert state(installed, gpu, **both).engine == "torch"
        assert state(installed, gpu, **{**both, "torch": "2.11.0+cpu"}).engine == "openvino"

    def test_an_intel_mac_with_a_new_slicer_has_the_small_one_only(self, installed):
        mac = machine("Darwin", "x86_64", release=(13, 0))
        assert [offer.engine for offer in state(installed, mac).offers] == ["openvino"]

    def test_whom_nothing_fits_is_told(self, installed):
        mac = machine("Darwin", "x86_64", (3, 14), release=(13, 0))
        found = state(installed, mac)
        assert not found.offers and "None was built for this computer" in found.request

    def test_looking_imports_no_engine(self, host):
        code = (
            f"import sys; sys.path[:0] = [{str(MODULES)!r}, {str(MODULES.parent / 'Testing')!r}]\n"
            "from SlicerHost import boot; boot()\n"
            "from LiverSegSlicer.work.engines import engineState, needsTorch\n"
            "assert engineState().isUsable\n"
            "needsTorch('default', engineState())\n"
            "sys.exit(len({'torch', 'openvino', 'onnxruntime'} & set(sys.modules)))"
        )
        subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL)

    def test_segmenting_without_one_says_what_to_do_and_starts_no_worker(self, host, scene, installed):
        from LiverSegSlicer.logic import Logic
        from LiverSegSlicer.work.worker_process import WorkerProcess

        logic, ending = Logic(WorkerProcess(command())), Ending()
        logic.segmentAsync(addVolume(), completed=ending)
        host.waitFor(ending.happened, 5)
        error = ending.only()[1]
        assert error.code == "device" and "needs a library" in str(error) and "installEngine" in str(error)
        assert not logic.worker.isRunning()

    def test_a_model_for_torch_alone_says_so_before_work(self, host, scene, installed, monkeypatch):
        from LiverSegLib.errors import DeviceError
        from LiverSegSlicer.work import engines

        installed["openvino"] = "2025.3.0"
        monkeypatch.setattr(engines, "_isForTorch", lambda model: model == "theirs")
        engines.checkEngine("ours")
        with pytest.raises(DeviceError, match="model theirs runs in PyTorch only.*installTorch"):
            engines.checkEngine("theirs")

    def test_a_model_is_for_torch_alone_if_a_stage_has_no_graph(self, host, monkeypatch):
        from types import SimpleNamespace

        from LiverSegLib import models
        from LiverSegSlicer.work.engines import _isForTorch

        def stage(graph):
            return SimpleNamespace(folds=(SimpleNamespace(graph=graph),))

        found = SimpleNamespace(manifest=SimpleNamespace(stages=(stage("a.onnx"), stage(None))))
        monkeypatch.setattr(models, "load_model", lambda name: found)
        assert _isForTorch("any")
        found.manifest.stages = (stage("a.onnx"),)
        assert not _isForTorch("any")


PIP = {
    "works": "print('Progress 5 of 10', flush=True); import time; time.sleep(0.3)\n"
    "print('Installing collected packages: openvino', flush=True); time.sleep(0.3)",
    "hangs": "import time; print('Progress 5 of 10', flush=True); time.sleep(60)",
    "is offline": "print('WARNING: Retrying ... NewConnectionError ... name resolution'); exit(1)",
    "finds the disk full": "print('ERROR: [Errno 28] No space left on device'); exit(1)",
    "finds a locked folder": "print('ERROR: [Errno 13] Permission denied'); exit(1)",
    "fails": "print('ERROR: something else'); exit(1)",
}
"""What a stand-in for pip does."""


@pytest.fixture
def pip(host, scene, installed, monkeypatch):
    """A logic whose pip is a short program: ``pip(what, **versions)`` says what it does and brings."""
    from LiverSegSlicer.logic import Logic
    from LiverSegSlicer.work import engine_install, pip_process
    from LiverSegSlicer.work.worker_process import WorkerProcess

    made = []

    def prepare(what, **versions):
        says = "import os; print('pid', os.getpid(), flush=True)\n" + PIP[what]
        monkeypatch.setattr(pip_process, "pythonCommand", lambda: [sys.executable, "-c", says])
        real = pip_process.PipProcess

        class Recorded(real):
            def __init__(self, requirement):
                made.append(requirement)
                super().__init__(requirement)

            def hasSucceeded(self):
                if real.hasSucceeded(self):
                    installed.update(versions)
                return real.hasSucceeded(self)

        monkeypatch.setattr(engine_install, "PipProcess", Recorded)
        return logic

    logic = Logic(WorkerProcess(command()))
    prepare.made = made
    monkeypatch.setattr(engine_install, "thisMachine", lambda exactly: machine(python=OLD, numpy=1))
    yield prepare
    logic.worker.quit()


def ended(host, logic, **options):
    """Install OpenVINO in the background; returns how it ended."""
    ending = Ending()
    run = logic.installEngineAsync("openvino", completed=ending, **options)
    host.waitFor(ending.happened, 20)
    return run, ending.only()


class TestInstalling:
    def test_in_the_background_with_progress(self, host, pip):
        logic, told = pip("works", openvino="2025.3.0"), Told()
        _run, (name, error) = ended(host, logic, progress=told)
        assert (name, error) == ("OpenVINO", None)
        assert pip.made == ["openvino==2025.3.0"]
        assert {"Downloading OpenVINO", "Installing OpenVINO"} <= set(told.texts)
        assert 0.45 in [round(fraction, 2) for fraction in told.fractions]
        assert logic.engineState().engine == "openvino"

    def test_a_warm_worker_is_started_again(self, host, pip):
        logic = pip("works", openvino="2025.3.0")
        first = logic.worker.start()
        host.waitFor(logic.worker.isReady, 20)
        ended(host, logic)
        second = logic.worker.start()
        assert second is not first
        host.waitFor(lambda: logic.worker.isReady() and first.hasEnded(), 20)

    def test_blocking_after_a_yes(self, pip):
        logic, asked = pip("works", openvino="2025.3.0"), []
        assert logic.installEngine(lambda question: asked.append(question) or True) is True
        (question,) = asked
        assert "OpenVINO" in question and "49 MB" in question and "151 MB" in question
        assert logic.installEngine(pytest.fail) is True  # it is there: nobody is asked

    @pytest.mark.parametrize("answer", [False, None, 0, "yes", 1])
    def test_not_without_a_yes(self, pip, answer):
        assert pip("works").installEngine(lambda _question: answer) is False
        assert pip.made == []

    def test_the_engine_that_is_named(self, pip):
        logic = pip("works", onnxruntime="1.19.2")
        assert logic.installEngine(lambda _question: True, engine="onnxruntime")
        assert pip.made == ["onnxruntime==1.19.2"]

    def test_none_for_this_computer(self, pip, monkeypatch):
        from LiverSegLib.errors import DeviceError
        from LiverSegSlicer.work import engine_install

        monkeypatch.setattr(engine_install, "thisMachine", lambda exactly: machine(python=(3, 14)))
        with pytest.raises(DeviceError, match="no OpenVINO for this computer"):
            pip("works").installEngine(pytest.fail, engine="openvino")

    @pytest.mark.parametrize(
        "what, code, words",
        [
            ("is offline", "device", "does not answer: check the connection.*openvino==2025.3.0"),
            ("finds the disk full", "output", "disk is full"),
            ("finds a locked folder", "output", "does not allow writing"),
            ("fails", "device", "could not be installed"),
        ],
    )
    def test_a_failure_says_why(self, host, pip, what, code, words):
        import re

        _run, (_name, error) = ended(host, pip(what))
        assert error.code == code and re.search(words, str(error))
        assert "ERROR" in error.details or "WARNING" in error.details

    def test_pip_was_content_but_it_is_not_there(self, host, pip):
        _run, (_name, error) = ended(host, pip("works"))
        assert "is not found: restart Slicer" in str(error)

    def test_changed_packages_of_slicer_are_told(self, host, pip):
        _run, (_name, error) = ended(host, pip("works", openvino="2025.3.0", numpy="2.0.0"))
        assert "numpy 1.26.4 → 2.0.0" in str(error)

    def test_cancelling_ends_pip(self, host, pip):
        from LiverSegLib.errors import CancelledError

        logic, ending = pip("hangs"), Ending()
        told = Told()
        run = logic.installEngineAsync("openvino", completed=ending, progress=told)
        host.waitFor(lambda: 0.45 in [round(fraction, 2) for fraction in told.fractions], 20)
        run.cancel()
        host.waitFor(ending.happened, 5)
        assert isinstance(ending.only()[1], CancelledError)

    def test_cancelling_is_too_late_while_files_are_written(self, host, pip):
        logic, ending = pip("works", openvino="2025.3.0"), Ending()
        told = Told("Installing OpenVINO", lambda: run.cancel())
        run = logic.installEngineAsync("openvino", completed=ending, progress=told)
        host.waitFor(ending.happened, 20)
        assert ending.only() == ("OpenVINO", None)

    def test_no_room_and_no_rights_are_said_before(self, pip, monkeypatch):
        from types import SimpleNamespace

        from LiverSegLib.errors import OutputError
        from LiverSegSlicer.work import installing

        logic = pip("works")
        monkeypatch.setattr(installing.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
        with pytest.raises(OutputError, match="1 MB free, OpenVINO needs about 151 MB"):
            logic.installEngine(pytest.fail)
        monkeypatch.setattr(installing.os, "access", lambda *_: False)
        with pytest.raises(OutputError, match="does not allow writing"):
            logic.installEngine(pytest.fail)
        assert pip.made == []

    def test_nothing_is_segmented_meanwhile(self, host, pip):
        logic, ending = pip("hangs"), Ending()
        run = logic.installEngineAsync("openvino", completed=Ending())
        logic.measureAsync(None, completed=ending)
        host.waitFor(ending.happened, 5)
        assert "still at work" in str(ending.only()[1])
        run.cancel()
        host.waitFor(lambda: not run.isRunning(), 5)


def test_nothing_else_installs_anything():
    """pip is called in two places, which only the functions that ask or that a click starts reach."""
    callers = {}
    for path in MODULES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef):
                for call in ast.walk(function):
                    if isinstance(call, ast.Call):
                        name = ast.unparse(call.func).split(".")[-1]
                        callers.setdefault(name, set()).add((path.name, function.name))
        assert "pip_ensure" not in text and "ensurepip" not in text
        assert ("'pip'" in text) == (path.name == "pip_process.py") and '"-m", "pip"' not in text
    assert callers["pip_install"] == {("requirements.py", "_pipInstall")}
    assert callers["_pipInstall"] == {("requirements.py", "_install")}
    assert callers["installWithExtension"] == {("requirements.py", "_install")}
    assert ("requirements.py", "installTorch") in callers["_install"]
    assert callers["PipProcess"] == {("engine_install.py", "pipSteps")}
    assert callers["pipSteps"] == {("engine_install.py", "packageSteps")}
    assert callers["packageSteps"] == {
        ("engine_install.py", "installSteps"),
        ("highdicom_install.py", "installHighdicomSteps"),
    }
