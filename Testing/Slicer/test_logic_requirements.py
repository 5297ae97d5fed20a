"""PyTorch: found from metadata, chosen for the computer, installed only after asking. For the other engines
see test_logic_engines."""

import subprocess
import sys
import types

import pytest
from logic_doubles import command


@pytest.fixture
def pip(host, installed, monkeypatch):
    """What pip was called with; set ``pip.fails`` to an exception, ``pip.brings`` to a version."""
    import slicer

    calls = types.SimpleNamespace(made=[], fails=None, brings="2.8.0+cpu")

    def pip_install(requirements, **_):
        calls.made.append(requirements)
        if calls.fails is not None:
            raise calls.fails
        installed["torch"] = calls.brings

    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    calls.install = pip_install
    return calls


def machine(system="Linux", processor="x86_64", python=(3, 12), numpy=2, driver=None, capability=None):
    from LiverSegSlicer.work.machine import Machine

    return Machine(system, processor, python, numpy, driver, capability)


def planned(**facts):
    """Requirement and index of what would be installed."""
    from LiverSegSlicer.work.requirements import INDEX, planFor

    plan = planFor(machine(**facts))
    if plan is None:
        return None
    requirement, *rest = plan.arguments
    return requirement, rest[1].replace(INDEX, "") if rest else None


class TestState:
    @pytest.mark.parametrize(
        "torch, numpy, status, text",
        [
            (None, "1.26.4", "missing", "not installed"),
            ("2.8.0+cpu", "1.26.4", "ok", "2.8.0, CPU"),
            ("2.11.0+cu126", "2.4.6", "ok", "2.11.0, GPU"),
            ("2.13.0", "2.4.6", "ok", "2.13.0"),
            ("2.1.0", "1.26.4", "ok", "2.1.0"),
            ("2.0.1", "1.26.4", "unusable", "2.0.1, too old"),
            ("1.13.1+cu117", "1.26.4", "unusable", "1.13.1+cu117, too old"),
            ("2.2.2", "2.0.2", "unusable", "2.2.2, too old"),
        ],
    )
    def test_from_metadata_alone(self, installed, torch, numpy, status, text):
        from LiverSegSlicer.work.requirements import torchState

        installed["numpy"] = numpy
        if torch is not None:
            installed["torch"] = torch
        state = torchState()
        assert (state.status, state.text, state.usable) == (status, text, status == "ok")
        assert bool(state.request) == (status != "ok")

    def test_the_request_says_what_how_big_and_why(self, installed):
        from LiverSegSlicer.work import requirements

        state = requirements._stateOn(machine())
        assert state.request == (
            "PyTorch is not installed yet. The build for the processor (CPU) "
            "is a download of about 250 MB, takes about 1 GB on the disk and is installed once, into "
            "Slicer's own Python."
        )
        assert "3 GB" in requirements._stateOn(machine(driver=550, capability=(8, 6))).request


class TestPlan:
    @pytest.mark.parametrize(
        "facts, requirement, index",
        [
            ({}, "torch>=2.3", "cpu"),
            ({"system": "Windows", "processor": "AMD64"}, "torch>=2.3", "cpu"),
            ({"processor": "aarch64"}, "torch>=2.3", "cpu"),
            ({"system": "Darwin", "processor": "arm64"}, "torch>=2.3", None),
            ({"python": (3, 9), "numpy": 1}, "torch>=2.1,<2.9", "cpu"),
            ({"driver": 550, "capability": (8, 6)}, "torch>=2.3", "cu126"),
            ({"driver": 550, "capability": (6, 1)}, "torch>=2.3", "cu126"),
            ({"driver": 550, "capability": (8, 6), "python": (3, 9), "numpy": 1}, "torch>=2.1,<2.9", "cu126"),
            ({"driver": 575, "capability": (12, 0)}, "torch>=2.3", "cu128"),
            ({"driver": 581, "capability": (12, 0)}, "torch>=2.3", "cu130"),
            (
                {"driver": 581, "capability": (12, 0), "python": (3, 9), "numpy": 1},
                "torch>=2.1,<2.9",
                "cu128",
            ),
            ({"driver": 470, "capability": (8, 6)}, "torch>=2.3", "cpu"),
            ({"driver": 550, "capability": (8, 7), "processor": "aarch64"}, "torch>=2.3", "cpu"),
            ({"system": "Darwin", "python": (3, 9), "numpy": 1}, "torch>=2.1,<2.3", None),
        ],
    )
    def test_fits_the_computer(self, host, facts, requirement, index):
        assert planned(**facts) == (requirement, index)

    def test_only_an_intel_mac_with_a_new_slicer_has_none(self, host):
        assert planned(system="Darwin") is None

    def test_an_old_driver_is_named(self, host):
        from LiverSegSlicer.work.requirements import planFor

        note = planFor(machine(driver=470, capability=(8, 6))).note
        assert "driver is too old" in note and "525" in note

    @pytest.mark.parametrize(
        "answer, expected",
        [
            ("550.54.14, 8.6\n", (550, (8, 6))),
            ("550.54.14, 6.1\n550.54.14, 12.0\n", (550, (12, 0))),
            ("NVIDIA-SMI has failed\n", (None, None)),
            ("", (None, None)),
        ],
    )
    def test_the_driver_is_asked(self, host, monkeypatch, tmp_path, answer, expected):
        from LiverSegSlicer.work import machine as machines

        tool = tmp_path / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\nprintf '{answer}'\n".replace("\n'", "\\n'"))
        tool.chmod(0o755)
        monkeypatch.setattr(machines.shutil, "which", lambda _name: str(tool))
        here = machines.thisMachine(exactly=True)
        assert (here.driver, here.capability) == expected
        assert machines.thisMachine(exactly=False).driver == machines.USUAL_NVIDIA[0]
        tool.write_text("#!/bin/sh\nexit 9\n")
        assert machines.thisMachine(exactly=True).driver is None


