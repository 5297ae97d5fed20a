"""Organs from one model and tumours from another, and structures beyond both, through the whole core."""

import json

import foreign_double
import numpy as np
import phantom
import pytest
import SimpleITK as sitk

import LiverSegLib
from LiverSegLib import networks
from LiverSegLib.errors import ModelError, UsageError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR

SEGMENTS = [f"liver_segment_{number}" for number in range(1, 9)]
TOTAL = ["spleen", "kidney_left", "gallbladder", "liver", "aorta"]
SECOND_CENTRE, SECOND_RADIUS = np.array([-20.0, 10.0, -10.0]), 14.0


def points(image):
    """LPS mm of each voxel, (z, y, x, 3)."""
    size, matrix = image.GetSize(), np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij"), -1)[..., ::-1]
    return indices @ matrix.T + image.GetOrigin()


def organs_of_total(image):
    """Liver with its tumour, spleen, and a gallbladder at the liver's lower edge."""
    at, labels = points(image), np.zeros(image.GetSize()[::-1], np.uint8)
    tissues = phantom.tissues(at)
    labels[np.isin(tissues, (1, 3))] = 4
    labels[tissues == 2] = 1
    labels[((at - (-50, -62, 0)) ** 2).sum(-1) < 10**2] = 3
    return labels


def eight_segments(image):
    """The liver cut into eight along x."""
    liver = np.isin(phantom.tissues(points(image)), (1, 3))
    part = np.clip(((points(image)[..., 0] + 125) / 150 * 8).astype(int), 0, 7) + 1
    return (liver * part).astype(np.uint8)


def other_tumour(image):
    """A tumour that is not where the phantom's is."""
    at = points(image)
    return (((at - SECOND_CENTRE) ** 2).sum(-1) < SECOND_RADIUS**2).astype(np.uint8)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Models: the phantom's own, and doubles of other programs'."""
    folder = tmp_path_factory.mktemp("store")
    phantom.write_phantom_model(folder / "phantom")
    foreign_double.write_model_of(folder / "total", TOTAL)
    foreign_double.write_model_of(folder / "segments", SEGMENTS)
    foreign_double.write_model_of(
        folder / "lesions", ["liver_tumor"], minimum_lesion_ml={"arterial": 900.0, "late": 0.2}
    )
    region = {"region": {"label": LIVER, "margin_mm": 10}}
    foreign_double.write_model_of(folder / "liver-only", SEGMENTS, region)
    foreign_double.write_model_of(folder / "lesions-in-liver", ["liver_tumor"], region)
    return folder


@pytest.fixture
def doubles(store, monkeypatch):
    monkeypatch.setenv("LIVERSEG_MODELS", str(store))
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    return foreign_double.install(
        monkeypatch,
        {"total": organs_of_total, "segments": eight_segments, "lesions": other_tumour,
         "liver-only": eight_segments, "lesions-in-liver": other_tumour},
    )  # fmt: skip


@pytest.fixture(scope="module")
def scan():
    return phantom.patient((107, 78, 26), (3.0, 3.0, 7.0))


def mask(result):
    return sitk.GetArrayFromImage(result.labels)


def test_organs_of_a_foreign_model_and_tumours_of_another(doubles, scan):
    image, truth = scan
    result = LiverSegLib.segment(image, model="total", tumours="lesions", device="cpu", minimum_lesion_ml=0.1)
    labels, expected = mask(result), other_tumour(image).astype(bool)
    assert np.array_equal(labels == TUMOUR, expected)
    liver = np.isin(labels, (LIVER, TUMOUR))
    true = np.isin(truth, (1, 3))
    assert 2 * np.sum(liver & true) / (liver.sum() + true.sum()) > 0.99
    assert np.array_equal(labels == SPLEEN, truth == 2)
    assert len(result.measurements.lesions) == 1
    assert result.measurements.organ("liver").voxels == liver.sum()


def test_tumours_of_a_foreign_model_in_the_liver_of_ones_own(doubles, scan):
    image, truth = scan
    result = LiverSegLib.segment(image, model="phantom", tumours="lesions", device="cpu", minimum_lesion_ml=0)
    labels = mask(result)
    assert np.array_equal(labels == TUMOUR, other_tumour(image).astype(bool))
    assert np.mean(labels[truth == 3] == LIVER) > 0.99  # the first model's own tumour is liver
    assert result.structures is None


def test_tumours_of_ones_own_model_in_the_liver_of_a_foreign_one(doubles, scan):
    image, truth = scan
    result = LiverSegLib.segment(image, model="total", tumours="phantom", device="cpu")
    found, true = mask(result) == TUMOUR, truth == 3
    assert 2 * np.sum(found & true) / (found.sum() + true.sum()) > 0.85
    assert {"read", "segment", "tumours", "clean", "measure"} <= set(result.provenance["seconds"])


def test_a_foreign_model_looks_for_tumours_around_the_liver_only(doubles, scan):
    image, _ = scan
    LiverSegLib.segment(image, model="total", tumours="lesions", device="cpu", minimum_lesion_ml=0)
    (_, whole, _), (name, part, _) = doubles.asked
    assert name == "lesions" and whole == image.GetSize()
    assert part[0] < 0.85 * whole[0]  # the liver is 150 mm wide, the scan 320


def test_a_model_that_sees_the_liver_alone_is_told_where_the_first_one_has_it(doubles, scan):
    LiverSegLib.segment(scan[0], model="total", tumours="lesions-in-liver", device="cpu", minimum_lesion_ml=0)
    assert doubles.asked[1][1] == scan[0].GetSize()  # it cuts out what it wants to see itself
    assert np.array_equal(doubles.organs["lesions-in-liver"] == LIVER, organs_of_total(scan[0]) == 4)


def test_a_first_model_that_sees_the_liver_alone_is_told_by_the_bundled_one(
    doubles, scan, store, monkeypatch
):
    """The bundled model does not know the phantom, so the phantom's own stands in for it."""
    monkeypatch.setattr("LiverSegLib.loaded_model.DEFAULT_NAME", str(store / "phantom"))
    result = LiverSegLib.segment(scan[0], model="liver-only", device="cpu")
    told, truth = np.isin(doubles.organs["liver-only"], (LIVER, TUMOUR)), np.isin(scan[1], (1, 3))
    assert 2 * np.sum(told & truth) / (told.sum() + truth.sum()) > 0.9
    assert "locate" in result.provenance["seconds"]
    assert any("liver-only sees was found by the model phantom" in n for n in result.provenance["notes"])


