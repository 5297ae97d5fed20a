"""Makes Slicer's Segment Editors know the effect "LiverSeg smart correct"."""

from pathlib import Path

import slicer

NAME = "LiverSeg smart correct"
"""Name of the effect, by which an editor chooses it."""


def registerEffect() -> bool:
    """Register the effect, unless it is; False where this Slicer has no Segment Editor."""
    try:
        import qSlicerSegmentationsEditorEffectsPythonQt as effects
    except ImportError:
        return False
    factory = slicer.qSlicerSegmentEditorEffectFactory.instance()
    if any(effect.name == NAME for effect in factory.registeredEffects()):
        return True
    source = Path(__file__).with_name("LiverSegEffects") / "SmartCorrectEffect.py"
    scriptedEffect = effects.qSlicerSegmentEditorScriptedEffect(None)
    if not scriptedEffect.setPythonSource(source.as_posix()):
        return False
    factory.registerEffect(scriptedEffect)
    return True
