"""MR in Slicer: found by DICOM or said in Advanced, run by the model for it, shown without HU."""

import dataclasses

import numpy as np
import pytest
import slicer
from panel_doubles import madeUpLabels, madeUpScan, volumeGrid

from LiverSegLib.errors import ModelNotFoundError, NotCTError
from LiverSegLib.measure import measure
from LiverSegLib.measure.facts import ClinicalFacts

pytest_plugins = ["panel_fixtures"]

NOT_DRAWN = ("spleen", "tumour")


def mrScan():
    """A volume whose values are in no unit, without DICOM."""
    volumeNode = madeUpScan("T1 in-phase")
    voxels = slicer.util.arrayFromVolume(volumeNode)
    voxels[:] = np.where(voxels < -500, 0, 300 + voxels)
    slicer.util.arrayFromVolumeModified(volumeNode)
    return volumeNode


def mrResult(volumeNode, notDrawn=NOT_DRAWN):
    """What the worker brings of a model for MR that draws the liver, or all but ``notDrawn``."""
    from LiverSegSlicer.scene.results import RunResult

    labels = madeUpLabels()
    for key, value in (("spleen", 2), ("tumour", 3)):
        if key in notDrawn:
            labels[labels == value] = 1 if key == "tumour" else 0
    grid = volumeGrid(volumeNode)
    scan = grid.image(slicer.util.arrayFromVolume(volumeNode).astype(np.int16))
    found = measure(grid.image(labels), scan, modality="MR", not_segmented=notDrawn)
    summary = {
        "name": "T1 in-phase",
        "measurements": found.to_dict(),
        "facts": ClinicalFacts(modality="MR", not_segmented=notDrawn).to_dict(),
        "provenance": {"model": {"name": "mr"}},
        "warnings": list(found.warnings),
    }
    return RunResult("T1 in-phase", labels, grid, summary)


@pytest.fixture
def mrModel(monkeypatch, host):
    """A model for MR on this computer."""
    from test_panel_models import modelFacts

    import LiverSegLib.models

    model = modelFacts(
        "mr",
        isBundled=True,
        modality="MR",
        accuracy="Mean Dice on CHAOS T1 in-phase, 4 patients (4): liver 0.93.",
        limitations="Livers of healthy donors only.",
    )
    for room in ("panel.results_section", "panel.models_section", "jobs"):
        monkeypatch.setattr(f"LiverSegSlicer.{room}.allModels", lambda: (model,))
    found = dataclasses.make_dataclass("Found", ["name"])("mr")
    monkeypatch.setattr(LiverSegLib.models, "load_model_for", lambda name, modality: found)
    return model


def choose(hand, modality):
    """Choose in Advanced, Modality."""
    hand.open("advancedSection")
    hand.settle()
    box = hand.widget("modalitySelector")
    box.setCurrentIndex(box.findData(modality))
    hand.settle()


def test_dicom_says_what_a_volume_is_and_is_not_contradicted(scene, monkeypatch):
    from LiverSegSlicer.jobs import SegmentOptions, segmentSteps
    from LiverSegSlicer.scene.volumes import describeVolume, modalityOf

    volumeNode = mrScan()
    assert (modalityOf(volumeNode), modalityOf(volumeNode, "MR"), modalityOf(None)) == ("CT", "MR", "CT")
    assert "say so under Advanced, Modality" in describeVolume(volumeNode).doubts[0]
    assert describeVolume(volumeNode, "MR").doubts == ()
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    hierarchyNode.SetItemAttribute(hierarchyNode.GetItemByDataNode(volumeNode), "DICOM.Modality", "MR")
    assert modalityOf(volumeNode) == modalityOf(volumeNode, "CT") == "MR"
    with pytest.raises(NotCTError, match="says MR, not CT"):
        next(segmentSteps(volumeNode, SegmentOptions(modality="CT"), None))
    database = type("Database", (), {"isOpen": True, "instanceValue": lambda self, uid, tag: "CT"})()
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    volumeNode.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    assert modalityOf(volumeNode, "MR") == "CT"


def test_the_panel_takes_an_mr_by_the_users_word_and_its_model(hand, mrModel):
    mrScan()
    hand.settle()
    assert "do not look like a CT" in hand.text("scanDoubtsLabel")
    choose(hand, "MR")
    assert hand.text("scanDoubtsLabel") == "" and hand.panel.parameters.modality == "MR"
    hand.click("segmentButton")
    assert (hand.logic.options[-1]["model"], hand.logic.options[-1]["modality"]) == ("mr", "MR")