def test_provenance_names_both_models(doubles, scan):
    result = LiverSegLib.segment(scan[0], model="total", tumours="lesions", device="cpu", minimum_lesion_ml=0)
    first, second = result.provenance["model"], result.provenance["tumour_model"]
    assert (first["name"], second["name"]) == ("total", "lesions")
    assert len(second["sha256"]) == 64 and second["sha256"] != first["sha256"]
    assert (second["version"], second["licence"]) == ("2.1", "CC-BY 4.0")
    assert any("total" in note and "lesions" in note for note in result.provenance["notes"])
    json.dumps(result.provenance)


def test_the_least_lesion_is_that_of_the_model_that_draws_the_tumours(doubles, scan):
    result = LiverSegLib.segment(scan[0], model="total", tumours="lesions", device="cpu")
    assert result.facts.phase.phase == "arterial"
    assert result.provenance["options"]["minimum_lesion_ml"] == 900.0
    assert not result.measurements.lesions and result.facts.left_out


def test_the_same_model_for_both_is_loaded_and_run_once(doubles, scan, store):
    segmenter = LiverSegLib.Segmenter("phantom", "cpu", tumours=str(store / "phantom"), precision="float32")
    both = segmenter.segment(scan[0])
    assert segmenter.tumour_model is None and "tumour_model" not in both.provenance
    alone = LiverSegLib.Segmenter("phantom", "cpu", precision="float32").segment(scan[0])
    assert np.array_equal(mask(both), mask(alone))


@pytest.mark.parametrize("model, tumours", [("lesions", None), ("lesions", "total"), ("total", "segments")])
def test_a_model_that_cannot_do_its_part_is_refused_before_any_is_loaded(doubles, model, tumours):
    with pytest.raises(ModelError, match="draws no liver"):
        LiverSegLib.Segmenter(model, "cpu", tumours=tumours)
    assert not doubles.loaded


