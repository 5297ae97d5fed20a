"""Where the extension PyTorch is there it installs, as its source does; torch never reaches this process."""

import importlib
import importlib.metadata
import subprocess
import sys
import types

import logic_doubles  # noqa: F401  (makes the module's package importable)
import pytest

SAID = "Slicer's extension PyTorch installs it, together with torchvision."


@pytest.fixture
def installed(installed):
    """What Slicer 5.12 brings."""
    installed["numpy"] = "2.4.6"
    return installed


@pytest.fixture
def pip(host, installed, monkeypatch):
    """What LiverSeg's own pip was called with."""
    import slicer

    made = []

    def pip_install(requirements, **_):
        made.append(requirements)
        installed["torch"] = "2.8.0+cpu"

    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    return made


@pytest.fixture
def extension(installed, pip, monkeypatch):
    """The extension's module as the real one behaves. What it was told is in ``told``; set ``fails`` to an
    exception, ``brings`` to a version.
    """
    module = types.ModuleType("PyTorchUtils")
    module.told, module.fails, module.brings = [], None, "2.9.1+cpu"

    class PyTorchUtilsLogic:
        def installTorch(
            self,
            askConfirmation=False,
            forceComputationBackend=None,
            torchVersionRequirement=None,
            torchvisionVersionRequirement=None,
        ):
            arguments = (torchVersionRequirement, torchvisionVersionRequirement, forceComputationBackend)
            module.told.append((askConfirmation, *arguments))
            if module.fails is not None:
                raise module.fails
            installed["torch"] = module.brings
            return importlib.import_module("torch")  # as the real one ends

    module.PyTorchUtilsLogic = PyTorchUtilsLogic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return module


@pytest.fixture(autouse=True)
def torch_stays_out():
    """torch is installed where the tests run, so that an import of it would succeed. What other tests have
    loaded of it is put aside meanwhile.
    """
    loaded = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "torch"}
    for name in loaded:
        del sys.modules[name]
    yield
    here = "torch" in sys.modules or "torchvision" in sys.modules
    sys.modules.update(loaded)
    assert not here


def yes(_question):
    return True


def old(extension, arguments):
    """Give the extension an ``installTorch`` with these arguments only."""
    names = {}
    exec(f"def installTorch(self{arguments}): raise AssertionError('not to be called')", names)
    extension.PyTorchUtilsLogic = type("PyTorchUtilsLogic", (), names)


def test_it_installs_after_our_question_and_asks_no_second_time(extension, pip):
    from LiverSegSlicer.work.requirements import installTorch, torchState

    asked = []
    assert torchState().request.endswith(SAID)  # the panel says so too
    assert installTorch(lambda question: asked.append(question) or True) is True
    assert len(asked) == 1
    assert "download of about 250 MB" in asked[0] and asked[0].endswith(SAID)
    assert extension.told == [(False, ">=2.3,<2.10", ">=0.18,<0.25", "cpu")]
    assert pip == []


def test_torch_can_be_imported_again_afterwards(extension):
    from LiverSegSlicer.work.requirements import installTorch

    finders = list(sys.meta_path)
    assert installTorch(yes)
    assert sys.meta_path == finders
    code = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_torch_that_another_module_loaded_stays_loaded(extension, monkeypatch):
    from LiverSegSlicer.work.requirements import installTorch

    torch = types.ModuleType("torch")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        assert installTorch(yes)
        assert sys.modules["torch"] is torch


@pytest.mark.parametrize("answer", [False, None, 0, "yes"])
def test_nothing_without_a_yes(extension, pip, answer):
    from LiverSegSlicer.work.requirements import installTorch

    assert installTorch(lambda _question: answer) is False
    assert extension.told == [] and pip == []


