"""What the panel holds on to, and lets go of: observers, segmentations, itself; and who opens its files."""

import gc
import os
import shutil
import sys
import weakref

import pytest
from panel_doubles import madeUpScan

pytest_plugins = ["panel_fixtures"]


def closeScene(hand):
    import slicer

    slicer.mrmlScene.Clear(False)
    hand.settle()


def test_batches_are_heard_also_after_the_scene_was_closed(hand, scan):
    import slicer

    closeScene(hand)
    slicer.mrmlScene.StartState(slicer.mrmlScene.BatchProcessState)
    madeUpScan("In a batch")
    hand.settle()
    assert "No scan is loaded" in hand.text("scanFactsLabel")
    slicer.mrmlScene.EndState(slicer.mrmlScene.BatchProcessState)
    hand.settle()
    assert hand.tip("scanFactsLabel").startswith("60 × 60 × 24")


def test_a_segmentation_that_was_shown_is_not_kept_in_memory(hand, scan):
    import vtk

    gone = []
    segmentation = hand.segment().GetSegmentation()
    segmentation.AddObserver(vtk.vtkCommand.DeleteEvent, lambda *_: gone.append(True))
    hand.settle()
    del segmentation
    closeScene(hand)
    gc.collect()
    assert gone


def test_a_closed_scene_lets_go_of_its_choices(hand, scan):
    choices = weakref.ref(hand.panel.parameters)
    closeScene(hand)
    madeUpScan()
    hand.settle()
    gc.collect()
    assert choices() is None and hand.panel.parameters is not None


def test_a_reloaded_panel_is_deleted(window, host, ownModules):
    import slicer
    from PySide6 import QtWidgets

    from SlicerHost.pythonqt import unwrap

    host.showModule("LiverSeg")
    slicer.modules.LiverSegWidget.onReload()
    host.settle(0.1)
    representation = unwrap(slicer.modules.liverseg.widgetRepresentation())
    (button,) = representation.findChildren(QtWidgets.QPushButton, "segmentButton")
    assert button is unwrap(slicer.modules.LiverSegWidget.panel.ui.segmentButton)


def test_closing_the_panel_during_an_installation_is_no_error(hand, monkeypatch):
    def install(confirm):
        hand.panel.close()
        return True

    monkeypatch.setattr(hand.logic, "installTorch", install, raising=False)
    hand.panel._engine._installTorch()
    hand.settle()


class TestOpeningFiles:
    @pytest.fixture
    def opener(self, host, monkeypatch, tmp_path):
        """A program that writes down what it is asked to open, and in which environment."""
        import slicer

        program = tmp_path / "xdg-open"
        program.write_text(f'#!/bin/sh\necho "$1 $PLACE" > {tmp_path}/asked\n')
        program.chmod(0o755)
        monkeypatch.setattr(shutil, "which", lambda _name: str(program))
        monkeypatch.setattr(slicer.util, "startupEnvironment", lambda: {"PLACE": "outside"})
        monkeypatch.setattr(sys, "platform", "linux")
        return tmp_path / "asked"

    @pytest.mark.skipif(os.name == "nt", reason="a shell script")
    def test_on_linux_in_the_environment_that_slicer_was_started_in(self, host, opener):
        from LiverSegSlicer.panel.report_section import openOnDesktop

        assert openOnDesktop("/data/report.html")
        host.waitFor(lambda: opener.exists() and opener.read_text(), 10)
        assert opener.read_text() == "/data/report.html outside\n"

    def test_elsewhere_by_qt(self, host, opener, monkeypatch):
        from LiverSegSlicer.panel.report_section import openOnDesktop

        monkeypatch.setattr(sys, "platform", "darwin")
        assert openOnDesktop("/data/report.html")
        assert host.opened_urls[-1] == "file:///data/report.html"