def test_what_the_model_for_mr_needs_is_offered(hand, mrModel, monkeypatch):
    """Not what the one for CT needs, which is still the one chosen in Advanced."""
    from panel_doubles import OPENVINO_ALONE

    from LiverSegSlicer.panel import engine_section

    def needs(model, state):
        return "It runs in PyTorch only." if model == "mr" else ""

    monkeypatch.setattr(engine_section, "needsTorch", needs)
    hand.logic.engine = OPENVINO_ALONE
    mrScan()
    hand.panel.enter()
    hand.settle()
    assert not hand.seen("installWidget")
    choose(hand, "MR")
    assert hand.seen("installWidget") and "PyTorch" in hand.text("installButton")
    assert not hand.enabled("segmentButton")


def test_without_a_model_for_mr_the_run_says_so(scene, tmp_path, monkeypatch):
    from LiverSegSlicer.jobs import SegmentOptions, segmentSteps

    monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path))
    monkeypatch.setattr("LiverSegLib.models.store.bundled_models_folder", lambda: None)
    with pytest.raises(ModelNotFoundError, match="no model for MR on this computer"):
        next(segmentSteps(mrScan(), SegmentOptions(modality="MR"), None))


def test_the_result_of_an_mr_has_no_hu_and_says_what_was_validated(hand, mrModel, screenshot):
    from LiverSegSlicer.scene import parts, results

    volumeNode = mrScan()
    hand.settle()
    segmentationNode = results.applyResult(volumeNode, mrResult(volumeNode))
    hand.panel.parameters.segmentation = segmentationNode
    hand.settle()
    for name in ("spleen", "tumour"):
        assert hand.text(f"{name}ValueLabel") == "not segmented"
    assert hand.text("burdenValueLabel") == "–" and hand.text("liverValueLabel").startswith("768.0 ml")
    assert hand.text("lesionsTitleLabel") == "This model does not draw liver tumors"
    assert hand.text("liverNameLabel") == "Liver" and "included" not in hand.tip("liverNameLabel")
    note = hand.text("resultModelLabel")
    assert "on CT only" in note and "CHAOS T1 in-phase, 4 patients" in note and "healthy donors" in note
    if hand.widget("fattySection").collapsed:
        hand.open("fattySection")
    assert "this is an MR" in hand.text("fattyEmptyLabel") and not hand.enabled("fattyPlaceButton")
    table = parts.part(segmentationNode, parts.VOLUMES_TABLE).GetTable()
    assert [table.GetValueByName(row, "structure").ToString() for row in range(3)] == [
        "Liver",
        "Spleen",
        "Liver tumor",
    ]
    assert np.isnan([table.GetValueByName(row, "mean_hu").ToDouble() for row in range(3)]).all()
    assert np.isnan(table.GetValueByName(1, "volume_ml").ToDouble())
    with pytest.raises(NotCTError, match="on CT only; this is an MR"):
        hand.logic.assessSteatosis(volumeNode, segmentationNode)
    screenshot("panel-mr", hand.widget("fattySection").window())


def test_lesions_of_an_mr_have_a_dash_for_hu_and_its_window_stays(hand, mrModel):
    from LiverSegSlicer.panel.results_section import numbersText
    from LiverSegSlicer.scene import parts, results, views

    volumeNode = mrScan()
    hand.settle()
    volumeNode.CreateDefaultDisplayNodes()
    volumeNode.GetDisplayNode().AutoWindowLevelOff()
    volumeNode.GetDisplayNode().SetWindowLevel(900, 450)
    segmentationNode = results.applyResult(volumeNode, mrResult(volumeNode, notDrawn=()))
    hand.panel.parameters.segmentation = segmentationNode
    hand.settle()
    cells = hand.widget("lesionsTable")
    assert {cells.item(row, cells.columnCount() - 1).text() for row in range(2)} == {"–"}
    measurements = parts.summaryOf(segmentationNode)["measurements"]
    assert "\t–\n" in numbersText(measurements) and hand.text("liverNameLabel") == "Liver with tumors"
    views.showResult(volumeNode, segmentationNode)
    assert volumeNode.GetDisplayNode().GetWindow() == 900