@pytest.mark.parametrize(
    "facts, told",
    [
        (("Linux", "x86_64", (3, 9), 1), (">=2.1,<2.9", ">=0.16,<0.24", "cpu")),
        (("Linux", "x86_64", (3, 12), 2, 550, (8, 6)), (">=2.3,<2.10", ">=0.18,<0.25", "cu126")),
        (("Windows", "AMD64", (3, 12), 2, 581, (12, 0)), (">=2.3,<2.10", ">=0.18,<0.25", "cu130")),
        (("Darwin", "arm64", (3, 12), 2), (">=2.3,<2.10", ">=0.18,<0.25", None)),
        (("Darwin", "x86_64", (3, 9), 1), (">=2.1,<2.3", ">=0.16,<0.18", None)),
    ],
)
def test_versions_and_build_are_those_of_the_plan(extension, monkeypatch, facts, told):
    from LiverSegSlicer.work import requirements
    from LiverSegSlicer.work.machine import Machine

    monkeypatch.setattr(requirements, "thisMachine", lambda exactly: Machine(*facts))
    assert requirements.installTorch(yes)
    assert extension.told == [(False, *told)]


def test_a_torch_that_is_too_old_is_replaced_by_it(extension, installed):
    from LiverSegSlicer.work.requirements import installTorch, torchState

    installed["torch"] = "1.13.1"
    assert "1.13.1 that is installed is too old" in torchState().request
    assert installTorch(yes) is True
    assert torchState().version == "2.9.1+cpu"


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        ", askConfirmation=False",
        ", askConfirmation=False, forceComputationBackend=None, torchVersionRequirement=None",
    ],
)
def test_one_that_is_too_old_to_be_told_versions_is_left_alone(extension, pip, arguments):
    from LiverSegSlicer.work.requirements import installTorch, torchState

    old(extension, arguments)
    assert SAID not in torchState().request
    assert installTorch(yes) is True
    assert pip[0][0] == "torch>=2.3"


@pytest.mark.parametrize("broken", ["absent", "without its class"])
def test_without_it_pip_installs_as_ever(extension, pip, monkeypatch, broken):
    from LiverSegSlicer.work.requirements import installTorch, torchState

    if broken == "absent":
        monkeypatch.delitem(sys.modules, "PyTorchUtils")
    else:
        del extension.PyTorchUtilsLogic
    assert SAID not in torchState().request
    assert installTorch(yes) is True
    assert len(pip) == 1


@pytest.mark.parametrize(
    "failure",
    [
        subprocess.CalledProcessError(1, "light_the_torch", output="No matching distribution"),
        OSError("no network"),
        ModuleNotFoundError("No module named 'light_the_torch'", name="light_the_torch"),
        ValueError("Unable to parse cu130 into a computation backend"),
    ],
)
def test_a_failure_is_one_sentence_with_details_and_can_be_tried_again(extension, failure):
    import slicer

    from LiverSegLib.errors import DeviceError
    from LiverSegSlicer.work.requirements import installTorch, torchState

    extension.fails = failure
    with pytest.raises(
        DeviceError, match="extension PyTorch could not install it: .* restart Slicer"
    ) as error:
        installTorch(yes)
    assert str(failure) in error.value.details
    assert not torchState().usable
    assert slicer.app.overrideCursor() is None  # the wait cursor is gone
    extension.fails = None
    assert installTorch(yes)


def test_interrupted(extension):
    from LiverSegLib.errors import DeviceError
    from LiverSegSlicer.work.requirements import installTorch

    extension.fails = KeyboardInterrupt()
    with pytest.raises(DeviceError, match="was interrupted: press Install again"):
        installTorch(yes)


def test_it_ended_and_torch_is_not_there(extension):
    from LiverSegLib.errors import DeviceError
    from LiverSegSlicer.work.requirements import installTorch

    extension.brings = "1.8.1"  # what light-the-torch chose for some in 2023
    with pytest.raises(DeviceError, match="Restart Slicer"):
        installTorch(yes)


def test_not_beside_another_installation(extension, monkeypatch):
    from LiverSegLib.errors import DeviceError
    from LiverSegSlicer.work.requirements import installTorch

    packaging = types.ModuleType("slicer.packaging")
    packaging.isPipInstallInProgress = lambda: True
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    with pytest.raises(DeviceError) as error:
        installTorch(yes)
    assert "another installation" in error.value.details and extension.told == []
