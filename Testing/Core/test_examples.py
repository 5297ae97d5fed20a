"""The examples in the docstrings of the core run and yield what they show."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SLOW = {"LiverSegLib.api"}
"""Segments a real scan."""
HOLDING_EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "LiverSegLib").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in HOLDING_EXAMPLES],
)
def test_examples_yield_what_they_show(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted and not result.failed


def test_there_are_examples_for_what_is_called_first():
    assert {"LiverSegLib.api", "LiverSegLib.images.read", "LiverSegLib.masks.cleanup"} <= set(
        HOLDING_EXAMPLES
    )
