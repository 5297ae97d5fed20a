"""The arrows between the rooms of the module (docs/developers.md), held by reading its imports."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Tuple

from room_tables import arrows_upwards, rooms_and_what_they_import

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "LiverSeg" / "LiverSegSlicer"

ROOMS = rooms_and_what_they_import("LiverSeg/LiverSegSlicer/")
"""Room -> the other rooms that it may import, as docs/developers.md says."""
WIDGETS = {"correct", "panel", "selftest_hand", "selftest_panel"}
"""Rooms that may touch Qt's widgets; the others take from Qt timers, processes and colors."""


def room_of(path: Path) -> str:
    return path.relative_to(MODULE).with_suffix("").parts[0]


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


def test_every_room_of_the_module_stands_in_the_map():
    assert {room_of(path) for path in MODULE.rglob("*.py")} - {"__init__"} == set(ROOMS)


def test_rooms_of_the_module_import_only_what_the_map_allows():
    wrong = [
        f"{path.relative_to(MODULE)}:{line} {room}"
        for path in MODULE.rglob("*.py")
        for room, line in imports(path)
        if room_of(path) in ROOMS and room not in ROOMS[room_of(path)]
    ]
    assert not wrong


def test_no_arrow_of_the_map_runs_upwards():
    assert not arrows_upwards(ROOMS)


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


def test_opening_the_module_loads_nothing_of_the_core_that_takes_long():
    """SciPy and SimpleITK take a second to load, in which Slicer's start would wait."""
    needed = set()
    for path in MODULE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "LiverSegLib":
                needed.update(f"from {node.module} import {alias.name}" for alias in node.names)
    heavy = "{'SimpleITK', 'scipy', 'torch', 'vtk', 'PIL', 'pydicom'}"
    code = "; ".join(["import sys", *sorted(needed), f"print(sorted({heavy} & set(sys.modules)))"])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=str(ROOT))
    assert run.stdout.strip() == "[]", run.stderr
