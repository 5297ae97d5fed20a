"""LiverSegTest where not all of Slicer is there: no main window, no engine; and what it finds."""

import importlib

import panel_doubles  # noqa: F401 (loads the module)
import pytest


@pytest.fixture
def withoutEngine(monkeypatch):
    for name in ("logic_setup", "work.engines"):
        module = importlib.import_module(f"LiverSegSlicer.{name}")
        monkeypatch.setattr(module, "engineState", lambda: panel_doubles.ENGINE_MISSING)


def runSelfTest():
    import slicer

    slicer.selfTests["LiverSeg"](msec=1)


def test_without_an_engine_it_says_loudly_what_was_skipped(
    host, scene, window, ownModules, withoutEngine, caplog
):
    runSelfTest()
    (said,) = [record.message for record in caplog.records if "SKIPPED" in record.message]
    assert "not installed" in said and "segmenting" in said and "the report" in said


def test_without_an_engine_it_fails_where_one_must_be(
    host, scene, window, ownModules, withoutEngine, monkeypatch
):
    monkeypatch.setenv("LIVERSEG_TEST_NEEDS_ENGINE", "1")
    with pytest.raises(AssertionError, match="engine is missing"):
        runSelfTest()


def test_a_panel_that_is_too_wide_fails_it(host, scene, window, ownModules, withoutEngine, monkeypatch):
    widget = importlib.import_module("LiverSegSlicer.panel.panel")
    monkeypatch.setattr(widget, "keepNarrow", lambda uiWidget: uiWidget.setMinimumWidth(400))
    with pytest.raises(AssertionError, match="too wide, scan chosen"):
        runSelfTest()


def test_an_exception_in_a_slot_fails_it(host, scene, window, ownModules, withoutEngine, monkeypatch):
    section = importlib.import_module("LiverSegSlicer.panel.advanced_section").AdvancedSection

    def show(*_arguments):
        raise RuntimeError("no models")

    monkeypatch.setattr(section, "show", show)
    with pytest.raises(AssertionError, match="errors in slots, scan chosen"):
        runSelfTest()
    assert all("no models" in problem for problem in host.takeProblems())


def test_pictures_are_saved_where_they_are_wanted(
    host, window, ownModules, withoutEngine, monkeypatch, tmp_path
):
    monkeypatch.setenv("LIVERSEG_TEST_PICTURES", str(tmp_path / "pictures"))
    runSelfTest()
    names = sorted(path.stem for path in (tmp_path / "pictures").glob("*.png"))
    assert names == [
        "01 scan chosen",
        "02 models",
        "03 no engine",
        "04 advanced",
        "05 scene closed",
    ]
