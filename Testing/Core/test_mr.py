"""MR through the whole core: read without HU, a model for it taken by itself, results without HU measures."""

import csv
import json
import shutil
from types import SimpleNamespace

import foreign_double
import numpy as np
import phantom
import pytest
import SimpleITK as sitk

import LiverSegLib
from LiverSegLib import networks
from LiverSegLib.cli import main
from LiverSegLib.errors import ModelError, ModelNotFoundError, NotCTError, UsageError
from LiverSegLib.images import list_series, read_scan
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.measure import Measurements, measure
from LiverSegLib.measure.facts import ClinicalFacts
from LiverSegLib.models import load_model_for
from LiverSegLib.models import store as store_module
from LiverSegLib.outputs import write_results
from LiverSegLib.worker.context import TaskContext
from LiverSegLib.worker.correct_messages import OpenCase, Refine
from LiverSegLib.worker.messages import Measure
from LiverSegLib.worker.tasks import work_off

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
SIGNAL = np.array([0, 400, 250, 700, 900])
"""Of air, liver, spleen, tumour and fat; in no unit."""
SIZE, SPACING = (80, 58, 18), (4.0, 4.0, 10.0)


def signal_of(ct_labels, ct):
    """An MR of the made-up patient: uint16 without negative values."""
    hu = sitk.GetArrayViewFromImage(ct)
    tissue = np.where(ct_labels > 0, ct_labels, np.where(hu > -500, 4, 0))
    image = sitk.GetImageFromArray(
        (SIGNAL[tissue] + np.random.default_rng(3).integers(0, 20, hu.shape)).astype(np.uint16)
    )
    image.CopyInformation(ct)
    return image


def bright_tissue(image):
    """A mask of liver (with its tumour) by signal, of a model that knows the liver alone."""
    values = sitk.GetArrayViewFromImage(image)
    return (((values >= 400) & (values < 420)) | ((values >= 700) & (values < 720))).astype(np.uint8)


def with_tumour(image):
    """The same of a model that knows tumours too."""
    values, labels = sitk.GetArrayViewFromImage(image), bright_tissue(image)
    labels[(values >= 700) & (values < 720)] = 2
    return labels


@pytest.fixture(scope="module")
def patient():
    """CT of the made-up patient and the MR of it."""
    ct, labels = phantom.patient(SIZE, SPACING)
    return SimpleNamespace(ct=ct, labels=labels, mr=signal_of(labels, ct))


@pytest.fixture
def none_for_mr(tmp_path, monkeypatch):
    """Of the bundled models only that for CT."""
    bundled = tmp_path / "bundled"
    shutil.copytree(store_module.bundled_models_folder() / "default", bundled / "default")
    monkeypatch.setattr(store_module, "bundled_models_folder", lambda: bundled)


@pytest.fixture
def store(tmp_path, monkeypatch, none_for_mr):
    """The user's models: one for MR, and the made-up one for CT; none for MR is bundled."""
    folder = tmp_path / "store"
    foreign_double.write_model_of(folder / "liver-mr", ["liver"], modality="MR")
    phantom.write_phantom_model(folder / "phantom")
    monkeypatch.setenv("LIVERSEG_MODELS", str(folder))
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    return folder


@pytest.fixture
def doubles(store, monkeypatch):
    return foreign_double.install(monkeypatch, {"liver-mr": bright_tissue, "lesions-mr": with_tumour})


@pytest.fixture
def result(doubles, patient):
    """The MR segmented by the model that was taken for it."""
    return LiverSegLib.segment(patient.mr, modality="MR", device="cpu")


def write_dicom(folder, image, modality="MR", **tags):
    """Write an image as a DICOM series, stored without rescaling, as MR is."""
    pytest.importorskip("pydicom")
    from test_dicom import dataset, save

    folder.mkdir()
    uid, voxels = f"1.2.826.7.{len(folder.name)}", sitk.GetArrayFromImage(image)
    for index, plane in enumerate(voxels):
        place = image.TransformIndexToPhysicalPoint((0, 0, index))
        about = {"Modality": modality, "class_uid": MR_IMAGE, "SeriesDescription": "T1 3D in-phase", **tags}
        data = dataset(plane.astype(np.int16), place, uid=uid, InstanceNumber=index + 1, **about)
        data.PixelSpacing, data.SliceThickness = [image.GetSpacing()[1], image.GetSpacing()[0]], 10
        data.BitsStored, data.HighBit = 16, 15
        data.PixelData = plane.astype("<u2").tobytes()
        del data.RescaleIntercept, data.RescaleSlope
        save(data, folder / f"{index:03d}.dcm")
    return folder


