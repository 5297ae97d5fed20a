"""Comparing dates of one patient in Slicer with the real worker: what comes into the scene, and what not."""

import logic_doubles
import pytest
import slicer
from logic_doubles import Ending, Told, addVolume, command, nodeCounts

MARCH, JUNE = "2026-03-01", "2026-06-01"


@pytest.fixture(scope="module")
def worker(slicerSession):
    from LiverSegSlicer.work.worker_process import WorkerProcess

    worker = WorkerProcess(command(draw=False))
    yield worker
    worker.quit()


@pytest.fixture
def logic(host, scene, worker):
    from LiverSegSlicer.logic import Logic

    yield Logic(worker)
    assert logic_doubles.leftFiles(worker) == set()


@pytest.fixture
def cases(logic):
    """June's result first, as it was loaded first; a third of the tumor of March is gone then."""
    found = []
    for number, name in enumerate(("June", "March")):
        volumeNode = addVolume(name)
        slicer.util.arrayFromVolume(volumeNode)[0, 0, :3] += number  # no scan is twice the same
        found.append(logic.segment(volumeNode))
    return found


def edit(segmentationNode):
    """Remove a part of the tumor by hand."""
    from LiverSegSlicer.scene.parts import volumeOf

    volumeNode = volumeOf(segmentationNode)
    array = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, "tumour", volumeNode)
    array[7:] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentationNode, "tumour", volumeNode)


def refused(logic, nodes, **options):
    """The sentence with which a comparison is refused; the scene is as it was."""
    from LiverSegLib.errors import LiverSegError

    before = nodeCounts()
    with pytest.raises(LiverSegError) as caught:
        logic.compare(nodes, **options)
    assert nodeCounts() == before
    return str(caught.value)


def column(tableNode, name):
    return slicer.util.arrayFromTableColumn(tableNode, name).tolist()


def test_an_edited_result_is_measured_first_and_dates_decide_the_order(logic, cases, tmp_path):
    from LiverSegSlicer.scene.fingerprint import editedSinceMeasured
    from LiverSegSlicer.scene.followup import comparisonOf

    june, march = cases
    edit(june)
    told = Told()
    made = logic.compare(cases, [JUNE, MARCH], told, folder=tmp_path / "out")
    assert not editedSinceMeasured(june)
    assert told.fractions == sorted(told.fractions)
    assert "Registering the livers" in told.texts and "Drawing the follow-up page" in told.texts
    found = comparisonOf(june)
    assert found.results == (march, june) and found.tableNode is made.tableNode
    assert [date["name"] for date in found.numbers["dates"]] == ["March", "June"]
    table = made.tableNode
    assert column(table, "volume_ml_2")[0] < column(table, "volume_ml_1")[0]
    assert column(table, "volume_change_percent_2")[0] < 0
    assert table.GetColumnUnitLabel("longest_diameter_mm_2") == "mm"
    assert table.GetColumnTitle("volume_ml_2") == "2026-06-01: volume (ml)"
    assert made.page == tmp_path / "out" / "followup.html" and made.page.is_file()
    assert "edited" in made.page.read_text(encoding="utf-8")


def test_a_second_comparison_refills_its_own_table_unless_somebody_edited_it(logic, cases):
    first = logic.compare(cases, [JUNE, MARCH]).tableNode
    before = nodeCounts()
    assert logic.compare(cases, [JUNE, MARCH]).tableNode is first
    assert nodeCounts() == before
    first.SetLocked(False)
    first.SetCellText(0, first.GetColumnIndex("state_2"), "looks like a cyst")
    second = logic.compare(cases, [JUNE, MARCH]).tableNode
    assert second is not first and second.GetName() != first.GetName()
    assert first.GetCellText(0, first.GetColumnIndex("state_2")) == "looks like a cyst"


def test_typed_dates_of_the_scans_are_used_and_no_dates_are_told(logic, cases):
    from LiverSegSlicer.scene.followup import comparisonOf
    from LiverSegSlicer.scene.parts import volumeOf
    from LiverSegSlicer.scene.scan_dates import typeDate

    logic.compare(cases)
    found = comparisonOf(cases[0])
    assert found.results == tuple(cases)
    assert "order in which they were given" in found.numbers["warnings"][0]
    for node, date in zip(cases, (JUNE, MARCH)):
        typeDate(volumeOf(node), date)
    assert comparisonOf(cases[0]).isOutOfDate
    logic.compare(cases)
    found = comparisonOf(cases[0])
    assert found.results == tuple(reversed(cases)) and not found.isOutOfDate


def test_different_patients_are_told(logic, cases):
    from LiverSegSlicer.scene.followup import comparisonOf
    from LiverSegSlicer.scene.parts import volumeOf

    for number, node in enumerate(cases):
        fileUnderPatient(volumeOf(node), f"secret{number}", "20260301")
    logic.compare(cases)
    numbers = comparisonOf(cases[0]).numbers
    assert any("different patient IDs" in text for text in numbers["warnings"])
    assert numbers["dates"][0]["date"] == MARCH and "secret" not in str(numbers)


