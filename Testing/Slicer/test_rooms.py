"""The arrows between the rooms of the module (docs/developers.md), held by reading its imports."""

import ast
from pathlib import Path
from typing import Iterator, Tuple

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "LiverSeg" / "LiverSegSlicer"

EVERYWHERE = {"places", "sentences", "sentence_table", "slots"}
"""What each room may import."""
BELOW = {
    "scene": set(),
    "work": {"scene", "fatty_liver"},
    "fatty_liver": {"scene", "work"},
    "panel": {"scene", "work", "fatty_liver", "parameters"},
    "logic": {"scene", "work", "fatty_liver"},
    "parameters": set(),
    "sample_data": set(),
}
"""Room -> the other rooms that it may import; the self-test may import them all."""
WIDGETS = {"panel", "selftest", "parameters"}
"""Rooms that may touch Qt's widgets; the others take from Qt timers, processes and colors."""


def room_of(path: Path) -> str:
    name = path.relative_to(MODULE).with_suffix("").parts[0]
    return "selftest" if name.startswith("selftest") else name


def imports(path: Path) -> Iterator[Tuple[str, int]]:
    """The rooms that a file imports, with the line."""
    package = ("LiverSegSlicer", *path.relative_to(MODULE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            if base[:1] == ["LiverSegSlicer"]:
                for name in [base[1]] if len(base) > 1 else [alias.name for alias in node.names]:
                    yield name, node.lineno


def test_arrows_between_the_rooms_of_the_module_run_one_way():
    wrong = [
        f"{path.relative_to(MODULE)}:{line} {room}"
        for path in MODULE.rglob("*.py")
        for room, line in imports(path)
        if room_of(path) in BELOW and room not in BELOW[room_of(path)] | EVERYWHERE | {room_of(path)}
    ]
    assert not wrong


def test_qt_widgets_are_the_panels():
    widgets = {
        "QWidget",
        "QLabel",
        "QPushButton",
        "QTableWidgetItem",
        "QHeaderView",
        "QFontMetrics",
        "QSpinBox",
    }
    wrong = [
        f"{path.relative_to(MODULE)}:{node.lineno} qt.{node.attr}"
        for path in MODULE.rglob("*.py")
        if room_of(path) not in WIDGETS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in widgets
    ]
    assert not wrong