class TestReading:
    def test_a_file_is_mr_by_the_users_word_only(self, patient, tmp_path):
        path = tmp_path / "t1.nii.gz"
        sitk.WriteImage(patient.mr, str(path))
        with pytest.raises(NotCTError, match="--modality MR"):
            read_scan(path)
        scan = read_scan(path, modality="mr")
        assert (scan.kind, scan.modality) == ("MR", "MR")
        assert np.array_equal(sitk.GetArrayFromImage(scan.image), sitk.GetArrayFromImage(patient.mr))

    def test_nothing_is_cut_off_at_the_limits_of_16_bits(self, patient):
        bright = sitk.Cast(patient.mr, sitk.sitkInt32) * 50
        scan = read_scan(bright, modality="MR")
        assert scan.image.GetPixelID() == sitk.sitkFloat32
        assert np.array_equal(sitk.GetArrayFromImage(scan.image), sitk.GetArrayFromImage(bright))

    def test_what_is_no_image_is_refused_as_ever(self, patient):
        image = sitk.Cast(patient.mr, sitk.sitkFloat32)
        image[3, 3, 3] = float("nan")
        labels = sitk.Cast(patient.mr > 100, sitk.sitkUInt8)
        for wrong, words in ((image, "not numbers"), (labels, "label map"), (image[:, :, :1], "slice")):
            with pytest.raises(LiverSegLib.errors.InputError, match=words):
                read_scan(wrong, modality="MR")
        with pytest.raises(UsageError, match="no modality 'PET'"):
            read_scan(patient.mr, modality="PET")

    def test_dicom_says_it_itself_and_is_not_contradicted(self, patient, tmp_path):
        folder = write_dicom(tmp_path / "mr", patient.mr)
        scan = read_scan(folder)
        assert (scan.kind, scan.series.description) == ("MR", "T1 3D in-phase")
        assert np.array_equal(sitk.GetArrayFromImage(scan.image), sitk.GetArrayFromImage(patient.mr))
        assert [series.suitable for series in list_series(folder)] == [True]
        with pytest.raises(NotCTError, match="only images of modality MR"):
            read_scan(folder, modality="CT")
        with pytest.raises(NotCTError, match="says MR, not CT"):
            read_scan(folder / "003.dcm", modality="CT")

    def test_beside_a_ct_an_mr_is_taken_by_name_only(self, patient, tmp_path):
        write_dicom(tmp_path / "mr", patient.mr, SeriesNumber=7)
        from test_dicom import write_series

        write_series(tmp_path / "ct")
        assert read_scan(tmp_path).kind == "CT"
        assert read_scan(tmp_path, "7").kind == read_scan(tmp_path, modality="MR").kind == "MR"


class TestModels:
    def test_default_is_the_one_model_for_mr(self, store):
        assert load_model_for("default", "MR").name == "liver-mr"
        assert load_model_for("default", "CT").origin == "bundled"
        foreign_double.write_model_of(store / "another", ["liver"], modality="MR")
        with pytest.raises(ModelError, match="choose one of them: another, liver-mr"):
            load_model_for("default", "MR")
        foreign_double.write_model_of(store / "mr", ["liver"], modality="MR")
        assert load_model_for("default", "MR").name == "mr"

    def test_the_bundled_one_goes_before_the_users_whatever_those_are_called(self, tmp_path, monkeypatch):
        monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path))
        foreign_double.write_model_of(tmp_path / "another", ["liver"], modality="MR")
        model = load_model_for("default", "MR")
        assert (model.name, model.origin) == ("mr", "bundled")
        assert load_model_for("another", "MR").origin == "user"

    def test_without_one_a_sentence_says_how_to_add_it(self, patient, tmp_path, monkeypatch, none_for_mr):
        monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path))
        with pytest.raises(ModelNotFoundError, match="no model for MR .* liverseg models add"):
            LiverSegLib.segment(patient.mr, modality="MR", device="cpu")

    def test_each_model_refuses_the_other_modality(self, doubles, patient):
        with pytest.raises(
            ModelError, match=r"liver-mr is for images of another kind \(MR\); this scan is CT"
        ):
            LiverSegLib.segment(patient.ct, model="liver-mr", device="cpu")
        with pytest.raises(
            ModelError, match=r"phantom is for images of another kind \(CT\); this scan is MR"
        ):
            LiverSegLib.segment(patient.mr, model="phantom", modality="MR", device="cpu")
        assert not doubles.asked

    def test_a_segmenter_with_the_default_loads_the_one_for_mr_when_it_comes(
        self, doubles, patient, tmp_path
    ):
        segmenter = LiverSegLib.Segmenter("default", "cpu")
        assert not doubles.loaded
        folder = write_dicom(tmp_path / "mr", patient.mr)
        for _ in range(2):
            assert segmenter.segment(folder).provenance["model"]["name"] == "liver-mr"
        assert doubles.loaded == ["liver-mr"]

    def test_with_a_second_model_for_mr_the_default_is_that_for_mr(self, doubles, store):
        foreign_double.write_model_of(store / "lesions-mr", ["liver_tumor"], modality="MR")
        assert LiverSegLib.Segmenter("default", "cpu", tumours="lesions-mr").model.name == "liver-mr"
        with pytest.raises(ModelError, match="for images of another kind"):
            LiverSegLib.Segmenter("phantom", "cpu", tumours="lesions-mr")