def test_a_model_for_other_images_is_refused_and_so_are_two_for_different_ones(doubles, store):
    foreign_double.write_model_of(store / "for-pet", TOTAL, modality="other")
    foreign_double.write_model_of(store / "for-mr", TOTAL, modality="MR")
    with pytest.raises(ModelError, match="other"):
        LiverSegLib.Segmenter("for-pet", "cpu")
    with pytest.raises(ModelError, match="MR"):
        LiverSegLib.Segmenter("for-mr", "cpu", tumours="lesions")


def test_mirroring_goes_to_every_model_that_allows_it(doubles, scan):
    LiverSegLib.segment(
        scan[0], model="total", tumours="lesions", device="cpu", mirror=True, minimum_lesion_ml=0
    )
    assert [mirror for _, _, mirror in doubles.asked] == [True, True]


def test_progress_runs_through_both_models_and_never_back(doubles, scan):
    told = []
    LiverSegLib.segment(
        scan[0],
        model="phantom",
        tumours="lesions",
        device="cpu",
        minimum_lesion_ml=0,
        progress=lambda *facts: told.append(facts),
    )
    fractions = [fraction for fraction, _, _ in told]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    stages = list(dict.fromkeys(stage for _, stage, _ in told))
    assert stages == ["read", "locate", "segment", "tumours", "clean", "measure", "done"]


def test_a_tumour_model_that_sees_no_liver_draws_no_tumours_and_says_so(doubles, scan, monkeypatch):
    monkeypatch.setattr("LiverSegLib.inference.locate.LOCATED_LIVER_ML", 1e6)
    result = LiverSegLib.segment(scan[0], model="total", tumours="phantom", device="cpu")
    assert not result.measurements.lesions
    assert any("phantom found no liver" in text for text in result.warnings)


def test_further_structures_are_kept_and_measured(doubles, scan):
    image, _ = scan
    result = LiverSegLib.segment(image, model="total", device="cpu")
    keys = [item.key for item in result.structures.table]
    assert keys == ["kidney_left", "gallbladder", "aorta"]  # in the model's order; liver, spleen are ours
    gallbladder = next(v for v in result.structure_volumes if v.structure.key == "gallbladder")
    found = organs_of_total(image) == 3
    assert np.array_equal(result.structures.labels == 3, found)
    assert gallbladder.voxels == found.sum()
    assert gallbladder.volume_ml == pytest.approx(found.sum() * 0.063)
    assert [v.voxels for v in result.structure_volumes if v.structure.key == "aorta"] == [0]


def test_segments_of_the_liver_are_the_liver_and_shares_of_it(doubles, scan):
    image, truth = scan
    result = LiverSegLib.segment(image, model="segments", tumours="phantom", device="cpu")
    labels, parts = mask(result), result.structures.labels
    assert np.any(labels == TUMOUR) and np.any(parts[labels == TUMOUR])  # a tumour lies in a segment too
    assert not np.any(parts[~np.isin(labels, (LIVER, TUMOUR))])
    shares = [volume.liver_percent for volume in result.structure_volumes]
    assert sum(shares) == pytest.approx(100, abs=0.5) and min(shares) > 0.1


@pytest.mark.parametrize(
    "names, kept",
    [((), None), (["aorta", "Kidney left"], ["kidney_left", "aorta"]), (["GALLBLADDER"], ["gallbladder"])],
)
def test_structures_are_chosen_by_key_or_name(doubles, scan, names, kept):
    result = LiverSegLib.segment(scan[0], model="total", device="cpu", structures=names)
    found = None if result.structures is None else [item.key for item in result.structures.table]
    assert found == kept
    assert [volume.structure.key for volume in result.structure_volumes] == (kept or [])
    if kept == ["gallbladder"]:
        assert set(np.unique(result.structures.labels)) == {0, 3}


@pytest.mark.parametrize("model, name, said", [
    ("total", "gallblader", "gallbladder"), ("phantom", "gallbladder", "nothing beyond"),
])  # fmt: skip
def test_an_unknown_structure_is_said_before_the_work(doubles, scan, model, name, said):
    with pytest.raises(UsageError, match=said):
        LiverSegLib.segment(scan[0], model=model, device="cpu", structures=[name])
    assert not doubles.asked
