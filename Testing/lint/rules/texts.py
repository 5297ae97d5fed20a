"""Texts for the user that do not pass through _(), so that nobody can translate them."""

import ast
import re
from typing import Iterator, List, Mapping, Optional

from ..findings import Finding
from ..source import Source, dotted, imported_names, text_of

METHODS = {
    "addAction", "addItem", "addItems", "addMenu", "addTab", "insertItem", "setHorizontalHeaderLabels",
    "setInformativeText", "setItemText", "setLabelText", "setPlaceholderText", "setStatusTip",
    "setText", "setTitle", "setToolTip", "setVerticalHeaderLabels", "setWhatsThis", "setWindowTitle",
    "showMessage", "note", "tell", "warn",
}  # fmt: skip
"""Methods of widgets, and of our own message line, that show the text they are given."""
PROPERTIES = {
    "caption", "informativeText", "labelText", "noneDisplay", "placeholderText", "statusTip", "text",
    "title", "toolTip", "whatsThis", "windowTitle",
}  # fmt: skip
"""Properties of widgets that are shown. ``parent.title`` of a module among them."""
MODULE_TEXTS = {"helpText", "acknowledgementText"}
"""What Slicer shows of a module."""
FUNCTIONS = {
    "confirmOkCancelDisplay", "confirmRetryCloseDisplay", "confirmYesNoDisplay", "createProgressDialog",
    "errorDisplay", "infoDisplay", "messageBox", "showNote", "showStatusMessage", "tryWithErrorDisplay",
    "warningDisplay",
}  # fmt: skip
"""Functions of slicer.util, and our own, that show their literal arguments and these keywords."""
KEYWORDS = {
    "detailedText", "informativeText", "labelText", "message", "text", "title", "toolTip", "windowTitle",
}  # fmt: skip

TRANSLATORS = {"_", "translate", "tr"}

_NOT_WORDS = re.compile(r"<[^>]*>|&\w+;|%[pvm\d]|\{[^}]*\}")


def check_texts(source: Source) -> Iterator[Finding]:
    """Literals that a widget, a message or an error shows, outside _(); and what _() cannot translate."""
    imports = imported_names(source.tree)
    for node in ast.walk(source.tree):
        for shown in (*_shown(node, imports), *_sentence(source, node)):
            text = _words(shown)
            if text:
                message = f"{text[:40]!r} is for the user: put it through _()"
                yield Finding(source.name, shown.lineno, "untranslated", message)
        if isinstance(node, ast.Call) and dotted(node.func) == "_" and node.args:
            if not isinstance(node.args[0], ast.Constant):
                message = "_() needs one plain literal: fill in values with .format() after it"
                yield Finding(source.name, node.lineno, "untranslated", message)


def _shown(node: ast.AST, imports: Mapping[str, str]) -> List[ast.AST]:
    """The expressions in a node that the user sees."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and target.attr in PROPERTIES | MODULE_TEXTS:
                return [node.value]
    elif isinstance(node, ast.AugAssign):
        if isinstance(node.target, ast.Attribute) and node.target.attr in PROPERTIES | MODULE_TEXTS:
            return [node.value]
    elif isinstance(node, ast.Call):
        name = dotted(node.func).split(".")[-1]
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
        if name in FUNCTIONS:
            return [*node.args, *(k.value for k in node.keywords if k.arg in KEYWORDS)]
        if isinstance(node.func, ast.Attribute) and name in METHODS:
            return [*node.args, *(k.value for k in node.keywords if k.arg in KEYWORDS)]
        made = imports.get(dotted(node.func).split(".")[0], "")
        if name.endswith("Error") and ("LiverSegLib.errors" in made or made.endswith("LiverSegLib.errors")):
            return node.args[:1]
        if dotted(node.func).startswith(("qt.", "ctk.")):
            return (
                [a for a in node.args if isinstance(a, (ast.Constant, ast.JoinedStr))]
                if name in _WITH_TEXT
                else []
            )
    return []


def _sentence(source: Source, node: ast.AST) -> List[ast.AST]:
    """A literal that reads like a sentence for people: no docstring, not for a log, not of a test."""
    text = text_of(node)
    if text is None or not _SENTENCE.fullmatch(text) or "test" in source.path.stem:
        return []
    for outer in source.above(node):
        if isinstance(outer, (ast.Raise, ast.Assert)):
            return []
        if isinstance(outer, ast.Expr) and outer.value is node:
            return []
        if isinstance(outer, ast.Call) and _is_no_show(dotted(outer.func)):
            return []
        if isinstance(outer, (ast.FunctionDef, ast.ClassDef)):
            break
    return [node]


def _is_no_show(function: str) -> bool:
    """Whether what a function is given is translated, or goes to a log."""
    *path, last = function.split(".")
    return last in TRANSLATORS or bool({"log", "logging"} & set(path))


_SENTENCE = re.compile(r"[A-Z][^\n]* [^\n]*[.!?:…]")
_WITH_TEXT = {
    "QAction",
    "QCheckBox",
    "QGroupBox",
    "QLabel",
    "QMenu",
    "QPushButton",
    "QRadioButton",
    "QTableWidgetItem",
}
"""Qt classes whose constructor takes the text they show."""


def _words(node: Optional[ast.AST]) -> str:
    """The untranslated words in an expression, empty if it has none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value if re.search(r"[^\W\d_]{2}", _NOT_WORDS.sub("", node.value)) else ""
    if isinstance(node, ast.JoinedStr):
        return next((w for w in map(_words, node.values) if w), "")
    if isinstance(node, ast.BinOp):
        return _words(node.left) or _words(node.right)
    if isinstance(node, ast.IfExp):
        return _words(node.body) or _words(node.orelse)
    if isinstance(node, (ast.List, ast.Tuple)):
        return next((w for w in map(_words, node.elts) if w), "")
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("format", "join")
    ):
        return _words(node.func.value)
    return ""
