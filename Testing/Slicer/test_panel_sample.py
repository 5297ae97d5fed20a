"""The real panel, worker and model on the bundled scan, by real clicks; and LiverSegTest, as users run it."""

import numpy as np
import panel_doubles  # noqa: F401 (loads the module)
import pytest
from PySide6 import QtCore
from PySide6.QtTest import QTest

pytest.importorskip("torch", reason="segmenting needs PyTorch")

LIMIT_S = 400
pytestmark = pytest.mark.timeout(3 * LIMIT_S)


@pytest.fixture
def panel(window, host):
    """The module's own panel in the main window."""
    import slicer

    host.showModule("LiverSeg")
    return slicer.modules.LiverSegWidget.panel


def click(host, widget, position=None):
    """A real click on a widget that PythonQt wraps."""
    from SlicerHost.pythonqt import unwrap

    target = unwrap(widget)
    QTest.mouseClick(target, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, position or target.rect().center())
    host.settle(0.05)


def test_one_click_from_the_scan_to_the_report(panel, host, tmp_path):
    import slicer

    from LiverSegSlicer.sample_data import sampleFile
    from SlicerHost.pythonqt import unwrap

    ui = panel.ui
    slicer.util.loadVolume(str(sampleFile()))
    host.waitFor(lambda: ui.segmentButton.enabled)
    click(host, ui.segmentButton)
    assert ui.segmentButton.text == "Cancel"
    host.waitFor(lambda: 20 < ui.runProgressBar.value < 90, LIMIT_S)
    assert ui.runStageLabel.text == "Segmenting"
    host.waitFor(lambda: panel.parameters.segmentation is not None, LIMIT_S)
    host.settle(0.2)
    assert ui.messageLabel.text.startswith("Segmented in ")
    assert 1300 < float(ui.liverValueLabel.text.split()[0]) < 1900
    assert "The spleen reaches the inferior border" in ui.spleenValueLabel.toolTip
    assert "The spleen reaches the inferior border" in ui.resultWarningsLabel.text

    table = unwrap(ui.lesionsTable)
    click(host, wrapped(table.viewport()), table.visualItemRect(table.item(0, 1)).center())
    centre = np.array(lesions(panel)[0]["longest_ends_lps_mm"]).mean(axis=0)
    red = slicer.app.layoutManager().sliceWidget("Red").sliceLogic()
    assert abs(red.GetSliceOffset() - centre[2]) < 2.5

    ui.reportFolderButton.directory = str(tmp_path)
    click(host, ui.reportButton)
    host.waitFor(lambda: host.opened_urls, LIMIT_S)
    (folder,) = tmp_path.iterdir()
    assert (folder / "report.html").is_file()


def test_self_test_of_the_module(panel, host, ownModules):
    import slicer

    slicer.selfTests["LiverSeg"](msec=1)
    assert panel is not slicer.modules.LiverSegWidget.panel, "it has reloaded the module"


def wrapped(widget):
    """A PySide6 widget as PythonQt shows it."""
    from SlicerHost.pythonqt import wrap

    return wrap(widget)


def lesions(panel):
    """The lesions of the result that the panel shows."""
    from LiverSegSlicer.scene.parts import summaryOf

    return summaryOf(panel.parameters.segmentation)["measurements"]["lesions"]
