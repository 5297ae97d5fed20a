"""The script that tests inside a downloaded Slicer always leaves it, with the result."""

import runpy
import sys
import types
import unittest
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("run_in_slicer.py")


def standIn(method="runTest", error=None):
    """A class in the place of LiverSegTest: one method runTest, as ScriptedLoadableModuleTest has it."""

    def act(self):
        if error is not None:
            raise error

    return type("StandIn", (unittest.TestCase,), {"runTest": lambda self: None, method: act})


@pytest.fixture
def leave(host, monkeypatch):
    """Runs the script with a stand-in for the module; returns the exit statuses that Slicer was left with."""
    import slicer

    statuses = []
    monkeypatch.setattr(slicer.util, "exit", statuses.append)

    def run(test, loaded=True):
        if loaded:
            monkeypatch.setattr(slicer.modules, "liverseg", object(), raising=False)
        else:
            monkeypatch.delattr(slicer.modules, "liverseg", raising=False)
        monkeypatch.setitem(sys.modules, "LiverSeg", types.SimpleNamespace(LiverSegTest=test))
        runpy.run_path(str(SCRIPT))
        return statuses

    return run


@pytest.mark.parametrize(
    "test, status",
    [
        (standIn(), 0),
        (standIn(error=AssertionError("no liver")), 1),
        (standIn("setUp", SystemExit("the module is broken")), 1),
        (None, 1),
    ],
    ids=["passing", "failing", "leaving", "no test"],
)
def test_leaves_with_the_result(leave, test, status):
    assert leave(test) == [status]


def test_says_that_the_module_was_not_loaded(leave, capsys):
    assert leave(standIn(), loaded=False) == [1]
    assert "has not loaded the module LiverSeg" in capsys.readouterr().out
