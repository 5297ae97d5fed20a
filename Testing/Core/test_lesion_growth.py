"""Lesions grown to their borders: which voxels join, how far, and what a run and a manifest make of it."""

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_shapes import ball, centre_of, draw, empty_labels

import LiverSegLib
from LiverSegLib import networks
from LiverSegLib.errors import CancelledError, ModelCorruptError
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import BACKGROUND, LIVER, TUMOUR
from LiverSegLib.masks.lesion_growth import grown_lesions
from LiverSegLib.models import LesionGrowth

SETTING = {"evidence": 4.0, "least": 0.3, "reach_mm": 4.0, "reach_share": 0.5}


def scene(lesion_hu=60, drawn_mm=6.0, true_mm=8.0, spacing=(1.0, 1.0, 1.0), doubt=0.3):
    """A liver of 100 HU with a ball of which only the middle is drawn; the network doubts the rest of it.

    Returns:
        Mask, scan, probability, and bool (z, y, x) of the ball.
    """
    size = tuple(int(round(56 / step)) for step in spacing)
    labels = empty_labels(size, spacing)
    centre = centre_of(labels)
    labels = draw(labels, ball(centre, 25), LIVER)
    whole = sitk.GetArrayFromImage(draw(labels, ball(centre, true_mm), TUMOUR)) == TUMOUR
    labels = draw(labels, ball(centre, drawn_mm), TUMOUR)
    mask = sitk.GetArrayFromImage(labels)
    values = np.where(mask == BACKGROUND, -50, 100).astype(np.int16)
    values[whole] = lesion_hu
    certain = np.full(mask.shape, 250, np.uint8)
    certain[whole & (mask == LIVER)] = round(255 * (1 - doubt))
    return labels, Grid.of(labels).image(values), certain, whole


@pytest.mark.parametrize("lesion_hu", [60, 140])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.0)])
def test_a_lesion_that_is_drawn_too_small_grows_to_its_border_be_it_dark_or_bright(lesion_hu, spacing):
    labels, scan, certain, whole = scene(lesion_hu, spacing=spacing)
    drawn = sitk.GetArrayFromImage(labels) == TUMOUR
    added = grown_lesions(labels, scan, certain, **SETTING)
    assert not (added & drawn).any() and not (added & (sitk.GetArrayFromImage(labels) != LIVER)).any()
    grown = drawn | added
    assert np.count_nonzero(drawn) < 0.55 * np.count_nonzero(whole)
    assert np.count_nonzero(grown ^ whole) < 0.12 * np.count_nonzero(whole)


def test_it_stays_where_the_attenuation_is_that_of_the_liver_and_the_network_is_sure():
    labels, scan, certain, _ = scene(drawn_mm=8.0, true_mm=8.0)
    drawn = sitk.GetArrayFromImage(labels) == TUMOUR
    added = grown_lesions(labels, scan, certain, **SETTING)
    assert np.count_nonzero(added) < 0.05 * np.count_nonzero(drawn)


def test_doubt_alone_is_not_enough_where_attenuation_counts_but_is_where_it_does_not():
    labels, scan, certain, whole = scene(doubt=0.4)
    values = sitk.GetArrayFromImage(scan)
    values[whole & (sitk.GetArrayFromImage(labels) == LIVER)] = 100
    scan = Grid.of(labels).image(values)
    with_it = np.count_nonzero(grown_lesions(labels, scan, certain, **SETTING))
    without = np.count_nonzero(grown_lesions(labels, scan, certain, **{**SETTING, "evidence": 0.0}))
    assert with_it < 0.2 * without


@pytest.mark.parametrize(("limit", "most_mm"), [({"reach_mm": 1.0}, 1.0), ({"reach_share": 0.2}, 1.2)])
def test_no_lesion_grows_further_than_it_may(limit, most_mm):
    labels, scan, certain, _ = scene(drawn_mm=6.0, true_mm=14.0)
    setting = {**SETTING, "reach_mm": 20.0, "reach_share": 5.0}
    free = grown_lesions(labels, scan, certain, **setting)
    held = grown_lesions(labels, scan, certain, **{**setting, **limit})
    places = np.argwhere(held) - (np.array(held.shape) - 1) / 2
    assert 0 < np.count_nonzero(held) < 0.3 * np.count_nonzero(free)
    assert np.linalg.norm(places, axis=1).max() <= 6.0 + most_mm + 0.6