def fileUnderPatient(volumeNode, patientID, studyDate):
    """Put a volume under a patient and a study, as Slicer does with what it loads from DICOM."""
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    found = hierarchy.GetItemChildWithName(hierarchy.GetSceneItemID(), patientID)
    patient = found or hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), patientID)
    hierarchy.SetItemAttribute(patient, constants.GetDICOMPatientIDAttributeName(), patientID)
    study = hierarchy.CreateStudyItem(patient, studyDate)
    hierarchy.SetItemAttribute(study, constants.GetDICOMStudyDateAttributeName(), studyDate)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volumeNode), study)
    return patient


def test_it_is_filed_with_the_patient(logic, cases):
    from LiverSegSlicer.scene.parts import volumeOf

    for node, date in zip(cases, ("20260601", "20260301")):
        patient = fileUnderPatient(volumeOf(node), "P1", date)
    made = logic.compare(cases)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(made.tableNode))
    assert hierarchy.GetItemName(folder) == "LiverSeg follow-up"
    assert hierarchy.GetItemParent(folder) == patient
    made.tableNode.SetLocked(False)
    made.tableNode.SetCellText(0, 1, "mine")
    again = logic.compare(cases)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(again.tableNode)) == folder


def test_what_cannot_be_compared_is_refused_before_any_work(logic, cases, tmp_path):
    june, march = cases
    assert "at least two dates" in refused(logic, [june])
    assert "same scan" in refused(logic, [june, june])
    assert "2 scans, but 1 dates" in refused(logic, cases, dates=[JUNE])
    assert "is no date" in refused(logic, cases, dates=[JUNE, "yesterday"])
    (tmp_path / "followup.csv").write_text("mine")
    refused(logic, cases, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["followup.csv"]


def test_cancel_leaves_scene_and_folder_as_they_were(host, logic, cases, tmp_path):
    before, ending = nodeCounts(), Ending()
    run = None

    def cancel():
        run.cancel()

    told = Told("Looking at the livers", cancel)
    run = logic.compareAsync(cases, [JUNE, MARCH], told, ending, folder=tmp_path / "out")
    host.waitFor(ending.happened)
    result, error = ending.only()
    assert result is None and error.code == "cancelled"
    assert nodeCounts() == before and not (tmp_path / "out").exists()


def test_a_page_that_is_written_counts_though_somebody_cancelled(host, logic, cases, tmp_path, monkeypatch):
    monkeypatch.setattr(logic.worker, "cancel", lambda: None)  # the worker hears of it too late
    ending, runs = Ending(), []
    told = Told("Drawing the follow-up page", lambda: runs[0].cancel())
    runs.append(logic.compareAsync(cases, [JUNE, MARCH], told, ending, folder=tmp_path / "out"))
    host.waitFor(ending.happened)
    made, error = ending.only()
    assert error is None and made.page.is_file() and made.tableNode.GetNumberOfRows()


def test_a_result_that_vanishes_meanwhile(host, logic, cases):
    ending = Ending()
    told = Told("Looking at the livers", lambda: slicer.mrmlScene.RemoveNode(cases[0]))
    logic.compareAsync(cases, [JUNE, MARCH], told, ending)
    host.waitFor(ending.happened)
    result, error = ending.only()
    assert result is None and "removed from the scene" in str(error)
    assert not [
        node for node in slicer.util.getNodesByClass("vtkMRMLTableNode") if "Follow-up" in node.GetName()
    ]


def test_an_edit_meanwhile_makes_the_comparison_out_of_date(host, logic, cases):
    from LiverSegSlicer.scene.followup import comparisonOf

    ending = Ending()
    told = Told("Looking at the livers", lambda: edit(cases[0]))
    logic.compareAsync(cases, [JUNE, MARCH], told, ending)
    host.waitFor(ending.happened)
    assert ending.only()[1] is None
    assert comparisonOf(cases[0]).isOutOfDate


def test_it_comes_back_with_a_saved_scene(logic, cases, tmp_path):
    from LiverSegSlicer.scene import parts
    from LiverSegSlicer.scene.followup import comparisonOf

    logic.compare(cases, [JUNE, MARCH])
    before = comparisonOf(cases[0])
    warnings = [str(text) for text in before.numbers["warnings"]]
    names = [node.GetName() for node in before.results]
    table = before.tableNode.GetName()
    assert not before.isOutOfDate  # dates that a script gives are its own
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    back = comparisonOf(parts.allResults()[-1])
    assert [node.GetName() for node in back.results] == names and back.tableNode.GetName() == table
    assert [str(text) for text in back.numbers["warnings"]] == warnings and not back.isOutOfDate
    again = logic.compare(back.results)
    assert again.tableNode is back.tableNode  # nobody edited it
