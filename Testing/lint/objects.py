"""Which class an expression of the module has, as far as its text tells."""

import ast
from typing import Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

from .facts import Facts
from .source import Function, Source, dotted, full_name, imported_names, text_of

MODULES = ("qt", "ctk", "slicer", "vtk")

CONVENTIONS = {
    "segmentationNode": "vtkMRMLSegmentationNode",
    "volumeNode": "vtkMRMLScalarVolumeNode",
    "tableNode": "vtkMRMLTableNode",
}
"""Parameters without annotation that by Slicer's habit are nodes of these classes."""

MAKERS = {"AddNewNodeByClass": 0, "CreateNodeByClass": 0, "GetFirstNodeByClass": 0, "GetSingletonNode": 1}
"""Methods that return an object of the class named in one of their arguments -> the argument's place."""

RETURNS = {
    ("vtkMRMLSegmentationNode", "GetSegmentation"): "vtkSegmentation",
    ("vtkMRMLSegmentationNode", "GetDisplayNode"): "vtkMRMLSegmentationDisplayNode",
    ("vtkMRMLScalarVolumeNode", "GetDisplayNode"): "vtkMRMLScalarVolumeDisplayNode",
    ("vtkMRMLScalarVolumeNode", "GetImageData"): "vtkImageData",
    ("vtkSegmentation", "GetSegment"): "vtkSegment",
    ("vtkMRMLSubjectHierarchyNode", "GetSubjectHierarchyNode"): "vtkMRMLSubjectHierarchyNode",
    ("vtkMRMLScene", "GetSubjectHierarchyNode"): "vtkMRMLSubjectHierarchyNode",
    ("qSlicerApplication", "layoutManager"): "qSlicerLayoutManager",
    ("qSlicerLayoutManager", "sliceWidget"): "qMRMLSliceWidget",
    ("qSlicerLayoutManager", "threeDWidget"): "qMRMLThreeDWidget",
    ("qMRMLSliceWidget", "sliceLogic"): "vtkMRMLSliceLogic",
    ("qMRMLSliceWidget", "sliceView"): "qMRMLSliceView",
    ("qMRMLThreeDWidget", "threeDView"): "qMRMLThreeDView",
    ("vtkMRMLSliceLogic", "GetSliceNode"): "vtkMRMLSliceNode",
    ("vtkMRMLSliceLogic", "GetSliceCompositeNode"): "vtkMRMLSliceCompositeNode",
    ("vtkMRMLMarkupsFiducialNode", "GetDisplayNode"): "vtkMRMLMarkupsDisplayNode",
    ("QTableWidget", "horizontalHeader"): "QHeaderView",
    ("QTableWidget", "verticalHeader"): "QHeaderView",
}
"""Class and method -> class of what the method returns."""

WELL_KNOWN = {
    "slicer.mrmlScene": "vtkMRMLScene",
    "slicer.app": "qSlicerApplication",
    "slicer.modules.segmentations.logic()": "vtkSlicerSegmentationsModuleLogic",
    "slicer.modules.markups.logic()": "vtkSlicerMarkupsLogic",
    "slicer.modules.volumes.logic()": "vtkSlicerVolumesLogic",
    "slicer.modules.tables.logic()": "vtkSlicerTablesLogic",
}
"""Expressions whose class is known."""


BINDING = (ast.Assign, ast.AnnAssign, ast.Name)
"""Nodes that may bind a name."""

Assignment = Tuple[ast.AST, Optional[ast.AST], Optional[ast.AST]]
"""Target, value, annotation."""


class Kind(NamedTuple):
    """The class of an expression, and whether it is an object of the class or the class itself."""

    class_name: str
    is_object: bool


