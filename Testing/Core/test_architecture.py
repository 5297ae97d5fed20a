"""The arrows between the rooms (docs/developers.md), held by reading every import of LiverSegLib."""

import ast
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Tuple

import pytest
from room_tables import arrows_upwards, rooms_and_what_they_import

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "LiverSegLib"

FORBIDDEN = {"slicer", "qt", "ctk", "PythonQt", "mrml", "PySide6"}
"""Slicer's and Qt's modules: the core runs without them."""
NETWORK = {
    "socketserver",
    "ssl",
    "socket",
    "urllib",
    "http",
    "ftplib",
    "smtplib",
    "requests",
    "aiohttp",
    "httpx",
    "dicomweb_client",
}
"""No image leaves the machine."""
CONNECTED = {
    "dicomweb": {"requests", "urllib", "ssl", "dicomweb_client"},
    "server": {"http", "socket", "ssl", "urllib"},
}
"""Room -> what it may import of the network all the same: it opens connections when the user asks for one."""
ANYWHERE = {"numpy", "SimpleITK", "scipy"}
"""What every room may import at file scope, beside the standard library: 3D Slicer bundles it."""
STANDARD = set(getattr(sys, "stdlib_module_names", ())) | {"__future__"}

ALLOWED = {
    "networks": {"torch"},
    "training": {"torch", "monai", "lightning", "pydantic", "yaml", "optuna"},
    "cli": {"typer", "rich"},
    "report": {"PIL"},
    "explain": {"torch", "PIL"},
}
"""Room -> what it may import at file scope beyond ANYWHERE."""

USERS = [
    ({"torch"}, {"networks", "training", "inference", "models", "explain"}),
    ({"openvino", "onnxruntime"}, {"inference"}),
    ({"vtk", "vtkmodules"}, {"surfaces"}),
    ({"typer", "rich"}, {"cli"}),
    ({"PIL"}, {"report", "surfaces", "explain", "cohort"}),
    ({"monai"}, {"training", "networks", "evaluation"}),
    ({"lightning", "optuna", "pydantic", "tensorboard"}, {"training"}),
    ({"yaml"}, {"training", "models"}),
    ({"matplotlib"}, {"evaluation", "training", "cohort"}),
    ({"dask", "dask_jobqueue", "distributed"}, {"cohort", "cli"}),
    ({"pandas", "pyarrow"}, {"cohort"}),
    ({"statsmodels"}, {"evaluation"}),
    ({"dicomweb_client", "requests"}, {"dicomweb"}),
    ({"fastapi", "starlette", "uvicorn"}, {"server"}),
]
"""Modules -> the only rooms that may import them, be it inside a function."""

ROOMS = rooms_and_what_they_import("LiverSegLib/")
"""Room -> the rooms of the core that it may import, as docs/developers.md says."""


class Import(NamedTuple):
    """One import statement: the module named, its line, whether it runs when the file is loaded."""

    module: str
    line: int
    at_file_scope: bool


