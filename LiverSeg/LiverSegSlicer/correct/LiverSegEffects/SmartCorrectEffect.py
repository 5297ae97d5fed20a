"""The Segment Editor effect "LiverSeg smart correct". Slicer loads it from here: file and class bear the same
name, the folder's is that of the module. What it does is in LiverSegSlicer.correct.smart_correct.
"""

# lint: allow import Slicer's Segment Editor loads this file, and brings the class that it is derived from
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect


class SmartCorrectEffect(AbstractScriptedSegmentEditorEffect):
    """Passes on what Slicer tells an effect; Slicer prints exceptions, so those are reported before."""

    def __init__(self, scriptedEffect):
        from LiverSegSlicer.correct.effect import NAME
        from LiverSegSlicer.correct.smart_correct import SmartCorrect

        scriptedEffect.name = NAME
        scriptedEffect.perSegment = True
        scriptedEffect.requireSegments = True
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        self.smartCorrect = SmartCorrect(scriptedEffect, self.xyToRas)

    def clone(self):
        import qSlicerSegmentationsEditorEffectsPythonQt as effects

        clonedEffect = effects.qSlicerSegmentEditorScriptedEffect(None)
        clonedEffect.setPythonSource(__file__.replace("\\", "/"))
        return clonedEffect

    def icon(self):
        from LiverSegSlicer.correct.options import effectIcon

        return effectIcon()

    def createCursor(self, viewWidget):
        from LiverSegSlicer.correct.options import effectCursor

        return effectCursor()

    def helpText(self):
        from LiverSegSlicer.correct.options import helpText

        return helpText()

    def setupOptionsFrame(self):
        self.smartCorrect.setUp()

    def setMRMLDefaults(self):
        self.smartCorrect.setDefaults()

    def updateGUIFromMRML(self):
        self.smartCorrect.show()

    def updateMRMLFromGUI(self):
        pass  # every widget writes its own parameter

    def activate(self):
        self.smartCorrect.activate()

    def deactivate(self):
        self.smartCorrect.deactivate()

    def cleanup(self):
        self.smartCorrect.cleanUp()

    def processInteractionEvents(self, callerInteractor, eventId, viewWidget):
        return self.smartCorrect.processEvent(callerInteractor, eventId, viewWidget)