class Objects:
    """Tells the class of expressions in one file."""

    def __init__(self, source: Source, facts: Facts, widgets: Mapping[str, str]) -> None:
        self._source = source
        self._facts = facts
        self._widgets = widgets
        self._imports = imported_names(source.tree)
        self._pending: Set[ast.AST] = set()
        self._known: Dict[ast.AST, Optional[Kind]] = {}
        self._functions = [n for n in ast.walk(source.tree) if isinstance(n, ast.FunctionDef)]
        # all that a scope binds is asked for once a name, and walking is what takes the time
        self._nodes: Dict[ast.AST, List[ast.AST]] = {}
        self._bound: Dict[ast.AST, List[Assignment]] = {}

    def kind(self, node: ast.AST) -> Optional[Kind]:
        """The kind of an expression, None where the text does not tell."""
        if node in self._pending:
            return None
        if node not in self._known:
            self._pending.add(node)
            self._known[node] = self._find(node)
            self._pending.discard(node)
        return self._known[node]

    def is_module(self, name: str) -> bool:
        """Whether a bare name is a module, or something from one that is not Qt's, VTK's or Slicer's."""
        return name in self._imports and self._class_named(name) is None

    def _find(self, node: ast.AST) -> Optional[Kind]:
        text = dotted(node)
        if text in WELL_KNOWN:
            return Kind(WELL_KNOWN[text], True)
        if text and self._class_named(text):
            return Kind(self._class_named(text) or "", False)
        if isinstance(node, ast.Call):
            return self._called(node)
        if isinstance(node, ast.IfExp):
            kind = self.kind(node.body)
            return kind if kind == self.kind(node.orelse) else None
        if isinstance(node, ast.Attribute):
            return self._widget(node) or self._attribute(node)
        if isinstance(node, ast.Name):
            return self._variable(node)
        return None

    def _class_named(self, text: str) -> Optional[str]:
        """The class that ``qt.QLabel``, ``slicer.vtkMRMLNode`` or an imported ``vtkMRMLNode`` names."""
        module, _, name = full_name(text, self._imports).partition(".")
        return name if module in MODULES and self._facts.is_class(name) else None

    def _called(self, node: ast.Call) -> Optional[Kind]:
        if f"{dotted(node.func)}()" in WELL_KNOWN:
            return Kind(WELL_KNOWN[f"{dotted(node.func)}()"], True)
        made = self._class_named(dotted(node.func))
        if made:
            return Kind(made, True)
        own = self._own_function(dotted(node.func))
        if own is not None and own.returns is not None:
            return self._annotated(own.returns)
        if not isinstance(node.func, ast.Attribute):
            return None
        method = node.func.attr
        if method in MAKERS and len(node.args) > MAKERS[method]:
            name = text_of(node.args[MAKERS[method]])
            return Kind(name, True) if name and self._facts.is_class(name) else None
        owner = self.kind(node.func.value)
        returned = RETURNS.get((owner.class_name, method)) if owner else None
        return Kind(returned, True) if returned else None

    def _own_function(self, name: str) -> Optional[ast.FunctionDef]:
        """The function of this file that ``name()`` or ``self.name()`` calls, None if there are several."""
        name = name[len("self.") :] if name.startswith("self.") else name
        found = [function for function in self._functions if function.name == name]
        return found[0] if len(found) == 1 else None

    def _widget(self, node: ast.Attribute) -> Optional[Kind]:
        if is_ui(node.value) and node.attr in self._widgets:
            return Kind(self._widgets[node.attr], True)
        return None

    def _attribute(self, node: ast.Attribute) -> Optional[Kind]:
        """``self.x``, by what the class around assigns to it."""
        owner = self._source.enclosing(node, ast.ClassDef)
        if not (isinstance(node.value, ast.Name) and node.value.id == "self" and owner):
            return None
        given = []
        if owner not in self._bound:
            self._bound[owner] = [made for other in ast.walk(owner) for made in _assignments(other)]
        for target, value, annotation in self._bound[owner]:
            is_it = dotted(target) == f"self.{node.attr}" or (
                annotation is not None and isinstance(target, ast.Name) and target.id == node.attr
            )
            if is_it and not _is_none(value):
                given.append(self._annotated(annotation) or (self.kind(value) if value else None))
        return _agreed(given)

    def _variable(self, node: ast.Name) -> Optional[Kind]:
        scopes = [s for s in self._source.above(node) if isinstance(s, (*Function, ast.Module))]
        for scope in scopes:
            given = self._given(scope, node.id)
            if given:
                return _agreed(given)
        return None

    def _given(self, scope: ast.AST, name: str) -> List[Optional[Kind]]:
        """The kinds of all that the scope binds to the name; None among them where one is not known."""
        given: List[Optional[Kind]] = []
        if isinstance(scope, Function):
            arguments = scope.args
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                if argument.arg == name:
                    by_habit = Kind(CONVENTIONS[name], True) if name in CONVENTIONS else None
                    given.append(self._annotated(argument.annotation) if argument.annotation else by_habit)
        if scope not in self._nodes:
            self._nodes[scope] = [n for n in own_nodes(scope) if isinstance(n, BINDING)]
        for node in self._nodes[scope]:
            for target, value, annotation in _assignments(node):
                if isinstance(target, ast.Name) and target.id == name and not _is_none(value):
                    given.append(self._annotated(annotation) or (self.kind(value) if value else None))
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
                parent = self._source.parents[node]
                if isinstance(parent, ast.Tuple):
                    outer = self._source.parents[parent]
                    paired = isinstance(outer, ast.Assign) and isinstance(outer.value, ast.Tuple)
                    parent = outer if paired else parent
                if not isinstance(parent, (ast.Assign, ast.AnnAssign)):
                    given.append(None)  # a loop, a with, an unpacking: the text does not tell
        return given

    def _annotated(self, annotation: Optional[ast.AST]) -> Optional[Kind]:
        if annotation is None:
            return None
        text = text_of(annotation)
        if text is not None:
            try:
                annotation = ast.parse(text, mode="eval").body
            except SyntaxError:
                return None
        if isinstance(annotation, ast.Subscript) and dotted(annotation.value).split(".")[-1] == "Optional":
            return self._annotated(annotation.slice)
        name = self._class_named(dotted(annotation))
        return Kind(name, True) if name else None


def is_ui(node: ast.AST) -> bool:
    """Whether an expression is the collection of a panel's widgets: ``ui``, ``self.ui``, ``self._ui``."""
    return (dotted(node) or "").split(".")[-1] in ("ui", "_ui")


def own_nodes(scope: ast.AST) -> List[ast.AST]:
    """The nodes of a function or module without those of the functions and classes inside it."""
    found: List[ast.AST] = []
    pending = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop()
        found.append(node)
        if not isinstance(node, (*Function, ast.ClassDef)):
            pending.extend(ast.iter_child_nodes(node))
    return found


def _assignments(node: ast.AST) -> List[Assignment]:
    """The assignments of a node; none of one that assigns nothing."""
    if isinstance(node, ast.Assign):
        pairs = []
        for target in node.targets:
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs.extend(zip(target.elts, node.value.elts))
            else:
                pairs.append((target, node.value))
        return [(target, value, None) for target, value in pairs]
    if isinstance(node, ast.AnnAssign):
        return [(node.target, node.value, node.annotation)]
    return []


def _is_none(value: Optional[ast.AST]) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _agreed(given: List[Optional[Kind]]) -> Optional[Kind]:
    return given[0] if given and all(kind == given[0] for kind in given) else None