def files() -> List[Path]:
    return sorted(CORE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The room that a file belongs to: the folder or, for a file that is a room of its own, its name."""
    return path.relative_to(CORE).with_suffix("").parts[0]


def violations(wrong: Callable[[Path, Import], bool]) -> List[str]:
    """The imports of the core that are wrong, as file:line and module."""
    return [f"{place(p)}:{i.line} {i.module}" for p in files() for i in imports(p) if wrong(p, i)]


def place(path: Path) -> str:
    return path.relative_to(CORE).as_posix()


@lru_cache(maxsize=None)
def imports(path: Path) -> Tuple[Import, ...]:
    """The imports of a file, which is read once for all tests."""
    return tuple(found_imports(path))


def found_imports(path: Path) -> Iterator[Import]:
    """Every import of a file, relative ones made absolute, but those under TYPE_CHECKING, which never run."""
    package = ("LiverSegLib", *path.relative_to(CORE).parent.parts)
    pending: List[Tuple[ast.AST, bool]] = [(ast.parse(path.read_text(encoding="utf-8")), True)]
    while pending:
        node, top = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, top)
        elif isinstance(node, ast.ImportFrom):
            parts = list(package[: len(package) - node.level + 1]) if node.level else []
            base = ".".join(parts + ([node.module] if node.module else []))
            if base == "LiverSegLib":
                for alias in node.names:
                    yield Import(f"{base}.{alias.name}", node.lineno, top)
            else:
                yield Import(base, node.lineno, top)
        inner = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        pending.extend((child, top and not inner) for child in ast.iter_child_nodes(node))


def head(module: str) -> str:
    return module.split(".")[0]


def room(module: str) -> str:
    """The room of the core that a module belongs to; empty for the package itself and for others."""
    package, _, rest = module.partition(".")
    return head(rest) if package == "LiverSegLib" else ""


def test_core_knows_neither_slicer_nor_qt_nor_the_network():
    def forbidden(path: Path, imported: Import) -> bool:
        allowed = CONNECTED.get(room_of(path), set())
        return head(imported.module) in (FORBIDDEN | NETWORK) - allowed

    assert not violations(forbidden)


def test_no_room_is_loaded_that_opens_connections_unless_it_is_asked_for():
    code = (
        "import sys, LiverSegLib.api, LiverSegLib.worker.server, LiverSegLib.cli.app\n"
        f"rooms = ['LiverSegLib.' + name for name in {sorted(CONNECTED)!r}]\n"
        "print([name for name in sys.modules if name.startswith(tuple(rooms)) and '_texts' not in name])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=str(ROOT))
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def test_worker_that_knows_servers_loads_nothing_that_opens_connections_until_one_is_asked():
    code = (
        "import sys, LiverSegLib.server.__main__\n"
        "print(sorted(name for name in sys.modules if name.startswith('LiverSegLib.server.')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=str(ROOT))
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "['LiverSegLib.server.__main__', 'LiverSegLib.server.servers']"


@pytest.mark.skipif(
    not hasattr(sys, "stdlib_module_names"), reason="Python 3.9 cannot list its standard library"
)
def test_file_scope_imports_only_what_every_host_has():
    def extra(path: Path, imported: Import) -> bool:
        allowed = STANDARD | ANYWHERE | {"LiverSegLib"} | ALLOWED.get(place(path).split("/")[0], set())
        return imported.at_file_scope and head(imported.module) not in allowed

    assert not violations(extra)


@pytest.mark.parametrize("modules, rooms", USERS, ids=lambda value: "-".join(sorted(value)))
def test_only_their_rooms_use(modules, rooms):
    assert not violations(
        lambda path, imported: head(imported.module) in modules and room_of(path) not in rooms,
    )


def test_every_room_stands_in_the_map():
    assert {room_of(path) for path in files()} - {"__init__"} == set(ROOMS)


def test_rooms_import_only_what_the_map_allows():
    def forbidden(path: Path, imported: Import) -> bool:
        here, there = room_of(path), room(imported.module)
        return here in ROOMS and there not in ROOMS[here] | {"", "__version__"}

    assert not violations(forbidden)


def test_no_arrow_of_the_map_runs_upwards():
    assert not arrows_upwards(ROOMS)


def test_core_is_python_3_9():
    for path in files():
        ast.parse(path.read_text(encoding="utf-8"), filename=place(path), feature_version=(3, 9))


def test_nothing_runs_when_a_file_is_loaded():
    """A statement at file scope that is only a call, or a loop, does something; loading a file should not."""
    found = []
    for path in files():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            if call or isinstance(node, (ast.For, ast.While, ast.With)):
                found.append(f"{place(path)}:{node.lineno}")
    assert not found


def test_every_file_says_what_it_is_for():
    assert not [place(p) for p in files() if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))]


def test_importing_liverseg_loads_neither_torch_nor_vtk():
    rooms = "api explain models images measure steatosis outputs surfaces worker.server".split()
    rooms += "evaluation.difference_plot inference.stage inference.label".split()
    rooms += "surfaces.files surfaces.inside surfaces.meshing surfaces.rendering".split()
    code = (
        f"import sys, {', '.join('LiverSegLib.' + name for name in rooms)}\n"
        "lazy = 'torch vtk vtkmodules PIL pydicom typer rich matplotlib statsmodels pandas'.split()\n"
        "lazy += ['openvino', 'onnxruntime']\n"
        "print(sorted(set(lazy) & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=str(ROOT))
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def test_the_process_that_draws_loads_little():
    """It starts for every picture: SimpleITK and scipy would take longer to load than the picture to draw."""
    code = (
        "import sys, LiverSegLib.surfaces.draw\n"
        "print(sorted({'SimpleITK', 'scipy', 'pandas', 'pydicom'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=str(ROOT))
    assert run.stdout.strip() == "[]", run.stderr


def test_import_reader_sees_relative_lazy_and_type_only_imports(tmp_path, monkeypatch):
    """The tests above are only as good as what reads the imports."""
    monkeypatch.setattr(sys.modules[__name__], "CORE", tmp_path)
    (tmp_path / "room").mkdir()
    path = tmp_path / "room" / "file.py"
    path.write_text(
        "import os.path\nfrom . import near\nfrom ..labels import LIVER\nfrom .. import errors\n"
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\n"
        "try:\n    import vtk\nexcept ImportError:\n    vtk = None\n"
        "def f():\n    import scipy\nclass C:\n    import rich\n"
    )
    found = {(i.module, i.at_file_scope) for i in imports(path)}
    assert found == {
        ("os.path", True),
        ("LiverSegLib.room", True),
        ("LiverSegLib.labels", True),
        ("LiverSegLib.errors", True),
        ("typing", True),
        ("vtk", True),
        ("scipy", False),
        ("rich", True),
    }  # fmt: skip
