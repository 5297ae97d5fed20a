"""The list of the effects that every segment editor offers, and the modules in which Python finds them."""

import sys
import types
from typing import Any, Dict, List, Optional

from PySide6 import QtCore

from . import facts
from .effect_base import qSlicerSegmentEditorAbstractEffect
from .effect_paint import BUILT_IN
from .effect_python_base import AbstractScriptedSegmentEditorEffect
from .qt_module import class_of_slicer
from .recorder import recorder
from .registry import replace_function, slicer_class

Effect = qSlicerSegmentEditorAbstractEffect


@slicer_class
class qSlicerSegmentEditorEffectFactory(QtCore.QObject):
    """Effects are registered here once a session; each editor works with copies of its own."""

    effectRegistered = QtCore.Signal(str)
    _instance: Optional["qSlicerSegmentEditorEffectFactory"] = None

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._registered: Dict[str, Effect] = {}

    def registeredEffects(self) -> List[Effect]:
        return list(self._registered.values())

    def registerEffect(self, effect: Effect) -> bool:
        name = effect.property("name") if effect is not None else ""
        if not name:
            recorder.violation("registerEffect: no effect, or one without a name")
            return False
        if name in self._registered:
            return False
        self._registered[name] = effect
        self.effectRegistered.emit(name)
        return True

    def copyEffects(self, known: List[Effect]) -> List[Effect]:
        """Copies of the registered effects that are not among `known` (in Slicer they are added to it)."""
        names = {effect.property("name") for effect in known}
        copies = [effect.clone() for name, effect in self._registered.items() if name not in names]
        return [copy for copy in copies if copy is not None]

    def forget(self, name: str) -> None:
        """For tests: an effect that was registered is gone, for editors made from now on."""
        self._registered.pop(name, None)

    def instance(self) -> "qSlicerSegmentEditorEffectFactory":
        return factory()


def factory() -> qSlicerSegmentEditorEffectFactory:
    """The one factory, which has Slicer's own effects from the beginning."""
    made = qSlicerSegmentEditorEffectFactory._instance
    if made is None:
        made = qSlicerSegmentEditorEffectFactory._instance = qSlicerSegmentEditorEffectFactory()
        for make in BUILT_IN:
            made.registerEffect(make())
    return made


def _instance() -> Any:
    from .pythonqt import wrap

    return wrap(factory())


replace_function("qSlicerSegmentEditorEffectFactory", "instance", _instance)


def install_modules() -> None:
    """Makes `import qSlicerSegmentationsEditorEffectsPythonQt`, `qSlicerSegmentationsModuleWidgetsPythonQt`
    and `SegmentEditorEffects` work.
    """
    for name, prefixes in (
        ("qSlicerSegmentationsEditorEffectsPythonQt", ("qSlicerSegmentEditor",)),
        ("qSlicerSegmentationsModuleWidgetsPythonQt", ("qMRMLSegment",)),
    ):
        module = types.ModuleType(name)
        for title in facts.widget_classes():
            if title.startswith(prefixes) and not title.endswith(("Plugin", "Decorators")):
                setattr(module, title, class_of_slicer(title))
        sys.modules[name] = module
    _install_package()


def _install_package() -> None:
    """SegmentEditorEffects, where the class hides the module of the same name."""
    base = AbstractScriptedSegmentEditorEffect
    package, inner = types.ModuleType("SegmentEditorEffects"), types.ModuleType(base.__name__)
    package.__path__ = []
    for module in (package, inner):
        setattr(module, base.__name__, base)
    sys.modules["SegmentEditorEffects"] = package
    sys.modules[f"SegmentEditorEffects.{base.__name__}"] = inner
