"""SegmentEditorEffects.AbstractScriptedSegmentEditorEffect: what an effect in Python derives from."""

import math
from typing import Any, List, Sequence

import slicer


class AbstractScriptedSegmentEditorEffect:
    """Keeps the effect's other half, `scriptedEffect`; view positions are plain lists here."""

    def __init__(self, scriptedEffect: Any) -> None:
        self.scriptedEffect = scriptedEffect

    def register(self) -> None:
        slicer.qSlicerSegmentEditorEffectFactory.instance().registerEffect(self.scriptedEffect)

    def rasToXy(self, ras: Sequence[float], viewWidget: Any) -> List[int]:
        import qt

        xy = self.scriptedEffect.rasToXy(qt.QVector3D(*ras[:3]), viewWidget)
        return [xy.x(), xy.y()]

    def xyzToRas(self, xyz: Sequence[float], viewWidget: Any) -> List[float]:
        import qt

        return _listed(self.scriptedEffect.xyzToRas(qt.QVector3D(*xyz[:3]), viewWidget))

    def xyToRas(self, xy: Sequence[int], viewWidget: Any) -> List[float]:
        import qt

        return _listed(self.scriptedEffect.xyToRas(qt.QPoint(*xy[:2]), viewWidget))

    def xyzToIjk(
        self, xyz: Sequence[float], viewWidget: Any, image: Any, parentTransformNode: Any = None
    ) -> List[int]:
        import qt

        vector = qt.QVector3D(*xyz[:3])
        return _whole(self.scriptedEffect.xyzToIjk(vector, viewWidget, image, parentTransformNode))

    def xyToIjk(
        self, xy: Sequence[int], viewWidget: Any, image: Any, parentTransformNode: Any = None
    ) -> List[int]:
        import qt

        point = qt.QPoint(*xy[:2])
        return _whole(self.scriptedEffect.xyToIjk(point, viewWidget, image, parentTransformNode))

    def setWidgetMinMaxStepFromImageSpacing(self, spinbox: Any, imageData: Any) -> None:
        if not imageData:
            return
        step = 10 ** math.floor(math.log10(min(imageData.GetSpacing()) / 10))
        spinbox.minimum = step
        spinbox.maximum = 10 ** math.ceil(math.log10(max(imageData.GetSpacing()) * 100))
        spinbox.singleStep = step
        spinbox.decimals = max(-math.floor(math.log10(step)), 0)


def _listed(vector: Any) -> List[float]:
    return [vector.x(), vector.y(), vector.z()]


def _whole(vector: Any) -> List[int]:
    return [int(value) for value in _listed(vector)]
