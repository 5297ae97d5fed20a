"""Attributes of objects whose class is known: do they exist, and are they used as what they are?"""

import ast
from typing import Iterator, Mapping, Optional

from ..facts import RELEASES, Facts
from ..findings import Finding
from ..objects import Kind, Objects, is_ui
from ..source import Source, call_of, dotted, text_of
from ..ui_files import in_releases


def check_members(
    source: Source, facts: Facts, objects: Objects, widgets: Mapping[str, str]
) -> Iterator[Finding]:
    """Every attribute of a Qt, CTK, Slicer or VTK object. ``widgets``: object name -> class, from all .ui."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Attribute):
            continue
        if is_ui(node.value) and node.attr not in widgets and not node.attr.startswith("__"):
            yield Finding(source.name, node.lineno, "ui", f"no .ui file has a widget named {node.attr}")
        kind = objects.kind(node.value)
        if kind is not None:
            yield from _check_known(source, node, kind, facts)
        else:
            yield from _check_unknown(source, node, facts, objects)
        yield from _check_return(source, node, kind, facts)
        if node.attr in ("connect", "disconnect"):
            yield from _check_connect(source, node, kind, facts)


def _check_known(source: Source, node: ast.Attribute, kind: Kind, facts: Facts) -> Iterator[Finding]:
    name, member = kind.class_name, node.attr
    if member.startswith("__"):
        return
    lacking = facts.lacking_member(name, member)
    if lacking:
        if not (len(lacking) < len(RELEASES) and source.is_guarded(node, member)):
            code = "property" if isinstance(node.ctx, ast.Store) else "member"
            yield Finding(source.name, node.lineno, code, f"{name} has no {member} in {in_releases(lacking)}")
        return
    if not kind.is_object:
        return
    found = None if facts.is_vtk(name) else facts.property(name, member)
    if found is None and _is_compared(source, node) and not facts.signal_named(name, member):
        message = f"{name}.{member} is a method: call it"
        yield Finding(source.name, node.lineno, "property", message)
    if facts.is_vtk(name):
        return
    if isinstance(node.ctx, ast.Store):
        if found is None:
            message = f"{name}.{member} is no property: it cannot be assigned"
            yield Finding(source.name, node.lineno, "property", message)
        elif not found.writable:
            yield Finding(source.name, node.lineno, "property", f"{name}.{member} cannot be written")
        elif found.type == "int" and _is_float(source.parents[node]):
            message = f"{name}.{member} is an int property: it refuses a float"
            yield Finding(source.name, node.lineno, "property", message)
    elif found is not None and call_of(source, node):
        message = f"{name}.{member} is a property: PythonQt gives its value, which cannot be called"
        yield Finding(source.name, node.lineno, "property", message)


def _check_unknown(source: Source, node: ast.Attribute, facts: Facts, objects: Objects) -> Iterator[Finding]:
    """Of an object of unknown class: a name in VTK's style that no class of VTK or MRML has."""
    member = node.attr
    in_vtk_style = member[0].isupper() and any(c.islower() for c in member)
    root = (dotted(node) or "").split(".")[0]
    if not in_vtk_style or facts.vtk_member(member) or objects.is_module(root):
        return
    if root[:1].isupper() or isinstance(node.ctx, ast.Store):
        return  # a member of one of our own classes
    message = f"no VTK or MRML class of Slicer 5.8.1 has {member}"
    if not source.is_guarded(node, member):
        yield Finding(source.name, node.lineno, "member", message)


def _check_return(
    source: Source, node: ast.Attribute, kind: Optional[Kind], facts: Facts
) -> Iterator[Finding]:
    """A call whose value PythonQt cannot take; an object of unknown class is looked at as a widget."""
    if call_of(source, node) is None or (kind is not None and facts.is_vtk(kind.class_name)):
        return
    returned = facts.unknown_return(kind.class_name if kind is not None else "QWidget", node.attr)
    if returned is not None:
        message = f"{node.attr}() returns a {returned}, which PythonQt refuses: make one, qt.{returned}(...)"
        yield Finding(source.name, node.lineno, "member", message)


def _check_connect(
    source: Source, node: ast.Attribute, kind: Optional[Kind], facts: Facts
) -> Iterator[Finding]:
    call = call_of(source, node)
    if call is None or not call.args:
        return
    signature = text_of(call.args[0])
    if signature is None:
        return
    if "(" not in signature:
        message = f"write the signal with its types, such as clicked(bool), not {signature!r}"
        yield Finding(source.name, node.lineno, "signal", message)
    elif kind is None or facts.is_vtk(kind.class_name):
        if not facts.signal_anywhere(signature):
            yield Finding(source.name, node.lineno, "signal", f"no class has a signal {signature}")
    else:
        lacking = facts.lacking_signal(kind.class_name, signature)
        if lacking:
            message = f"{kind.class_name} has no signal {signature} in {in_releases(lacking)}"
            yield Finding(source.name, node.lineno, "signal", message)


def _is_compared(source: Source, node: ast.AST) -> bool:
    """Whether an expression is used as a value there and then, and so cannot be meant as a function."""
    parent = source.parents.get(node)
    if isinstance(parent, (ast.If, ast.While, ast.IfExp)):
        return parent.test is node
    if isinstance(parent, ast.UnaryOp):
        return isinstance(parent.op, ast.Not)
    in_vtk_style = isinstance(node, ast.Attribute) and node.attr.endswith("Event")
    return isinstance(parent, (ast.Compare, ast.BinOp, ast.BoolOp)) and not in_vtk_style


def _is_float(parent: ast.AST) -> bool:
    value = getattr(parent, "value", None)
    if isinstance(value, ast.UnaryOp):
        value = value.operand
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.Div)
    return isinstance(value, ast.Constant) and isinstance(value.value, float)
