"""Fixtures for tests of the Slicer module: a stand-in Slicer (Testing/SlicerHost), started once for the
process.
"""

import importlib.metadata
import os
import shutil
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(REPOSITORY / "Testing"))

from SlicerHost import Host, boot  # noqa: E402


def pytest_configure(config):
    """Qt 5.15 is the law: what Qt 6 calls deprecated is none of the module's business."""
    config.addinivalue_line("filterwarnings", "ignore:Function. .* marked as deprecated:DeprecationWarning")


@pytest.fixture(autouse=True)
def nothingIsOpened(monkeypatch):
    """No test starts a browser: the module finds no program for that but Qt, which here only takes notes."""
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, *more: None if name == "xdg-open" else which(name, *more)
    )


@pytest.fixture(scope="session")
def slicerSession(tmp_path_factory):
    """The one Slicer of the process; quits at the end. Its recovery journals are not the user's."""
    os.environ["LIVERSEG_RECOVERY"] = str(tmp_path_factory.mktemp("recovery"))
    session = boot()
    yield session
    session.shutDown()


@pytest.fixture
def host(slicerSession: Host):
    """Slicer with an empty scene. Fails the test on an exception in a slot, a broken rule, an unexpected
    dialog. Panels that the test showed are ended: one that lived on would act on the scenes of other tests.
    """
    yield from emptied(slicerSession)


@pytest.fixture(scope="module")
def moduleHost(slicerSession: Host):
    """The same for all tests of a file together; they may only look at what its fixtures made."""
    yield from emptied(slicerSession)


def emptied(slicerSession: Host):
    """The session with an empty scene; what went wrong meanwhile is an error."""
    slicerSession.reset()
    yield slicerSession
    slicerSession.closePanels()
    slicerSession.settle(0.02)  # they are deleted when the event loop turns
    slicerSession.clear()
    problems = slicerSession.takeProblems()
    assert not problems, "\n\n".join(problems)


@pytest.fixture
def scene(host: Host):
    """slicer.mrmlScene, closed after the test."""
    import slicer

    return slicer.mrmlScene


@pytest.fixture
def modulePath() -> Path:
    """The module as a clone has it."""
    return REPOSITORY / "LiverSeg" / "LiverSeg.py"


@pytest.fixture
def window(host: Host, scene):
    """The main window, four-up, with a module panel 360 pixels wide; closed again after the test."""
    yield host.openWindow()
    host.setTheme("light")
    host.parkWindow()


@pytest.fixture
def hand(host: Host, scene):
    """A panel of LiverSeg of its own in an empty scene, and who clicks on it."""
    from panel_hand import makeHand

    made, end = makeHand(host)
    yield made
    end()


@pytest.fixture
def ownModules():
    """The test reloads our files; afterwards the other tests have theirs again."""
    ours = ("LiverSeg", "LiverSegSlicer", "LiverSegLib")
    kept = {name: module for name, module in sys.modules.items() if name.split(".")[0] in ours}
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in ours]:
        del sys.modules[name]
    sys.modules.update(kept)


@pytest.fixture
def screenshot(host: Host, tmp_path: Path):
    """`screenshot(name, widget=None)` saves name.png in $LIVERSEG_SCREENSHOTS or a temporary folder;
    returns its path.
    """
    folder = Path(os.environ.get("LIVERSEG_SCREENSHOTS", tmp_path))
    return lambda name, widget=None: Path(host.screenshot(str(folder / f"{name}.png"), widget))


@pytest.fixture
def installed(host, monkeypatch):
    """Package -> version that is installed, for the test to change."""
    versions = {"numpy": "1.26.4"}

    def version(package):
        if package not in versions:
            raise importlib.metadata.PackageNotFoundError(package)
        return versions[package]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions
