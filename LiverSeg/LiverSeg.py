"""LiverSeg in 3D Slicer: liver, spleen and liver tumours from an abdominal CT, segmented and measured."""

import os
import sys

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from LiverSegSlicer import places
from LiverSegSlicer.logic import Logic
from LiverSegSlicer.parameters import LiverSegParameters
from LiverSegSlicer.slots import guarded


class LiverSeg(ScriptedLoadableModule):
    """What Slicer's module list knows of LiverSeg."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("LiverSeg")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["LiverSeg contributors"]
        self.parent.helpText = _(
            "Choose an abdominal CT and press Segment: liver, spleen and liver tumors appear as a"
            " segmentation, with volumes, tumor burden, a lesion table and a report. Everything is computed"
            " on this computer. For research use only; not for diagnosis or treatment."
        )
        self.parent.acknowledgementText = _(
            "The bundled scan comes from HCC-TACE-Seg of The Cancer Imaging Archive"
            " (doi:10.7937/TCIA.5FNA-0924). The model's description lists the data sets that it was trained"
            " on, each with its licence and citation: please cite them too."
        )
        icon = os.path.join(str(places.resourceFolder()), "Icons", "LiverSeg.png")
        if os.path.isfile(icon):
            self.parent.icon = qt.QIcon(icon)
        slicer.app.connect("startupCompleted()", guarded(_register))


def _register() -> None:
    """Tell Slicer of our sample scan and our Segment Editor effect."""
    from LiverSegSlicer.correct.effect import registerEffect
    from LiverSegSlicer.sample_data import registerSampleData

    registerSampleData()
    registerEffect()


class LiverSegWidget(ScriptedLoadableModuleWidget):
    """Holds the panel; LiverSegSlicer.panel.panel.Panel is what it does."""

    def __init__(self, parent=None):
        self.panel = None
        self.logic = None
        ScriptedLoadableModuleWidget.__init__(self, parent)

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        from LiverSegSlicer.panel.panel import Panel

        uiWidget = slicer.util.loadUI(os.path.join(str(places.resourceFolder()), "UI", "LiverSeg.ui"))
        self.layout.addWidget(uiWidget)
        self.logic = LiverSegLogic()  # where slicer.util.getModuleLogic looks for it
        self.panel = Panel(uiWidget, self.logic)
        _register()  # a module that is added to a running Slicer has missed its startup

        # Slicer tells a panel that it enters, but not the new one of a module that is reloaded while shown.
        if getattr(self.parent, "isEntered", True):
            self.enter()

    def enter(self):
        if self.panel is not None:
            guarded(self.panel.enter)()

    def exit(self):
        if self.panel is not None:
            guarded(self.panel.exit)()

    def cleanup(self):
        if self.panel is not None:
            self.panel.close()
            self.panel = None

    def onReload(self):
        from LiverSegSlicer.work.worker_process import endSharedWorker

        self.cleanup()
        endSharedWorker()
        # Slicer reloads this file alone; the files behind it are read anew when they are imported again.
        for name in [name for name in sys.modules if name.split(".")[0] in ("LiverSegSlicer", "LiverSegLib")]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)


class LiverSegLogic(Logic, ScriptedLoadableModuleLogic):
    """Segments volumes, measures, reports; needs no panel and no main window.

    ``segmentationNode = LiverSegLogic().segment(volumeNode)``
    """

    def __init__(self, parent=None):
        ScriptedLoadableModuleLogic.__init__(self, parent)
        Logic.__init__(self)

    def getParameterNode(self):
        """The scene's LiverSegParameters, made if there are none."""
        return LiverSegParameters(ScriptedLoadableModuleLogic.getParameterNode(self))


class LiverSegTest(ScriptedLoadableModuleTest):
    """Tests LiverSeg in the running Slicer with the bundled scan; needs no network."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        from LiverSegSlicer.selftest import SelfTest

        self.setUp()
        SelfTest(self, LiverSegLogic()).run()