class TestResults:
    def test_volumes_are_there_and_nothing_that_needs_hu(self, result, patient):
        found = result.measurements
        liver_ml = np.isin(patient.labels, (LIVER, TUMOUR)).sum() * np.prod(SPACING) / 1000
        assert found.organ("liver").volume_ml == pytest.approx(liver_ml, rel=0.02)
        assert found.organ("liver").mean_hu is None and found.phase is None and result.facts.phase is None
        assert (found.liver_spleen_ratio, found.liver_minus_spleen_hu) == (None, None)
        said = " ".join((*result.warnings, *found.warnings))
        assert not any(word in said for word in ("HU", "phase", "contrast", "spleen"))
        assert result.provenance["input"]["modality"] == "MR" and result.provenance["phase"] is None
        with pytest.raises(NotCTError, match="on CT only; this is an MR"):
            LiverSegLib.assess_steatosis(result)

    def test_what_the_model_does_not_draw_is_not_zero(self, result):
        content = json.loads(json.dumps(result.measurements.to_dict()))
        assert (content["modality"], content["tumour_burden_percent"], content["parenchyma_ml"]) == (
            "MR",
            None,
            None,
        )
        assert "CT only" in content["note"]
        organs = {organ["key"]: organ for organ in content["organs"]}
        for key in ("spleen", "tumour"):
            assert organs[key]["volume_ml"] is None and organs[key]["segmented"] is False
            assert organs[key]["warnings"] == []
        assert "segmented" not in organs["liver"]
        assert Measurements.from_dict(content) == result.measurements
        assert ClinicalFacts.from_dict(json.loads(json.dumps(result.facts.to_dict()))) == result.facts

    def test_the_same_holds_for_a_ct_model_without_spleen(self, patient):
        labels = Grid.of(patient.ct).image(np.where(patient.labels == 2, 0, patient.labels))
        found = measure(labels, patient.ct, phase="portal", not_segmented=("spleen",))
        assert not found.organ("spleen").segmented and found.organ("tumour").segmented
        assert found.organ("liver").mean_hu and "No spleen was found." not in found.warnings
        with_spleen = Grid.of(patient.ct).image(patient.labels)
        assert measure(with_spleen, patient.ct, not_segmented=("spleen",)).organ("spleen").segmented

    def test_lesions_have_sizes_and_no_attenuation(self, doubles, store, patient):
        keys = ["liver", "liver_tumor"]
        foreign_double.write_model_of(
            store / "lesions-mr", keys, modality="MR", minimum_lesion_ml={"unknown": 500}
        )
        found = LiverSegLib.segment(patient.mr, model="lesions-mr", modality="MR", device="cpu").measurements
        (lesion,) = found.lesions
        assert lesion.longest_diameter_mm > 20 and (lesion.mean_hu, lesion.sd_hu) == (None, None)
        assert found.tumour_burden_percent > 0 and found.parenchyma_ml > 0

    def test_files_and_report_leave_out_what_is_not_there(self, result, tmp_path):
        write_results(result, tmp_path / "out", rendering=False)
        page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert "tumors on MR" in page and "MR slice at the largest liver area" in page
        assert "measured on CT only" in page and "Not segmented." in page
        assert "no lesions were looked for" in page and "includes tumors" not in page
        for word in (
            "(HU)",
            "Contrast phase",
            "Fatty liver</h2>",
            "40/400",
            "CT slice",
            "No lesion was found",
        ):
            assert word not in page
        with open(tmp_path / "out" / "measurements.csv", encoding="utf-8", newline="") as file:
            rows = {row["structure"]: row for row in csv.DictReader(file)}
        assert list(rows) == ["Liver", "Spleen", "Liver tumor"]
        assert rows["Spleen"]["volume_ml"] == "" and rows["Spleen"]["warnings"] == "Not segmented."
        assert {row["mean_hu"] for row in rows.values()} == {""}
        content = json.loads((tmp_path / "out" / "measurements.json").read_text(encoding="utf-8"))
        assert "steatosis" not in content and content["facts"]["modality"] == "MR"

    def test_the_worker_measures_an_edited_mr_as_mr(self, result, tmp_path):
        array = sitk.GetArrayFromImage(result.labels)
        array[:, :, :30] = 0
        np.save(tmp_path / "voxels.npy", sitk.GetArrayFromImage(result.image))
        np.save(tmp_path / "labels.npy", array)
        summary = {
            "name": "t1", "measurements": result.measurements.to_dict(), "facts": result.facts.to_dict(),
            "provenance": result.provenance, "warnings": [],
        }  # fmt: skip
        (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
        context = TaskContext(tmp_path, lambda *progress: None, lambda: False, lambda *wanted: None)
        paths = {name: str(tmp_path / f"{name}.npy") for name in ("voxels", "labels")}
        request = Measure(
            "m", grid=Grid.of(result.image), summary=str(tmp_path / "summary.json"), edited=True, **paths
        )
        reply = work_off(request, context)
        again = json.loads((tmp_path / "result-m" / reply.summary).read_text(encoding="utf-8"))
        assert again["measurements"]["modality"] == "MR" and again["facts"]["phase"] is None
        assert (
            0 < again["measurements"]["organs"][0]["volume_ml"] < result.measurements.organ("liver").volume_ml
        )
        assert again["measurements"]["organs"][1]["segmented"] is False


class TestCorrecting:
    def test_a_click_on_an_mr_brings_back_a_part_of_the_liver(self, result, tmp_path):
        labels = sitk.GetArrayFromImage(result.labels)
        cut = labels.copy()
        cut[9, 20:36, 15:30] = 0
        np.save(tmp_path / "voxels.npy", sitk.GetArrayFromImage(result.image))
        np.save(tmp_path / "labels.npy", cut)
        context = TaskContext(tmp_path, lambda *progress: None, lambda: False, lambda *wanted: None)
        grid, paths = (
            Grid.of(result.image),
            {key: str(tmp_path / f"{key}.npy") for key in ("voxels", "labels")},
        )
        work_off(OpenCase("case", grid=grid, modality="MR", **paths), context)
        click = result.image.TransformIndexToPhysicalPoint((22, 28, 9))
        box = (0, grid.shape[0], 0, grid.shape[1], 0, grid.shape[2])
        reply = work_off(
            Refine("r", "case", "refine", "liver", box, paths["labels"], include=(click,)), context
        )
        assert reply.voxels_added > 0 and reply.voxels_removed == 0
        z, y, x = (slice(*reply.box[at : at + 2]) for at in (0, 2, 4))
        back = np.load(tmp_path / "result-r" / reply.labels) > 0
        assert (back & (labels[z, y, x] > 0)).sum() >= 0.9 * back.sum()


class TestCommand:
    def test_segment_says_what_is_missing_and_steatosis_refuses(self, doubles, patient, tmp_path, capsys):
        scan, out = tmp_path / "t1.nrrd", tmp_path / "out"
        sitk.WriteImage(patient.mr, str(scan))
        assert main(["segment", str(scan), "-o", str(out), "--no-report", "--modality", "mr"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert "not segmented" in shown and "(HU)" not in shown
        assert "measured on CT only" in shown and "Fatty liver" not in shown
        folder = write_dicom(tmp_path / "mr", patient.mr)
        assert main(["steatosis", str(folder), "--labels", str(out / "segmentation.nii.gz")]) == 3
        assert "This is no CT" in capsys.readouterr().err
