"""A second look at each lesion: its features, its likelihood, and what becomes of unlikely ones."""

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from measure_shapes import ball, centre_of, draw, empty_labels

import LiverSegLib
from LiverSegLib import networks
from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.measure.second_look import FEATURES, candidates, likelihood
from LiverSegLib.models import SecondLook
from LiverSegLib.models import second_look as in_manifest

UNLIKELY = {"weights": {"contrast": [0.0, 1.0, -10.0]}, "bias": 0.0, "least": 0.5}
LIKELY = {"weights": {"contrast": [0.0, 1.0, 10.0]}, "bias": 0.0, "least": 0.5}


def scene(spacing=(1.0, 1.0, 1.0)):
    """A liver with a dark ball inside, a bright rod, and a ball at its border; image, labels, probability."""
    labels = empty_labels((60, 50, 40), spacing)
    centre = centre_of(labels)
    labels = draw(labels, ball(centre, 19), LIVER)
    labels = draw(labels, ball(centre - (8, 0, 0), 5), TUMOUR)
    labels = draw(
        labels, lambda p: (np.abs(p - centre - (8, 0, 0)) <= np.array((1.5, 9, 1.5))).all(axis=-1), TUMOUR
    )
    labels = draw(labels, ball(centre + (0, 0, 17.5), 3), TUMOUR)
    mask = sitk.GetArrayFromImage(labels)
    values = np.full(mask.shape, -50, np.int16)
    values[mask == LIVER] = 100
    values[mask == TUMOUR] = 60
    right = np.arange(mask.shape[2]) > mask.shape[2] // 2 + 5
    values[(mask == TUMOUR) & right] = 130
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(labels)
    return image, labels, np.where(mask == TUMOUR, 204, 0).astype(np.uint8)


def by_place(found):
    """Dark ball, bright rod, ball at the border: the left, the right, the upper one."""
    return (
        min(found, key=lambda each: each.box[2].start), max(found, key=lambda each: each.box[2].start),
        max(found, key=lambda each: each.box[0].stop),
    )  # fmt: skip


def test_features_tell_a_ball_from_a_rod_and_from_what_lies_at_the_border():
    image, labels, probability = scene()
    found = candidates(labels, image, probability)
    assert len(found) == 3 and all(tuple(each.features) == FEATURES for each in found)
    dark, rod, border = (each.features for each in by_place(found))
    assert np.exp(dark["log_volume"]) == pytest.approx(4 / 3 * np.pi * 5**3 / 1000, rel=0.1)
    assert (dark["contrast"], dark["brighter"]) == (4.0, 0.0) and (rod["contrast"], rod["brighter"]) == (
        3.0,
        1.0,
    )
    assert dark["probability"] == pytest.approx(0.8) and dark["peak"] == pytest.approx(0.8)
    assert dark["elongation"] < 0.1 < 1.0 < rod["elongation"]
    assert dark["border"] == rod["border"] == 0.0 and 0.1 < border["border"] < 0.5


def test_features_do_not_depend_on_the_spacing_of_the_grid():
    fine, coarse = (
        [each.features for each in by_place(candidates(labels, image, probability))]
        for image, labels, probability in (scene(), scene((0.8, 0.8, 0.8)))
    )
    for one, other in zip(fine[:2], coarse[:2]):  # the rod is only a few voxels thick
        assert {name: one[name] for name in FEATURES} == pytest.approx(other, rel=0.15, abs=0.5)
        assert abs(one["log_volume"] - other["log_volume"]) < np.log(1.25**3) - 0.1, "counted in voxels"


def test_lesions_of_one_voxel_and_none_at_all():
    image, labels, probability = scene()
    mask = sitk.GetArrayFromImage(labels)
    mask[mask == TUMOUR] = LIVER
    empty = Grid.of(labels).image(mask)
    assert candidates(empty, image, probability) == []
    mask[20, 25, 30] = TUMOUR
    (one,) = candidates(Grid.of(labels).image(mask), image, probability)
    assert one.features["elongation"] == 0.0 and all(np.isfinite(v) for v in one.features.values())


def test_likelihood_is_that_of_a_logistic_regression():
    weights = {"log_volume": (1.0, 2.0, 3.0), "border": (0.5, 0.5, -1.0)}
    features = {"log_volume": 3.0, "border": 1.0, "peak": 9.0}
    assert likelihood(features, weights, -1.0) == pytest.approx(1 / (1 + np.exp(-(3 - 1 - 1))))
    assert 0 <= likelihood({"log_volume": -1e6, "border": 0.0}, weights, 0.0) < 1e-9


def test_a_manifest_says_it_and_is_refused_where_it_is_wrong():
    assert in_manifest.FEATURES == FEATURES
    look = SecondLook.read(UNLIKELY, "second_look")
    assert look.weights == {"contrast": (0.0, 1.0, -10.0)} and look.to_dict() == UNLIKELY
    for wrong in (
        {**UNLIKELY, "weights": {"color": [0, 1, 1]}}, {**UNLIKELY, "weights": {"peak": [0, 0, 1]}},
        {**UNLIKELY, "weights": {}}, {**UNLIKELY, "least": 1.5}, {"weights": {"peak": [0, 1, 1]}, "bias": 0},
    ):  # fmt: skip
        with pytest.raises(ModelCorruptError, match="second_look"):
            SecondLook.read(wrong, "second_look")


@pytest.mark.parametrize(
    ("look", "asked", "kept"), [(UNLIKELY, None, 0), (UNLIKELY, 0.1, 1), (LIKELY, None, 1)]
)
def test_what_is_unlikely_is_left_out_and_said_unless_a_size_was_asked_for(
    look, asked, kept, tmp_path, monkeypatch
):
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    image, truth = phantom.patient()
    model = phantom.write_phantom_model(tmp_path / "looks-twice", second_look=look)
    result = LiverSegLib.segment(image, model=str(model), device="cpu", minimum_lesion_ml=asked)
    assert len(result.measurements.lesions) == kept
    labels = sitk.GetArrayFromImage(result.labels)
    liver = np.isin(truth, (LIVER, TUMOUR))
    assert np.count_nonzero(np.isin(labels, (LIVER, TUMOUR)) ^ liver) < 0.05 * np.count_nonzero(liver)
    said = [text for text in result.warnings if "more likely a vessel" in text]
    rules = [step["rule"] for step in result.provenance["cleanup"]["steps"]]
    assert bool(said) == ("unlikely-tumours" in rules) == (kept == 0)
    if said:
        assert said[0].startswith("1 supposed lesion (") and result.provenance["left_out"] == said
