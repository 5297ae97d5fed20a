"""Writing DICOM objects from Slicer: the worker writes what the scene shows, the database gets it."""

import logic_doubles
import pytest
import slicer
from dicom_doubles import Database
from logic_doubles import Ending, Told, addVolume, command


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


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """The files of the series that the made-up scan is said to come from: instance -> path."""
    import dicom_series
    import doubles

    return dicom_series.write_image(tmp_path_factory.mktemp("series"), doubles.scan())


@pytest.fixture
def database(series, monkeypatch):

    database = Database(dict(series))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return database


@pytest.fixture
def case(logic, database):
    """A result of a scan that the database has the files of, named in no useful order."""
    volumeNode = addVolume()
    volumeNode.SetAttribute("DICOM.instanceUIDs", " ".join(sorted(database.files)))
    return logic.segment(volumeNode)


def refused(logic, case, folder):
    """The sentence with which an export is refused; nothing is written."""
    from LiverSegLib.errors import LiverSegError

    with pytest.raises(LiverSegError) as caught:
        logic.exportDicom(case, folder)
    assert not folder.exists()
    return str(caught.value)


def test_both_objects_are_written_and_hold_what_the_scene_shows(logic, case, database, tmp_path):
    import doubles
    import numpy as np
    import pydicom

    made = logic.exportDicom(case, tmp_path / "out")
    assert [path.name for path in made.files] == ["segmentation.dcm", "measurements.dcm"]
    assert not made.isStored and database.stored == []
    segmentation, report = (pydicom.dcmread(path) for path in made.files)
    assert [item.SegmentLabel for item in segmentation.SegmentSequence] == ["Liver", "Spleen", "Lesion 1"]
    assert segmentation.ContentDescription == "Liver, spleen, 1 lesion; automatic, not reviewed"
    assert report.StudyInstanceUID == segmentation.StudyInstanceUID
    labels, pixels = doubles.labels_array(), segmentation.pixel_array
    by_uid = {pydicom.dcmread(path).SOPInstanceUID: z for z, path in enumerate(database.files.values())}
    for frame, group in enumerate(segmentation.PerFrameFunctionalGroupsSequence):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        wanted = np.isin(labels[by_uid[source]], {1: (1, 3), 2: (2,), 3: (3,)}[number])
        assert np.array_equal(pixels[frame] > 0, wanted)


def test_an_edited_result_is_measured_first_and_says_so(logic, case, tmp_path):

    import pydicom

    from LiverSegSlicer.scene.fingerprint import editedSinceMeasured
    from LiverSegSlicer.scene.parts import volumeOf

    array = slicer.util.arrayFromSegmentBinaryLabelmap(case, "tumour", volumeOf(case))
    array[7:] = 0
    slicer.util.updateSegmentBinaryLabelmapFromArray(array, case, "tumour", volumeOf(case))
    made = logic.exportDicom(case, tmp_path / "out")
    assert not editedSinceMeasured(case)
    segmentation = pydicom.dcmread(made.files[0])
    types = {item.SegmentLabel: item.SegmentAlgorithmType for item in segmentation.SegmentSequence}
    assert types["Lesion 1"] == "SEMIAUTOMATIC" and types["Spleen"] == "AUTOMATIC"
    assert "edited, not accepted" in segmentation.ContentDescription


def test_an_accepted_result_names_its_reader(logic, case, tmp_path):
    import pydicom

    logic.accept(case, "Dr. Weber")
    made = logic.exportDicom(case, tmp_path / "out")
    segmentation = pydicom.dcmread(made.files[0])
    assert segmentation.ContentCreatorName == "Dr. Weber" and "accepted" in segmentation.ContentDescription


def test_the_database_gets_both_and_the_scene_knows_the_series(host, logic, case, database, tmp_path):

    import pydicom

    ending, told = Ending(), Told()
    logic.exportDicomAsync(case, tmp_path / "out", told, ending, store=True)
    host.waitFor(ending.happened)
    made, error = ending.only()
    assert error is None and made.isStored
    assert database.stored == ["segmentation.dcm", "measurements.dcm"]
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    uid = hierarchy.GetItemUID(hierarchy.GetItemByDataNode(case), "DICOM")
    assert uid == pydicom.dcmread(made.files[0]).SeriesInstanceUID
    assert "Writing the DICOM objects" in told.texts


def test_a_scan_that_did_not_come_from_dicom(logic, case, tmp_path):
    from LiverSegSlicer.scene.parts import volumeOf

    volumeOf(case).RemoveAttribute("DICOM.instanceUIDs")
    assert "not loaded from DICOM" in refused(logic, case, tmp_path / "out")


def test_files_that_left_the_database(logic, case, database, tmp_path):
    database.files[sorted(database.files)[3]] = str(tmp_path / "gone.dcm")
    assert "Some DICOM files" in refused(logic, case, tmp_path / "out")
    database.files.clear()
    assert "no longer in Slicer's DICOM database" in refused(logic, case, tmp_path / "out")
    database.isOpen = False
    assert "not open" in refused(logic, case, tmp_path / "out")


def test_a_scan_that_lies_elsewhere_than_its_files(logic, case, tmp_path):
    from LiverSegSlicer.scene.parts import volumeOf

    x, y, z = volumeOf(case).GetOrigin()
    volumeOf(case).SetOrigin(x + 3, y, z)
    assert refused(logic, case, tmp_path / "out")


class TestInstalling:
    def test_without_highdicom_nothing_is_installed_unasked(self, logic, case, tmp_path, monkeypatch):
        monkeypatch.setattr("LiverSegSlicer.exporting.isHighdicomThere", lambda: False)
        assert "needs the Python package highdicom" in refused(logic, case, tmp_path / "out")

    def test_it_is_installed_first_when_somebody_agreed(self, logic, case, tmp_path, monkeypatch):
        from LiverSegSlicer.work import engine_install, highdicom_install

        there, plans = [False], []

        def pipSteps(plan, run):
            plans.append(plan.requirement)
            there[0] = True
            yield None

        monkeypatch.setattr("LiverSegSlicer.exporting.isHighdicomThere", lambda: there[0])
        monkeypatch.setattr(highdicom_install, "isHighdicomThere", lambda: there[0])
        monkeypatch.setattr(engine_install, "pipSteps", pipSteps)
        monkeypatch.setattr(engine_install, "checkPlace", lambda *_: None)
        made = logic.exportDicom(case, tmp_path / "out", install=True)
        assert plans == ["highdicom==0.27.0"] and made.files[0].is_file()

    @pytest.mark.parametrize(
        ("pydicom", "version"), [("2.4.4", "0.22.0"), ("3.0.2", "0.27.0"), (None, "0.22.0")]
    )
    def test_the_version_fits_slicer_s_pydicom(self, slicerSession, monkeypatch, pydicom, version):
        from LiverSegSlicer.work import highdicom_install

        monkeypatch.setattr(highdicom_install, "installedVersion", lambda name: pydicom)
        assert highdicom_install.highdicomPlan().version == version
        question = highdicom_install.installQuestion()
        assert f"highdicom {version}" in question and "1 MB" in question and "25 MB" in question

    @pytest.mark.parametrize(
        ("version", "there"), [(None, False), ("0.21.1", False), ("0.22.0", True), ("0.28.2", True)]
    )
    def test_an_old_one_does_not_count(self, slicerSession, monkeypatch, version, there):
        from LiverSegSlicer.work import highdicom_install

        monkeypatch.setattr(highdicom_install, "installedVersion", lambda name: version)
        assert highdicom_install.isHighdicomThere() is there
