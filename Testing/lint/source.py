"""A Python file as the rules see it: its tree, each node's parent, and what its names mean."""

import ast
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple, Type

Function = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Source(NamedTuple):
    """A parsed Python file: its path, its name for messages, its text, its tree, the parent of each node."""

    path: Path
    name: str
    text: str
    tree: ast.Module
    parents: Dict[ast.AST, ast.AST]

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, the innermost first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    def enclosing(self, node: ast.AST, *kinds: Type[ast.AST]) -> Optional[ast.AST]:
        """The innermost node of these kinds around a node, or None."""
        return next((outer for outer in self.above(node) if isinstance(outer, kinds)), None)

    def is_guarded(self, node: ast.AST, name: str) -> bool:
        """Whether the code asks first if the name exists: hasattr, getattr, try with the right except."""
        for outer in self.above(node):
            if isinstance(outer, ast.Try) and any(_catches_absence(handler) for handler in outer.handlers):
                if any(node is child for part in outer.body for child in ast.walk(part)):
                    return True
            if isinstance(outer, Function):
                return any(_asks_for(call, name) for call in ast.walk(outer))
        return False


def read_source(path: Path, name: str) -> Source:
    """Read and parse a Python file.

    Raises:
        SyntaxError: it is no Python at all.
    """
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, filename=name)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    return Source(path, name, text, tree, parents)


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of an expression made of names and attributes; empty for any other."""
    parts: List[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def imported_names(tree: ast.Module) -> Dict[str, str]:
    """Every name that an import of the file makes -> what it stands for, ``package.name``."""
    names: Dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                target = alias.name if alias.asname else alias.name.split(".")[0]
                names[alias.asname or target] = target
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                names[alias.asname or alias.name] = f"{module}.{alias.name}"
    return names


def full_name(text: str, imports: Mapping[str, str]) -> str:
    """What a dotted name stands for: ``run`` -> ``subprocess.run`` where that was imported."""
    head, _, rest = text.partition(".")
    return imports.get(head, head) + (f".{rest}" if rest else "")


def call_of(source: Source, node: ast.AST) -> Optional[ast.Call]:
    """The call whose function a node is, or None."""
    parent = source.parents.get(node)
    return parent if isinstance(parent, ast.Call) and parent.func is node else None


def text_of(node: ast.AST) -> Optional[str]:
    """The value of a string literal, or None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _catches_absence(handler: ast.ExceptHandler) -> bool:
    kinds: Tuple[ast.AST, ...] = ()
    if isinstance(handler.type, ast.Tuple):
        kinds = tuple(handler.type.elts)
    elif handler.type is not None:
        kinds = (handler.type,)
    return any(dotted(kind) in ("ImportError", "ModuleNotFoundError", "AttributeError") for kind in kinds)


def _asks_for(node: ast.AST, name: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and dotted(node.func) in ("hasattr", "getattr")
        and len(node.args) > 1
        and text_of(node.args[1]) == name
    )
