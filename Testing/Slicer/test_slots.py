"""Every way from a signal or event into our code is guarded: what is raised there reaches the user."""

import ast
from pathlib import Path

import pytest

from LiverSegLib.errors import InputError


@pytest.fixture
def module(host, modulePath):
    """LiverSeg, loaded, so that its files can be imported."""
    import slicer

    if not hasattr(slicer.modules, "liverseg"):
        host.loadModule(modulePath)


@pytest.fixture
def heard(host, module):
    """The errors that a panel would show."""
    from LiverSegSlicer import slots

    errors = []
    slots.addListener(errors.append)
    yield errors
    slots.removeListener(errors.append)


def test_what_a_slot_raises_becomes_a_sentence_with_details_and_is_logged(host, heard):
    from LiverSegSlicer.slots import guarded

    def fail():
        raise KeyError("nowhere")

    guarded(fail)()
    (error,) = heard
    assert "KeyError" in str(error) and "nowhere" in error.details
    (problem,) = host.takeProblems()
    assert "nowhere" in problem


def test_a_users_mistake_is_said_as_it_is_and_not_logged(host, heard):
    from LiverSegSlicer.slots import guarded

    def refuse():
        raise InputError("Choose a scan.")

    guarded(refuse)()
    assert [str(error) for error in heard] == ["Choose a scan."]


def test_a_guarded_slot_passes_on_as_many_arguments_as_its_function_takes(module):
    from LiverSegSlicer.slots import guarded

    class Section:
        got = None

        def none(self):
            self.got = ()

        def one(self, first):
            self.got = (first,)

        def many(self, *arguments):
            self.got = arguments

    section = Section()
    for function, expected in ((section.none, ()), (section.one, (1,)), (section.many, (1, 2))):
        guarded(function)(1, 2)
        assert section.got == expected


def test_a_guarded_observer_gets_its_call_data(module, scene):
    import vtk

    from LiverSegSlicer.slots import guarded

    class Watcher:
        node = None

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def onAdded(self, caller, event, node):
            self.node = node

    watcher = Watcher()
    tag = scene.AddObserver(scene.NodeAddedEvent, guarded(watcher.onAdded))
    added = scene.AddNewNodeByClass("vtkMRMLTextNode")
    scene.RemoveObserver(tag)
    assert watcher.node is added


MODULE = Path(__file__).resolve().parents[2] / "LiverSeg"
ENTRANCES = {"connect": 1, "AddObserver": 1, "addObserver": 2, "singleShot": 1}
"""Where Slicer takes a function of ours -> the argument's place."""


@pytest.mark.parametrize("path", sorted(MODULE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_function_is_given_to_slicer_unguarded(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            place = ENTRANCES.get(node.func.attr)
            if place is not None and len(node.args) > place:
                slot = node.args[place]
                name = slot.func if isinstance(slot, ast.Call) else None
                guard = getattr(name, "attr", getattr(name, "id", None))
                assert guard == "guarded", f"{path.name}:{node.lineno}: use guarded(...)"
