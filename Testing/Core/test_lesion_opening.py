"""Lesions lose their spikes: what no ball within them reaches, and what a run and a manifest make of it."""

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
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.masks.lesion_opening import spikes
from LiverSegLib.measure.diameters import longest_in_slices
from LiverSegLib.models import LesionOpening

SETTING = {"radius_mm": 4.0, "radius_share": 0.4}


def scene(spacing=(1.0, 1.0, 1.0), radius_mm=12.0):
    """A liver with a ball of a lesion. Returns mask and bool (z, y, x) of the ball."""
    labels = empty_labels(tuple(int(round(70 / step)) for step in spacing), spacing)
    centre = centre_of(labels)
    labels = draw(draw(labels, ball(centre, 33), LIVER), ball(centre, radius_mm), TUMOUR)
    return labels, sitk.GetArrayFromImage(labels) == TUMOUR


def with_tail(labels, width=3, length=14):
    """The mask with a tail on its lesion along x, ``width`` voxels wide."""
    mask = sitk.GetArrayFromImage(labels)
    z, y, x = (int(v) for v in np.argwhere(mask == TUMOUR).mean(0))
    end = int(np.flatnonzero(mask[z, y] == TUMOUR).max())
    mask[z - width // 2 : z + width // 2 + 1, y - width // 2 : y + width // 2 + 1, x : end + length] = TUMOUR
    return Grid.of(labels).image(mask)


def longest_mm(mask):
    """Longest diameter of a lesion on a grid of 1 mm."""
    return longest_in_slices(mask, np.array([1.0, 0, 0]), np.array([0, 1.0, 0])).longest_mm


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.5)])
def test_a_tail_goes_and_the_lesion_stays(spacing):
    labels, lesion = scene(spacing)
    tailed = with_tail(labels)
    tail = (sitk.GetArrayFromImage(tailed) == TUMOUR) & ~lesion
    narrow = spikes(tailed, **SETTING, least_ml=0.065)
    assert np.count_nonzero(narrow & tail) > 0.8 * np.count_nonzero(tail)
    assert np.count_nonzero(narrow & lesion) < 0.04 * np.count_nonzero(lesion)  # corners of voxels


def test_the_longest_diameter_is_right_again():
    labels, lesion = scene()
    tailed = with_tail(labels)
    drawn = sitk.GetArrayFromImage(tailed) == TUMOUR
    cut = drawn & ~spikes(tailed, **SETTING, least_ml=0.065)
    assert longest_mm(drawn) > longest_mm(lesion) + 10
    assert abs(longest_mm(cut) - longest_mm(lesion)) < 3


def test_a_lesion_in_which_no_ball_has_room_stays():
    labels, _ = scene(radius_mm=0.1)
    mask = sitk.GetArrayFromImage(labels)
    mask[30, 20:50, 35] = TUMOUR  # a line, one voxel wide
    assert not spikes(Grid.of(labels).image(mask), radius_mm=4, radius_share=0.9, least_ml=0).any()


def test_what_is_cut_off_stays_if_it_is_a_lesion_by_its_size():
    labels, lesion = scene()
    mask = sitk.GetArrayFromImage(labels)
    z, y, x = (int(v) for v in np.argwhere(lesion).mean(0))
    second = sitk.GetArrayFromImage(draw(labels, ball((35.0, 12.0, 35.0), 6), TUMOUR)) == TUMOUR
    mask[second] = TUMOUR
    mask[z, 12:y, x] = TUMOUR  # a thread between both
    joined = Grid.of(labels).image(mask)
    apart = second & ~lesion
    kept = spikes(joined, **SETTING, least_ml=0.065)
    assert np.count_nonzero(kept & apart) < 0.2 * np.count_nonzero(apart)
    gone = spikes(joined, **SETTING, least_ml=5.0)
    assert gone[apart].all() and not gone[lesion].all()


def test_without_lesions_nothing_is_cut_and_between_lesions_it_can_be_cancelled():
    labels, lesion = scene()
    mask = np.where(lesion, LIVER, sitk.GetArrayFromImage(labels)).astype(np.uint8)
    assert not spikes(Grid.of(labels).image(mask), **SETTING, least_ml=0.065).any()

    def check():
        raise CancelledError("cancelled")

    with pytest.raises(CancelledError):
        spikes(labels, **SETTING, least_ml=0.065, check=check)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), radius=st.floats(0.1, 10), share=st.floats(0.01, 0.99))
def test_only_lesions_are_cut_and_a_part_of_each_stays(seed, radius, share):
    mask = np.random.default_rng(seed).choice(np.array([0, 1, 2, 3], np.uint8), (6, 9, 10))
    labels = sitk.GetImageFromArray(mask)
    labels.SetSpacing((0.7, 0.9, 3.0))
    narrow = spikes(labels, radius_mm=radius, radius_share=share, least_ml=0.0)
    assert not narrow[mask != TUMOUR].any() and not narrow[mask == TUMOUR].all()


def test_a_manifest_says_it_and_is_refused_where_it_is_wrong():
    assert LesionOpening.read(SETTING, "lesion_opening").to_dict() == SETTING
    for wrong in ({**SETTING, "radius_mm": 0}, {**SETTING, "radius_share": 1}, {"radius_mm": 3}):
        with pytest.raises(ModelCorruptError, match="lesion_opening"):
            LesionOpening.read(wrong, "lesion_opening")


def test_a_run_takes_spikes_off_and_says_so_in_its_provenance(tmp_path, monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    image, labels = phantom.patient()
    tailed = sitk.GetArrayFromImage(with_tail(sitk.Cast(Grid.of(image).image(labels), sitk.sitkUInt8), 1, 8))
    values = sitk.GetArrayFromImage(image)
    values[(tailed == TUMOUR) & (labels != TUMOUR)] = phantom.HU["tumour"]
    scan = Grid.of(image).image(values)
    runs = []
    for name, extra in (("drawn", {}), ("opened", {"lesion_opening": SETTING})):
        model = phantom.write_phantom_model(tmp_path / name, **extra)
        runs.append(LiverSegLib.segment(scan, model=str(model), device="cpu"))
    drawn, opened = (sitk.GetArrayFromImage(run.labels) for run in runs)
    steps = [{step["rule"]: step for step in run.provenance["cleanup"]["steps"]} for run in runs]
    changed = drawn != opened
    assert changed.any() and set(drawn[changed]) == {TUMOUR} and set(opened[changed]) == {LIVER}
    assert "spikes-of-tumours" not in steps[0] and steps[1]["spikes-of-tumours"]["voxels"] == changed.sum()
    before, after = (run.probability[changed].astype(int) for run in runs)
    assert (before + after == 255).all() and (runs[0].probability == runs[1].probability)[~changed].all()
