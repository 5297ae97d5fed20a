"""What happens when a file of the module is loaded: imports and effects."""

import ast
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Tuple

from ..findings import Finding
from ..source import Source, dotted

BUNDLED = {"SimpleITK", "ctk", "numpy", "qt", "scipy", "slicer", "vtk", "LiverSegSlicer"}
"""What may be imported at file scope, beside the standard library."""
NEVER = {
    "torch": "it belongs in the child process",
    "torchvision": "it belongs in the child process",
    "monai": "nothing in Slicer needs it",
    "nnunetv2": "nothing in Slicer needs it",
    **dict.fromkeys(
        ("aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "ssl", "urllib"),
        "the module opens no network connection",
    ),
}
"""What no file of the module imports, not even in a function."""
HEAVY = {"PIL", "pydicom", "rich", "torch", "typer", "vtk", "vtkmodules", "monai"}
"""What a module of the core that is imported at file scope must not load."""
STANDARD = set(getattr(sys, "stdlib_module_names", ())) | {"__future__"}

PURE_CALLS = {
    "Path", "TypeVar", "_", "dict", "field", "float", "frozenset", "int", "len", "list",
    "logging.getLogger", "namedtuple", "range", "re.compile", "set", "sorted", "str", "struct.Struct",
    "timedelta", "translate", "tuple",
}  # fmt: skip
"""Calls at file scope that do nothing but make a value."""


def check_loading(source: Source, core: Optional[Path]) -> Iterator[Finding]:
    """Imports and effects of one file. ``core``: the folder LiverSegLib, None if it is not at hand."""
    for node in ast.walk(source.tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _check_import(source, node, core)
    for node in file_scope(source.tree):
        message = _effect(node)
        if message:
            yield Finding(source.name, node.lineno, "effect", message)


def _check_import(source: Source, node: ast.AST, core: Optional[Path]) -> Iterator[Finding]:
    at_file_scope = _runs_at_load(source, node)
    for module in imported_modules(node):
        head = module.split(".")[0]
        if head in NEVER:
            yield Finding(source.name, node.lineno, "import", f"{head} must not be imported: {NEVER[head]}")
        elif not at_file_scope or head in STANDARD:
            continue
        elif head == "LiverSegLib":
            loaded = core and loads_heavy(core, module)
            if loaded:
                message = f"{module} loads {loaded}: import it where it is used"
                yield Finding(source.name, node.lineno, "import", message)
        elif head not in BUNDLED:
            message = f"{head} may be missing: import it where it is used"
            yield Finding(source.name, node.lineno, "import", message)


def imported_modules(node: ast.AST) -> List[str]:
    """The modules that an import statement names, relative ones left out."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
        if node.module == "LiverSegLib":
            return [f"{node.module}.{alias.name}" for alias in node.names]
        return [node.module]
    return []


def _runs_at_load(source: Source, node: ast.AST) -> bool:
    for outer in source.above(node):
        if isinstance(outer, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return False
        if isinstance(outer, ast.If) and "TYPE_CHECKING" in ast.unparse(outer.test):
            return False
    return True


def loads_heavy(core: Path, module: str) -> str:
    """The first heavy package that loading a module of the core loads too, empty if none."""
    seen: Set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        if name.split(".")[0] in HEAVY:
            return name.split(".")[0]
        if name in seen or not name.startswith("LiverSegLib"):
            continue
        seen.add(name)
        pending.extend(_loaded_by(core, name))
    return ""


_LOADED: Dict[Tuple[Path, str], List[str]] = {}


def _loaded_by(core: Path, module: str) -> List[str]:
    """The modules that a module of the core imports when it is loaded, and the package it lies in."""
    if (core, module) not in _LOADED:
        base = core.joinpath(*module.split(".")[1:])
        path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        found = [module.rpartition(".")[0]] if module.count(".") > 1 else []
        if path.is_file():
            package = module if base.is_dir() else module.rpartition(".")[0]
            found.extend(_imports_at_load(ast.parse(path.read_text(encoding="utf-8")), package))
        _LOADED[core, module] = found
    return _LOADED[core, module]


def _imports_at_load(tree: ast.Module, package: str) -> Iterator[str]:
    for node in file_scope(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join(parts + ([node.module] if node.module else []))
            yield module
            if module.startswith("LiverSegLib"):
                yield from (f"{module}.{alias.name}" for alias in node.names)


def file_scope(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when a file is loaded, those of classes and inside if and try among them."""
    pending: List[ast.stmt] = list(reversed(tree.body))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ("TYPE_CHECKING" in ast.unparse(node.test) or _is_main(node)):
            pending.extend(reversed(node.orelse))
            continue
        yield node
        for part in ("body", "orelse", "finalbody", "handlers"):
            if isinstance(node, (ast.If, ast.Try, ast.ClassDef)):
                for inner in reversed(getattr(node, part, [])):
                    pending.extend(reversed(inner.body) if isinstance(inner, ast.ExceptHandler) else [inner])


def _is_main(node: ast.If) -> bool:
    return "__main__" in ast.unparse(node.test)


def _effect(node: ast.stmt) -> str:
    if isinstance(node, (ast.For, ast.While, ast.With, ast.AsyncFor, ast.AsyncWith, ast.Delete)):
        return "a loop or a with runs when the file is loaded"
    if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
        return f"{ast.unparse(node.value)[:60]} runs when the file is loaded"
    if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if not all(isinstance(target, (ast.Name, ast.Tuple)) for target in targets):
            return f"{ast.unparse(targets[0])} is changed when the file is loaded"
        for call in ast.walk(node.value) if node.value else ():
            if isinstance(call, ast.Call) and not _is_pure(call):
                return f"{ast.unparse(call)[:60]} runs when the file is loaded"
    return ""


def _is_pure(call: ast.Call) -> bool:
    name = dotted(call.func)
    if name.split(".")[0] in ("np", "numpy"):
        return True
    if name in PURE_CALLS or name.split(".")[-1] in PURE_CALLS:
        return True
    if isinstance(call.func, ast.Attribute) and call.func.attr in (
        "resolve",
        "join",
        "format",
        "split",
        "with_suffix",
    ):
        return True
    # making one of our own data classes, and asking one of our own constants, is harmless
    return name[:1].isupper()