def test_what_does_not_touch_a_lesion_does_not_join_it():
    labels, scan, certain, whole = scene(drawn_mm=6.0, true_mm=6.0)
    values, certain = sitk.GetArrayFromImage(scan), certain.copy()
    place = tuple(int(v) for v in np.argwhere(whole).mean(0))
    apart = (
        slice(place[0] - 1, place[0] + 2),
        slice(place[1] - 1, place[1] + 2),
        slice(place[2] + 9, place[2] + 11),
    )
    values[apart], certain[apart] = 60, 120
    setting = {**SETTING, "reach_mm": 6.0, "reach_share": 5.0}
    assert not grown_lesions(labels, Grid.of(labels).image(values), certain, **setting)[apart].any()


def test_without_lesions_or_without_liver_around_nothing_grows():
    labels, scan, certain, _ = scene()
    mask = sitk.GetArrayFromImage(labels)
    for old, new in ((TUMOUR, LIVER), (LIVER, BACKGROUND)):
        changed = np.where(mask == old, new, mask).astype(np.uint8)
        assert not grown_lesions(Grid.of(labels).image(changed), scan, certain, **SETTING).any()


def test_between_two_lesions_it_can_be_cancelled():
    labels, scan, certain, _ = scene()

    def check():
        raise CancelledError("cancelled")

    with pytest.raises(CancelledError):
        grown_lesions(labels, scan, certain, **SETTING, check=check)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), evidence=st.floats(0, 10), least=st.floats(0.05, 0.95))
def test_only_liver_ever_joins_and_a_stricter_threshold_takes_no_more(seed, evidence, least):
    draws = np.random.default_rng(seed)
    mask = draws.choice(np.array([0, 1, 2, 3], np.uint8), (6, 9, 10), p=[0.2, 0.6, 0.1, 0.1])
    labels = sitk.GetImageFromArray(mask)
    labels.SetSpacing((0.7, 0.9, 3.0))
    scan = Grid.of(labels).image(draws.integers(-1000, 1500, mask.shape).astype(np.int16))
    certain = draws.integers(0, 256, mask.shape).astype(np.uint8)
    rest = {"evidence": evidence, "reach_mm": 5.0, "reach_share": 3.0}
    added = grown_lesions(labels, scan, certain, least=least, **rest)
    assert not added[mask != LIVER].any()
    stricter = grown_lesions(labels, scan, certain, least=(1 + least) / 2, **rest)
    assert not (stricter & ~added).any()


def test_a_manifest_says_it_and_is_refused_where_it_is_wrong():
    assert LesionGrowth.read(SETTING, "lesion_growth").to_dict() == SETTING
    for wrong in (
        {**SETTING, "least": 1.0}, {**SETTING, "evidence": -1}, {**SETTING, "reach_mm": 0},
        {**SETTING, "reach_share": "far"}, {"evidence": 1, "least": 0.5},
    ):  # fmt: skip
        with pytest.raises(ModelCorruptError, match="lesion_growth"):
            LesionGrowth.read(wrong, "lesion_growth")


def test_a_run_grows_lesions_and_says_so_in_its_provenance(tmp_path, monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    image, _ = phantom.patient()
    runs = []
    for name, growth in (("drawn", None), ("grown", {**SETTING, "evidence": 0.0, "least": 0.005})):
        extra = {} if growth is None else {"lesion_growth": growth}
        model = phantom.write_phantom_model(tmp_path / name, **extra)
        runs.append(LiverSegLib.segment(image, model=str(model), device="cpu"))
    drawn, grown = (sitk.GetArrayFromImage(run.labels) for run in runs)
    steps = [{step["rule"]: step for step in run.provenance["cleanup"]["steps"]} for run in runs]
    changed = drawn != grown
    assert changed.any() and set(drawn[changed]) == {LIVER} and set(grown[changed]) == {TUMOUR}
    assert "grown-tumours" not in steps[0] and steps[1]["grown-tumours"]["voxels"] == changed.sum()
    assert runs[1].measurements.organ("tumour").volume_ml > runs[0].measurements.organ("tumour").volume_ml
    before, after = (run.probability[changed].astype(int) for run in runs)
    assert (before + after == 255).all() and (runs[0].probability == runs[1].probability)[~changed].all()
