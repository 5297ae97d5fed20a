"""Names of qt, ctk, slicer, vtk and slicer.util that a supported release does not have."""

import ast
from typing import Iterator, List, Set

from ..facts import RELEASES, SUBMODULES, Facts
from ..findings import Finding
from ..objects import MODULES
from ..source import Source, call_of, dotted, full_name, imported_names
from ..ui_files import in_releases
from .loading import file_scope


def check_names(source: Source, facts: Facts) -> Iterator[Finding]:
    """``qt.QLabel``, ``slicer.util.loadVolume(...)``, ``from slicer import x``: does each release know it?"""
    imports = imported_names(source.tree)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.level > 0:
            yield from _check_own_import(source, node)
        elif isinstance(node, ast.ImportFrom):
            yield from _check_import(source, node, facts)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _check_submodule(source, node, alias.name)
        elif isinstance(node, ast.Attribute):
            full = full_name(dotted(node), imports)
            parts = full.split(".")
            if len(parts) == 2 and parts[0] in MODULES:
                yield from _report(source, node, full, _lacking(facts, parts[0], parts[1]))
            elif len(parts) == 3 and parts[:2] == ["slicer", "util"]:
                yield from _report(source, node, full, facts.lacking_util(parts[2]))
                yield from _check_keywords(source, node, parts[2], facts)
        elif isinstance(node, ast.Name) and imports.get(node.id, "").startswith("slicer.util."):
            yield from _check_keywords(source, node, imports[node.id].split(".")[-1], facts)


def _check_import(source: Source, node: ast.ImportFrom, facts: Facts) -> Iterator[Finding]:
    module = node.module or ""
    yield from _check_submodule(source, node, module)
    for alias in node.names:
        if alias.name == "*":
            continue
        if module in MODULES:
            yield from _report(source, node, f"{module}.{alias.name}", _lacking(facts, module, alias.name))
        elif module == "slicer.util":
            yield from _report(source, node, f"{module}.{alias.name}", facts.lacking_util(alias.name))


def _check_own_import(source: Source, node: ast.ImportFrom) -> Iterator[Finding]:
    """``from .room import name``: is there such a file, and does it have that name?"""
    folder = source.path.resolve().parents[node.level - 1]
    base = folder.joinpath(*node.module.split(".")) if node.module else folder
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    if not path.is_file() and not base.is_dir():
        yield Finding(source.name, node.lineno, "name", f"there is no {base.name}.py to import from")
        return
    known = defined_names(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else set()
    for alias in node.names:
        is_file = base.is_dir() and ((base / alias.name).is_dir() or (base / f"{alias.name}.py").is_file())
        if alias.name != "*" and alias.name not in known and not is_file and "__getattr__" not in known:
            yield Finding(source.name, node.lineno, "name", f"{path.name} has no {alias.name}")


def defined_names(tree: ast.Module) -> Set[str]:
    """What a file defines or imports at file scope, also inside if and try."""
    names: Set[str] = set()
    for node in file_scope(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
        else:
            names.update(
                n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            )
    return names


def _check_submodule(source: Source, node: ast.AST, module: str) -> Iterator[Finding]:
    package, _, name = module.partition(".")
    if package == "slicer" and name:
        name = name.split(".")[0]
        having = SUBMODULES.get(name, ())
        yield from _report(source, node, f"slicer.{name}", [r for r in RELEASES if r not in having])


def _lacking(facts: Facts, module: str, name: str) -> List[str]:
    if module == "slicer" and name in SUBMODULES:
        return [release for release in RELEASES if release not in SUBMODULES[name]]
    if module == "vtk" and not name.startswith(("vtk", "VTK_")):
        return []  # vtk.util and the like: Python packages
    return facts.lacking_class(module, name)


def _report(source: Source, node: ast.AST, name: str, lacking: List[str]) -> Iterator[Finding]:
    some = len(lacking) < len(RELEASES)
    if lacking and not (some and source.is_guarded(node, name.split(".")[-1])):
        yield Finding(source.name, node.lineno, "name", f"{name} is not in {in_releases(lacking)}")


def _check_keywords(source: Source, node: ast.AST, function: str, facts: Facts) -> Iterator[Finding]:
    call, known = call_of(source, node), facts.util_keywords(function)
    if call is None or known is None:
        return
    for keyword in call.keywords:
        if keyword.arg and keyword.arg not in known:
            message = f"slicer.util.{function} takes no {keyword.arg} in every release"
            yield Finding(source.name, node.lineno, "keyword", message)
