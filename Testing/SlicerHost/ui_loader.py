"""qt.QUiLoader with Slicer's widgets, reporting what real Slicer would silently drop from a .ui file."""

import os
import tempfile
import xml.etree.ElementTree as ElementTree
from typing import Any, List, Optional, Set

from PySide6 import QtCore, QtUiTools, QtWidgets

from . import facts, qt_members, registry
from .recorder import recorder
from .signals import normalized


class HostUiLoader(QtUiTools.QUiLoader):
    """Loads a .ui file. A widget or property that Slicer does not know, and a connection that cannot work,
    are problems.
    """

    slicerName = "QUiLoader"
    _registered: Set[type] = set()
    """Classes that all loaders know: PySide6 keeps one list for the process."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        for cls in registry.all_classes().values():
            if issubclass(cls, QtWidgets.QWidget) and cls not in self._registered:
                self.registerCustomWidget(cls)
                self._registered.add(cls)

    def load(self, source: Any, parent: Optional[QtWidgets.QWidget] = None) -> Optional[QtWidgets.QWidget]:
        path = source.fileName()
        root = ElementTree.parse(path).getroot()
        for element in root.iter("widget"):
            _check_widget(path, element)
        connections = root.find("connections")
        wanted = list(connections) if connections is not None else []
        if connections is not None:
            root.remove(connections)
        widget = self._load_tree(root, parent)
        if widget is not None:
            for connection in wanted:
                _make_connection(path, widget, connection)
        return widget

    def _load_tree(self, root: ElementTree.Element, parent: Any) -> Optional[QtWidgets.QWidget]:
        with tempfile.NamedTemporaryFile("wb", suffix=".ui", delete=False) as copy:
            ElementTree.ElementTree(root).write(copy)
        try:
            return super().load(copy.name, parent)
        finally:
            os.unlink(copy.name)


def _check_widget(path: str, element: ElementTree.Element) -> None:
    title, name = element.get("class"), element.get("name")
    place = f"{os.path.basename(path)}: {title} {name}"
    if facts.is_widget_class(title):
        if registry.find(title) is None:
            raise NotImplementedError(
                f"{place}: real in Slicer {facts.release()}, the host has no such widget"
            )
    elif facts.listed_names("qt", title) is None:
        recorder.violation(f"{place}: Slicer {facts.release()} has no such widget")
    for stated in element.findall("property"):
        dynamic = stated.get("stdset") == "0"
        if not dynamic and not _has_property(title, stated.get("name")):
            recorder.violation(f"{place}: no property '{stated.get('name')}' in Slicer {facts.release()}")


def _has_property(title: str, name: str) -> bool:
    if facts.property_facts(title, name) is not None:
        return True
    base = facts.qt_base(title)
    return name in qt_members.members(base).properties and facts.exposes(base, name)


def _make_connection(path: str, root: QtWidgets.QWidget, element: ElementTree.Element) -> None:
    texts = {part: element.findtext(part) for part in ("sender", "signal", "receiver", "slot")}
    shown = "{sender}.{signal} -> {receiver}.{slot}".format(**texts)
    sender, receiver = _find(root, texts["sender"]), _find(root, texts["receiver"])
    faults = []
    if sender is None or receiver is None:
        faults.append("no such widget")
    else:
        if not _has_signal(sender, normalized(texts["signal"])):
            faults.append(f"no such signal in Slicer {facts.release()}")
        if not _has_slot(receiver, normalized(texts["slot"])):
            faults.append(f"no such slot in Slicer {facts.release()}")
        if not _arguments_agree(texts["signal"], texts["slot"]):
            faults.append("signal and slot have different arguments")
    if faults:
        recorder.violation(f"{os.path.basename(path)}: broken connection {shown}: {', '.join(faults)}")
        return
    signal = getattr(sender, texts["signal"].split("(")[0])
    slot = getattr(receiver, texts["slot"].split("(")[0])
    count = len(_arguments(texts["slot"]))
    signal.connect(lambda *arguments: slot(*arguments[:count]))


def _find(root: QtWidgets.QWidget, name: str) -> Optional[QtCore.QObject]:
    return root if root.objectName() == name else root.findChild(QtCore.QObject, name)


def _arguments(signature: str) -> List[str]:
    inside = normalized(signature).split("(")[1].rstrip(")")
    return inside.split(",") if inside else []


def _arguments_agree(signal: str, slot: str) -> bool:
    return _arguments(slot) == _arguments(signal)[: len(_arguments(slot))]


def _has_signal(sender: QtCore.QObject, signature: str) -> bool:
    from .pythonqt import slicer_name

    title = slicer_name(type(sender))
    return facts.has_signal(title, signature) or _in_qt(title, signature)


def _has_slot(receiver: QtCore.QObject, signature: str) -> bool:
    from .pythonqt import slicer_name

    title = slicer_name(type(receiver))
    name, wanted = signature.split("(")[0], _arguments(signature)
    for types in facts.slot_signatures(title, name):
        if [normalized(f"f({kind})")[2:-1] for kind in types] == wanted:
            return True
    return _in_qt(title, signature)


def _in_qt(title: str, signature: str) -> bool:
    base = facts.qt_base(title)
    return signature in qt_members.members(base).signatures and facts.exposes(base, signature.split("(")[0])


registry.slicer_class(HostUiLoader)
