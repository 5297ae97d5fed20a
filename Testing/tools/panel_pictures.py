"""Makes the pictures in docs/pictures: the real panel on the test host, the bundled scan, the bundled model.

    python Testing/tools/panel_pictures.py [folder]

It starts itself a second time for the picture at 150 % scaling, which Qt can only be told at its start.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from SlicerHost import boot  # noqa: E402

host = boot()

import numpy as np  # noqa: E402
import slicer  # noqa: E402
import vtk  # noqa: E402
from PIL import Image  # noqa: E402
from PySide6 import QtCore, QtWidgets  # noqa: E402
from PySide6.QtTest import QTest  # noqa: E402
from scipy import ndimage  # noqa: E402

from SlicerHost import view_mouse  # noqa: E402
from SlicerHost.pythonqt import unwrap  # noqa: E402

WINDOW = (1280, 840)
LIMIT_S = 600
LESION_ROW = 0
"""The largest lesion, which is the only one since the second look at each."""
ROI_ROW = 3
UNENHANCED = ROOT / "Testing" / "Data" / "hcc013-unenhanced-10mm.nii.gz"
MARGIN = 10
LIPIODOL_HU = 150.0
"""Above this the sample's lesion holds embolization material."""


def main(folder: Path) -> None:
    """Make all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    scaled = "QT_SCALE_FACTOR" in os.environ
    host.loadModule(ROOT / "LiverSeg" / "LiverSeg.py")
    host.openWindow(360, WINDOW)
    host.showModule("LiverSeg")
    slicer.modules.LiverSegWidget.panel.ui.reportFolderButton.directory = "/Documents/LiverSeg"
    pictures = Pictures(folder)
    if scaled:
        pictures.segmented()
        pictures.panel("panel-150")
    else:
        pictures.all()
        again = [sys.executable, __file__, str(folder)]
        subprocess.run(again, env={**os.environ, "QT_SCALE_FACTOR": "1.5"}, check=True)
    slicer.modules.liverSegWorker.quit()


class Pictures:
    """The panel in its states, as pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        from LiverSegSlicer.correct import corrector
        from LiverSegSlicer.scene import parts

        self._parts, self._corrector = parts, corrector.sharedCorrector()
        self._folder = folder
        self._panel = slicer.modules.LiverSegWidget.panel

    def all(self) -> None:
        """All pictures but the one that needs another scaling."""
        self._load()
        self._withoutEngine()
        self.panel("panel-start")
        self.segmented("panel-running")
        self.panel("panel-results")
        self._window("four-up")
        self._clickLesion()
        self._window("lesion")
        host.setTheme("dark")
        self.panel("panel-dark")
        host.setTheme("light")
        self._correct()
        self._followUp()
        self._fattyLiver()

    def segmented(self, duringRun: str = "") -> None:
        """Press Segment and wait; make a picture in the middle of the run if it has a name."""
        if self._panel.parameters.inputVolume is None:
            self._load()
        bar = unwrap(self._panel.ui.runProgressBar)
        self._click("segmentButton")
        host.waitFor(lambda: bar.value() >= 40, LIMIT_S)
        if duringRun:
            self.panel(duringRun)
        host.waitFor(lambda: self._panel.parameters.segmentation is not None, LIMIT_S)
        host.settle(1.0)

    def panel(self, name: str) -> None:
        """Save the panel alone, cut below its last section."""
        host.settle(0.2)
        last = unwrap(self._panel.ui.advancedSection)
        page = last.parentWidget().parentWidget()
        bottom = last.mapTo(page, QtCore.QPoint(0, last.height())).y() + MARGIN
        picture = page.grab(QtCore.QRect(0, 0, page.width(), min(bottom, page.height())))
        self._save(picture, name)

    def _followUp(self) -> None:
        """The sample and a made-up second date of it, compared; one lesion is chosen."""
        from LiverSegSlicer.scene import scan_dates, views
        from LiverSegSlicer.selftest_followup import FIRST, SECOND, addSecondDate

        segmentationNode = self._panel.parameters.segmentation
        secondNode = addSecondDate(self._panel.logic, segmentationNode)
        for node, date in ((segmentationNode, FIRST), (secondNode, SECOND)):
            scan_dates.typeDate(self._parts.volumeOf(node), date)
        self._panel.ui.scanSelector.setCurrentNode(self._parts.volumeOf(secondNode))
        views.showInViews(self._parts.volumeOf(secondNode), secondNode)
        sections = ("scanSection", "resultsSection", "fattySection", "reportSection")
        for name in sections:
            getattr(self._panel.ui, name).collapsed = True
        self._panel.ui.followupSection.collapsed = False
        host.settle(0.5)
        self._click("followupCompareButton")
        host.waitFor(lambda: self._panel.ui.followupResultWidget.visible, LIMIT_S)
        self._clickCell(unwrap(self._panel.ui.followupLesionsTable), 0)
        self._scrollTo("followupSection")
        self.panel("panel-follow-up")
        for name in sections:
            getattr(self._panel.ui, name).collapsed = False

    def _load(self) -> None:
        from LiverSegSlicer.sample_data import NODE_NAME, sampleFile

        slicer.util.loadVolume(str(sampleFile()), {"name": NODE_NAME})
        host.waitFor(lambda: self._panel.ui.segmentButton.enabled)

    def _withoutEngine(self) -> None:
        """The panel on a computer that has no engine yet, nor an NVIDIA GPU."""
        from LiverSegSlicer.work import engines, requirements

        found = requirements.installedVersion
        for module in (engines, requirements):
            module.installedVersion = lambda name: None if name in engines.ENGINES else found(name)
        self._panel.enter()
        self.panel("first-use")
        engines.installedVersion = found
        requirements.installedVersion = found
        self._panel.enter()

    def _fattyLiver(self) -> None:
        """The ROIs of fatty liver in an unenhanced scan, one chosen."""
        slicer.mrmlScene.Clear(False)
        host.settle(0.2)
        slicer.util.loadVolume(str(UNENHANCED), {"name": "Unenhanced CT"})
        host.waitFor(lambda: self._panel.ui.segmentButton.enabled)
        self.segmented()
        self._click("fattyPlaceButton")
        host.waitFor(lambda: self._panel.ui.fattyRatioLabel.text[:1].isdigit(), LIMIT_S)
        unwrap(self._panel.ui.fattyAnywayCheckBox).click()
        table = unwrap(self._panel.ui.roisTable)
        self._clickCell(table, ROI_ROW)
        for name in ("scanSection", "resultsSection", "reportSection"):
            getattr(self._panel.ui, name).collapsed = True
        host.settle(0.5)
        self._scrollTo("fattySection")
        self._window("fatty-liver")

    def _correct(self) -> None:
        """A false part of a lesion is removed, the lesion deleted and added again; all is accepted."""
        ui = self._panel.ui
        ui.resultsSection.collapsed = True
        ui.correctSection.collapsed = False
        host.settle(0.5)
        self._scrollTo("correctSection")
        segmentationNode = self._panel.parameters.segmentation
        lesion = self._parts.summaryOf(segmentationNode)["measurements"]["lesions"][LESION_ROW]
        centre = [sign * value for sign, value in zip((-1, -1, 1), lesion["centre_lps_mm"])]
        self._window("correct-before")
        view_mouse.click("Red", self._liverInLesion(centre), view_mouse.CONTROL)
        self._corrected()
        self._window("correct-removed")
        ui.resultsSection.collapsed = False
        host.settle(0.2)
        self._clickLesion()
        self._click("lesionDeleteButton")
        self._corrected()
        self._click("lesionAddButton")
        ui.resultsSection.collapsed = True
        self._scrollTo("correctSection")
        view_mouse.click("Red", centre)
        self._corrected()
        self._click("correctOutlineButton")
        self._window("correct-added")
        ui.correctSection.collapsed = True
        ui.reviewReaderEdit.setText("Dr. A. Reader")
        self._click("reviewAcceptButton")
        self._scrollTo("reportSection")
        host.settle(0.5)
        self._window("correct-accepted")
        self._click("reviewEditButton")
        ui.resultsSection.collapsed = False

    def _liverInLesion(self, centre: list) -> tuple:
        """A point (RAS, mm) of the tumor as dense as the liver, in the slice through the point given."""
        from LiverSegSlicer.scene import roles

        volume, node = self._panel.parameters.inputVolume, self._panel.parameters.segmentation
        toIJK = vtk.vtkMatrix4x4()
        volume.GetRASToIJKMatrix(toIJK)
        k = round(toIJK.MultiplyPoint((*centre, 1.0))[2])
        tumor = (
            slicer.util.arrayFromSegmentBinaryLabelmap(node, roles.segmentNamed(node, "tumor"), volume)[k] > 0
        )
        hu = ndimage.gaussian_filter(slicer.util.arrayFromVolume(volume)[k].astype(float), 1.0)
        away = ndimage.distance_transform_edt(hu < LIPIODOL_HU)
        j, i = np.unravel_index(np.argmax(np.where(tumor, away, 0)), away.shape)
        return view_mouse.ras_of_voxel(volume, (float(i), float(j), float(k)))

    def _corrected(self) -> None:
        """Wait until the clicks are worked off and measured."""
        host.settle(0.2)
        host.waitFor(lambda: not self._corrector.isBusy(), LIMIT_S)
        host.settle(0.6)
        host.waitFor(lambda: not self._panel.ui.editedWidget.visible, LIMIT_S)

    def _clickLesion(self) -> None:
        self._clickCell(unwrap(self._panel.ui.lesionsTable), LESION_ROW)

    def _clickCell(self, table, row: int) -> None:
        position = table.visualItemRect(table.item(row, 1)).center()
        QTest.mouseClick(table.viewport(), QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, position)
        host.settle(0.5)

    def _scrollTo(self, name: str) -> None:
        """Bring the top of a section to the top of the panel."""
        section = area = unwrap(getattr(self._panel.ui, name))
        while not isinstance(area, QtWidgets.QScrollArea):
            area = area.parentWidget()
        top = section.mapTo(area.widget(), QtCore.QPoint(0, 0)).y()
        area.verticalScrollBar().setValue(top)

    def _click(self, name: str) -> None:
        QTest.mouseClick(unwrap(getattr(self._panel.ui, name)), QtCore.Qt.LeftButton)

    def _window(self, name: str) -> None:
        host.settle(0.5)
        self._save(host.mainWindow.grab(), name)

    def _save(self, picture, name: str) -> None:
        """Save as PNG with a palette: small, and no colour of a panel or CT is missed."""
        path = self._folder / f"{name}.png"
        picture.save(str(path))
        with Image.open(path) as full:
            reduced = full.convert("RGB").quantize(256, kmeans=3, dither=Image.Dither.NONE)
        reduced.save(path, optimize=True)
        print(f"{path.name}: {path.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures")
