"""Syntax and library functions that Python 3.9, which Slicer 5.8 has, does not know."""

import ast
from typing import Iterator, List

from ..findings import Finding
from ..source import Source, dotted, full_name, imported_names

NEWER_NAMES = {
    "contextlib.chdir", "contextlib.aclosing", "datetime.UTC", "enum.StrEnum", "enum.verify",
    "functools.Placeholder", "importlib.resources.abc", "inspect.get_annotations", "itertools.batched",
    "itertools.pairwise", "math.cbrt", "math.exp2", "operator.call", "tomllib", "types.EllipsisType",
    "types.NoneType", "types.UnionType", "typing.Concatenate", "typing.LiteralString", "typing.Never",
    "typing.NotRequired", "typing.ParamSpec", "typing.Required", "typing.Self", "typing.TypeAlias",
    "typing.TypeGuard", "typing.TypeVarTuple", "typing.Unpack", "typing.assert_never",
    "typing.override", "typing.reveal_type", "sys.stdlib_module_names", "anext", "aiter",
    "ExceptionGroup", "BaseExceptionGroup", "EncodingWarning",
}  # fmt: skip
"""Names of the standard library that came after 3.9."""
NEWER_KEYWORDS = {
    "zip": {"strict"},
    "dataclass": {"slots", "kw_only", "match_args", "weakref_slot"},
    "dataclasses.dataclass": {"slots", "kw_only", "match_args", "weakref_slot"},
    "field": {"kw_only"},
    "dataclasses.field": {"kw_only"},
    "tempfile.NamedTemporaryFile": {"delete_on_close"},
    "tempfile.TemporaryDirectory": {"ignore_cleanup_errors", "delete"},
}
"""Function -> keywords that came after 3.9."""
NEWER_METHODS = {"bit_count", "hardlink_to", "add_note", "walk_up"}
"""Methods of built-in types that came after 3.9."""


def check_python39(source: Source) -> Iterator[Finding]:
    """Everything in the file that Python 3.9 refuses, when it reads it or when it runs it."""
    try:
        ast.parse(source.text, feature_version=(3, 9))
    except SyntaxError as error:
        yield Finding(source.name, error.lineno or 1, "python39", f"Python 3.9 cannot read this: {error.msg}")
        return
    lazy = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in source.tree.body
    )
    imports = imported_names(source.tree)
    for node in ast.walk(source.tree):
        for union in _unions(node, lazy):
            message = "X | Y as a type needs Python 3.10: write Optional or Union"
            yield Finding(source.name, union.lineno, "python39", message)
        if isinstance(node, (ast.Attribute, ast.Name)) and isinstance(node.ctx, ast.Load):
            full = full_name(dotted(node), imports)
            if full in NEWER_NAMES:
                yield Finding(source.name, node.lineno, "python39", f"{full} is newer than Python 3.9")
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if f"{node.module}.{alias.name}" in NEWER_NAMES or node.module in NEWER_NAMES:
                    name = f"{node.module}.{alias.name}"
                    yield Finding(source.name, node.lineno, "python39", f"{name} is newer than Python 3.9")
        elif isinstance(node, ast.Call):
            yield from _check_call(source, node)


def _unions(node: ast.AST, lazy: bool) -> List[ast.AST]:
    """The unions written with | that Python evaluates: in annotations (unless lazy) and in isinstance."""
    places: List[ast.AST] = []
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not lazy:
        arguments = node.args
        every = [
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            arguments.vararg,
            arguments.kwarg,
        ]
        places = [a.annotation for a in every if a is not None and a.annotation] + (
            [node.returns] if node.returns else []
        )
    elif isinstance(node, ast.AnnAssign) and not lazy:
        places = [node.annotation]
    elif (
        isinstance(node, ast.Call)
        and dotted(node.func) in ("isinstance", "issubclass")
        and len(node.args) > 1
    ):
        places = [node.args[1]]
    elif isinstance(node, ast.Subscript) and dotted(node.value).split(".")[-1] in (
        "Optional",
        "List",
        "Dict",
        "Tuple",
    ):
        places = [node.slice] if not lazy else []
    return [
        p
        for place in places
        for p in ast.walk(place)
        if isinstance(p, ast.BinOp) and isinstance(p.op, ast.BitOr)
    ]


def _check_call(source: Source, node: ast.Call) -> Iterator[Finding]:
    newer = NEWER_KEYWORDS.get(dotted(node.func), set())
    for keyword in node.keywords:
        if keyword.arg in newer:
            message = f"{keyword.arg}= of {dotted(node.func)} is newer than Python 3.9"
            yield Finding(source.name, node.lineno, "python39", message)
    if isinstance(node.func, ast.Attribute) and node.func.attr in NEWER_METHODS:
        yield Finding(source.name, node.lineno, "python39", f"{node.func.attr} is newer than Python 3.9")
