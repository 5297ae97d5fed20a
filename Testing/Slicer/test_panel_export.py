"""The button Export DICOM: when it can be pressed, what it starts, what it tells."""

import pytest
from dicom_doubles import Database

pytest_plugins = ["panel_fixtures"]


@pytest.fixture
def result(hand, scan):
    """The made-up scan, segmented."""
    return hand.segment()


@pytest.fixture
def database(scan, tmp_path, monkeypatch):
    """A database that has the files of the chosen scan."""
    import slicer

    (tmp_path / "a.dcm").write_bytes(b"")
    database = Database({"1.2.3": str(tmp_path / "a.dcm"), "1.2.4": str(tmp_path / "a.dcm")})
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    scan.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    return database


@pytest.fixture
def highdicom(monkeypatch):
    """Whether highdicom is there: a list of one."""
    there = [True]
    monkeypatch.setattr("LiverSegSlicer.panel.export_section.isHighdicomThere", lambda: there[0])
    return there


def test_without_a_result_it_says_what_to_do_first(hand, scan):
    assert not hand.enabled("exportDicomButton")
    assert "Segment the scan first" in hand.tip("exportDicomButton")


def test_a_scan_that_did_not_come_from_dicom_cannot_be_exported(hand, result):
    assert not hand.enabled("exportDicomButton")
    assert "not loaded from DICOM" in hand.tip("exportDicomButton")


def test_without_the_dicom_module_nothing_can_be_stored(hand, scan, result, highdicom, monkeypatch):
    import slicer

    scan.SetAttribute("DICOM.instanceUIDs", "1.2.3")
    monkeypatch.setattr(slicer, "dicomDatabase", None, raising=False)
    hand.panel._draw()
    assert not hand.enabled("exportDicomButton") and "not open" in hand.tip("exportDicomButton")
    assert not hand.enabled("exportDatabaseCheckBox") and "not open" in hand.tip("exportDatabaseCheckBox")


def test_files_that_left_the_database(hand, database, result, highdicom):
    database.files.clear()
    hand.panel._draw()
    assert not hand.enabled("exportDicomButton") and "no longer" in hand.tip("exportDicomButton")


def test_the_objects_get_a_folder_of_their_own_and_go_into_the_database(
    hand, database, result, highdicom, tmp_path
):
    hand.panel.ui.reportFolderButton.directory = str(tmp_path)
    assert hand.text("exportDicomButton") == "Export DICOM"
    hand.click("exportDicomButton")
    assert hand.logic.options[-1] == {"store": True, "install": False}
    assert not hand.enabled("exportDicomButton") and "running" in hand.tip("exportDicomButton")
    hand.logic.run.finish()
    hand.settle()
    said = hand.text("messageLabel")
    assert f"The DICOM objects are in {tmp_path}" in said and said.endswith("and in Slicer's DICOM database.")


def test_the_database_can_be_left_out_and_that_is_remembered(hand, database, result, highdicom):
    from LiverSegSlicer.parameters import Preferences

    hand.click("exportDatabaseCheckBox")
    assert Preferences().exportToDatabase is False
    hand.click("exportDicomButton")
    assert hand.logic.options[-1]["store"] is False
    hand.logic.run.finish()
    hand.settle()
    assert "database" not in hand.text("messageLabel")
    hand.click("exportDatabaseCheckBox")
    assert Preferences().exportToDatabase is True


def test_installing_highdicom_is_asked_for(hand, database, result, highdicom, monkeypatch):
    import slicer

    highdicom[0] = False
    hand.panel._draw()
    assert hand.text("exportDicomButton") == "Export DICOM…"
    assert "Asks first to install" in hand.tip("exportDicomButton")
    asked, answer = [], [False]
    monkeypatch.setattr(
        slicer.util, "confirmOkCancelDisplay", lambda text, **_: asked.append(text) or answer[0]
    )
    before = len(hand.logic.runs)
    hand.click("exportDicomButton")
    assert "1 MB" in asked[0] and len(hand.logic.runs) == before
    answer[0] = True
    hand.click("exportDicomButton")
    assert hand.logic.options[-1]["install"] is True
    hand.logic.run.finish()
    hand.settle()