class TestInstalling:
    def test_after_a_yes(self, pip):
        from LiverSegSlicer.work.requirements import installTorch

        asked = []
        assert installTorch(lambda question: asked.append(question) or True) is True
        assert len(asked) == 1 and "download of about" in asked[0]
        ((requirement, *_),) = pip.made
        assert requirement.startswith("torch>=")
        assert installTorch(pytest.fail) is True  # it is there: nobody is asked

    @pytest.mark.parametrize("answer", [False, None, 0, "", "yes", 1])
    def test_not_without_a_yes(self, pip, answer):
        from LiverSegSlicer.work.requirements import installTorch

        assert installTorch(lambda _question: answer) is False
        assert pip.made == []

    def test_with_the_packaging_of_slicer_5_12(self, pip, monkeypatch):
        from LiverSegSlicer.work.requirements import installTorch

        packaging = types.ModuleType("slicer.packaging")
        packaging.isPipInstallInProgress = lambda: False
        packaging.pip_install = lambda requirements, requester: pip.install([requester, *requirements])
        monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
        assert installTorch(lambda _question: True)
        assert pip.made[0][0] == "LiverSeg"

    @pytest.mark.parametrize(
        "failure, words",
        [
            (
                subprocess.CalledProcessError(1, "pip"),
                "could not be installed: check the internet",
            ),
            (OSError("no network"), "could not be installed"),
            (RuntimeError("another one"), "could not be installed"),
            (KeyboardInterrupt(), "was interrupted: press Install again"),
        ],
    )
    def test_a_failure_says_what_to_do_next(self, pip, failure, words):
        from LiverSegLib.errors import DeviceError
        from LiverSegSlicer.work.requirements import installTorch, torchState

        pip.fails = failure
        with pytest.raises(DeviceError, match=words):
            installTorch(lambda _question: True)
        assert not torchState().usable
        pip.fails = None
        assert installTorch(lambda _question: True)

    def test_pip_was_content_but_torch_is_not_there(self, pip):
        from LiverSegLib.errors import DeviceError
        from LiverSegSlicer.work.requirements import installTorch

        pip.brings = "1.0"
        with pytest.raises(DeviceError, match="Restart Slicer"):
            installTorch(lambda _question: True)

    def test_no_room_and_no_rights_are_said_before_asking(self, pip, monkeypatch):
        from LiverSegLib.errors import DeviceError, OutputError
        from LiverSegSlicer.work import installing, requirements

        monkeypatch.setattr(installing.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=10**6))
        with pytest.raises(OutputError, match="1 MB free, PyTorch needs about"):
            requirements.installTorch(pytest.fail)
        monkeypatch.setattr(installing.os, "access", lambda *_: False)
        with pytest.raises(OutputError, match="does not allow writing"):
            requirements.installTorch(pytest.fail)
        monkeypatch.setattr(requirements, "planFor", lambda _: None)
        with pytest.raises(DeviceError, match="Intel processor"):
            requirements.installTorch(pytest.fail)

    def test_not_while_a_run_is_going_on(self, host, scene, pip):
        from LiverSegLib.errors import UsageError
        from LiverSegSlicer.logic import Logic
        from LiverSegSlicer.work.worker_process import WorkerProcess

        logic = Logic(WorkerProcess(command()))
        logic.worker.occupy(self)
        with pytest.raises(UsageError, match="at work"):
            logic.installTorch(pytest.fail)
        logic.worker.release(self)
        assert logic.installTorch(lambda _question: False) is False
