"""Models of other programs on odd scans, cancelled, in parts: with a network of thresholds."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from LiverSegLib.errors import CancelledError, ModelError, NotCTError
from LiverSegLib.images.grid import Grid
from LiverSegLib.inference.foreign.find import find_structures
from LiverSegLib.inference.foreign.intensity import nonzero_mask, scale_for
from LiverSegLib.inference.foreign.layout import Layout, nonzero_box
from LiverSegLib.inference.foreign.load import ForeignNetworks, ForeignStage, load_foreign
from LiverSegLib.inference.foreign.plan import centred_weight, fixed_steps, plan_tiles
from LiverSegLib.inference.foreign.table import structure_table
from LiverSegLib.labels import LABELS, LIVER, SPLEEN
from LiverSegLib.models import (
    FirstResampling,
    Intensity,
    Manifest,
    Model,
    Network,
    Output,
    Preparation,
    Region,
    Stage,
)

SCALE = 100.0
"""HU of one unit of the network's input."""


class Thresholds:
    """Scores of classes that are thresholds: 0 below 50 HU, 1 below 200 HU, 2 above."""

    out_channels = 3

    def __init__(self):
        self.tiles = []

    def run(self, tile, mirror_axes, poll):
        poll()
        self.tiles.append((tile.copy(), tuple(mirror_axes)))
        hu = tile[0] * SCALE
        return np.stack([50 - hu, np.minimum(hu - 50, 200 - hu), hu - 200]).astype(np.float32)


def stage(name="segment", **changes):
    """A stage at 4 x 3 x 3 mm (z, y, x) with tiles of 8 x 8 x 8."""
    return replace(
        Stage(
            name, Network("none", {}), f"{name}.safetensors", "0" * 64, (3.0, 3.0, 4.0), (8, 8, 8),
            Intensity("ct-percentile", clip=(-1000.0, 1000.0), mean=0.0, std=SCALE),
            Output("softmax", ("background", "liver", "bone"), {"liver": LIVER}),
            mirror_axes=(0, 1, 2), orientation="stored", preparation=Preparation(crop="nonzero"),
        ),
        **changes,
    )  # fmt: skip


def model(*stages, pipeline="nnunet"):
    return ForeignNetworks(
        pipeline, tuple(ForeignStage(one, (Thresholds(),)) for one in stages or (stage(),))
    )


def scan(shape=(12, 20, 18), spacing=(1.5, 1.5, 2.0), direction=None, seed=0):
    """A blurred block of 100 HU with a core of 400 HU in air (x, y, z spacing)."""
    values = np.full(shape, -1000.0)
    inner = tuple(slice(n // 5, n - n // 4) for n in shape)
    core = tuple(slice(n // 3, n - n // 3) for n in shape)
    values[inner], values[core] = 100, 400
    values += np.random.default_rng(seed).normal(size=shape)
    image = sitk.GetImageFromArray(np.rint(values).astype(np.int16))
    image.SetSpacing(spacing)
    if direction is not None:
        image.SetDirection(direction)
    return image


def nothing(*_):
    pass


def labels_of(networks, image, **options):
    return find_structures(networks, image, nothing, **options).structures.labels


@pytest.mark.parametrize("shape", [(1, 20, 18), (12, 1, 18), (1, 1, 1), (2, 3, 2), (40, 9, 31)])
def test_scans_of_any_size_are_labelled_voxel_by_voxel(shape):
    image = scan(shape)
    found = find_structures(model(), image, nothing)
    assert found.structures.labels.shape == found.probability.shape == shape
    values = sitk.GetArrayFromImage(image)
    if min(shape) > 8:  # the middle of the core is far from any border
        assert found.structures.labels[tuple(n // 2 for n in shape)] == 2
        assert found.structures.labels[0, 0, 0] == 0 and values[0, 0, 0] < -900


def test_an_empty_scan_has_no_structures():
    image = sitk.GetImageFromArray(np.zeros((5, 6, 7), np.int16))
    found = find_structures(model(), image, nothing)
    assert not found.structures.labels.any()
    assert [structure.key for structure in found.structures.table] == ["liver", "bone"]


def test_a_scan_without_finite_values_is_refused_in_words():
    image = sitk.GetImageFromArray(np.full((5, 6, 7), np.nan, np.float32))
    with pytest.raises(NotCTError, match="without a finite value"):
        find_structures(model(), image, nothing)


def test_a_network_of_one_plane_sees_each_slice_alone():
    flat = stage(patch=(8, 8), mirror_axes=(0, 1), preparation=Preparation(keep_spacing="z"))
    networks = model(flat)
    image = scan((7, 20, 18))
    labels = labels_of(networks, image, mirror=True)
    tiles = networks.stages[0].folds[0].tiles
    assert {tile.shape for tile, _ in tiles} == {(1, 1, 8, 8)}
    assert {axes for _, axes in tiles} == {(1, 2)}  # those of a tile (1, y, x)
    assert labels.shape == (7, 20, 18) and labels[3, 10, 9] == 2


@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
def test_turned_scans_get_the_same_labels_where_the_patient_is_the_same(orientation):
    """The network sees the patient, however the file has the axes."""
    image = scan((11, 20, 18))
    networks = model(stage(orientation=orientation))
    plain = Grid.of(image).image(labels_of(networks, image))
    for axes, flips in (((0, 1, 2), (True, False, True)), ((2, 0, 1), (False, True, False))):
        turned = sitk.Flip(sitk.PermuteAxes(image, axes), flips)
        again = Grid.of(turned).image(labels_of(model(stage(orientation=orientation)), turned))
        back = sitk.Resample(again, plain, sitk.Transform(), sitk.sitkNearestNeighbor)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(plain))
    first = np.unique(networks.stages[0].folds[0].tiles[0][0])
    assert first.size > 1


def test_the_layout_turns_x_to_the_right_and_y_to_the_front_for_ras():
    image = scan((3, 4, 5))  # LPS as it is
    view = Layout.of(image, stage(orientation="RAS")).apply(sitk.GetArrayViewFromImage(image))
    np.testing.assert_array_equal(view, sitk.GetArrayFromImage(image)[:, ::-1, ::-1])
    assert Layout.of(image, stage(axes="yzx")).spacing == (1.5, 2.0, 1.5)


def test_labels_of_an_oblique_scan_lie_on_its_own_grid():
    turn = sitk.VersorTransform((0.3, 0.2, 1.0), 0.4).GetMatrix()
    image = scan(direction=turn)
    np.testing.assert_array_equal(labels_of(model(), image), labels_of(model(), scan()))


def test_constant_tiles_are_computed_once():
    image = scan((24, 120, 120))
    voxels = sitk.GetArrayFromImage(image)
    voxels[:] = -1000
    voxels[:, 25:35, 25:35] = 100
    quiet = sitk.GetImageFromArray(voxels)
    quiet.SetSpacing(image.GetSpacing())
    networks = model()
    labels = labels_of(networks, quiet)
    flat = [tile for tile, _ in networks.stages[0].folds[0].tiles if np.ptp(tile) < 1e-4]
    assert len(flat) == 1
    assert labels[12, 30, 30] == 1 and labels[12, 5, 5] == 0


def test_cancelling_acts_at_a_tile_and_within_one():
    def after(calls):
        def cancel(*_):
            calls[0] -= 1
            if calls[0] < 0:
                raise CancelledError("stop")

        return cancel

    networks = model()
    with pytest.raises(CancelledError):
        find_structures(networks, scan(), after([2]))
    assert len(networks.stages[0].folds[0].tiles) == 1
    with pytest.raises(CancelledError):
        find_structures(model(), scan(), nothing, after([5]))


def test_memory_does_not_grow_with_the_number_of_slices():
    """Beyond the scan, its image, labels and probability there are only as many planes as a tile is deep."""
    peaks = []
    for slices in (40, 100):
        networks = model(stage(spacing=(3.0, 3.0, 2.0)))
        networks.stages[0].folds[0].out_channels = 3
        image = scan((slices, 32, 32), (3.0, 3.0, 2.0))
        tracemalloc.start()
        labels_of(networks, image)
        networks.stages[0].folds[0].tiles.clear()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    grown = (peaks[1] - peaks[0]) / (60 * 32 * 32)
    assert grown < 4 + 2 + 4 * 8 + 2  # float32 image, two uint8 results; the double's copies of its tiles


def test_a_cascade_hands_labels_on_as_channels():
    coarse = stage("lowres", spacing=(6.0, 6.0, 8.0))
    networks = model(coarse, stage(previous="lowres"))
    labels_of(networks, scan((20, 30, 28)))
    tiles = [tile for tile, _ in networks.stages[1].folds[0].tiles]
    assert {len(tile) for tile in tiles} == {3}  # the image, liver, bone
    channels = np.concatenate([tile[1:].ravel() for tile in tiles])
    assert set(np.unique(channels)) == {0.0, 1.0}
    assert not any((tile[1] * tile[2]).any() for tile in tiles)


def test_networks_side_by_side_share_a_result_and_the_later_has_precedence():
    first = Output("softmax", ("background", "soft", "bone"), {}, (0, 7, 9))
    second = Output("softmax", ("background", "spleen", "metal"), {"spleen": SPLEEN}, (0, 300, 4))
    brighter = Intensity("ct-percentile", clip=(-1000.0, 1000.0), mean=250.0, std=SCALE)
    networks = model(stage("part1", output=first), stage("part2", output=second, intensity=brighter))
    found = find_structures(networks, scan((20, 30, 28)), nothing)
    labels = found.structures.labels
    assert labels[10, 15, 14] == 300 and labels[10, 7, 7] == 7 and labels[0, 0, 0] == 0  # 400, 100, -1000 HU
    assert labels.dtype == np.uint16
    assert [structure.value for structure in found.structures.table] == [7, 9, 300, 4]
    assert [structure.label for structure in found.structures.table] == [0, 0, SPLEEN, 0]


def test_an_organs_box_limits_what_a_model_sees():
    image, organs = scan((20, 30, 28)), np.zeros((20, 30, 28), np.uint8)
    looking = stage(preparation=Preparation(region=Region(LIVER, 3.0)))
    organs[8:10, 12:15, 12:16] = LIVER
    labels = labels_of(model(looking), image, organs=organs)
    seen = np.zeros_like(organs)
    seen[7:11, 10:17, 10:18] = 1  # 3 mm are one slice of 2 mm and two pixels of 1.5 mm
    assert labels[seen == 1].all() and not labels[seen == 0].any()
    assert not labels_of(model(looking), image, organs=np.zeros_like(organs)).any()
    assert labels_of(model(looking), image).any()  # nobody knows where the liver is: the whole scan


def test_a_first_resampling_is_scipys_zoom_with_corners_that_stay():
    image = scan((9, 20, 18))
    first = FirstResampling((3.0, 3.0, 3.0), order=3)
    networks = model(stage(spacing=(3.0, 3.0, 3.0), patch=(6, 10, 9), preparation=Preparation(first=first)))
    labels = labels_of(networks, image)
    values = sitk.GetArrayFromImage(image).astype(float)
    zoomed = np.trunc(ndimage.zoom(values, (6 / 9, 10 / 20, 9 / 18), order=3, mode="mirror"))
    (tile,) = [tile for tile, _ in networks.stages[0].folds[0].tiles]
    hu = tile[0] * SCALE
    np.testing.assert_allclose(hu, np.rint(hu), atol=1e-3)
    # Where the spline meets a whole number, rounding decides which one remains.
    np.testing.assert_allclose(hu, np.clip(zoomed, -1000, 1000), atol=1.001)
    own = np.digitize(zoomed, (50, 200.5))
    nearest = ndimage.zoom(own, (9 / 6, 2.0, 2.0), order=0, mode="nearest")
    assert np.mean(labels != nearest) < 0.02


def test_monai_keeps_the_first_voxel_and_scales_after_resampling():
    window = Intensity("window", window=(-100.0, 300.0), scale=(0.0, 1.0))
    preparation = Preparation(image_order=1, tile_step=0.75)
    networks = model(stage(intensity=window, preparation=preparation), pipeline="monai")
    image = scan((9, 13, 13), (1.5, 1.5, 2.0))
    labels_of(networks, image)
    values = np.clip(sitk.GetArrayFromImage(image)[::2, ::2, ::2], -100, 300)
    tile = networks.stages[0].folds[0].tiles[0][0][0]
    np.testing.assert_allclose(tile[1:6, :7, :7], (values / 400 + 0.25)[:5], atol=1e-5)


def test_monais_tiles():
    assert fixed_steps(300, 96, 0.75) == [0, 72, 144, 204]
    assert fixed_steps(96, 96, 0.75) == [0]
    weight = centred_weight((8, 8, 8))
    assert weight.min() == pytest.approx(1e-3) and weight.argmax() == weight[::-1, ::-1, ::-1].argmax()
    plan = plan_tiles((5, 20, 9), (8, 8, 8), 0.75, "constant", spread=False)
    assert plan.before == (1, 0, 0) and plan.padded == (8, 20, 9) and plan.weight.max() == 1


def test_z_scores_use_the_voxels_that_are_not_zero():
    image = scan((9, 20, 18))
    voxels = sitk.GetArrayFromImage(image)
    voxels[:2] = 0
    voxels[5, 10, 10] = 0  # enclosed: it counts
    inside = nonzero_mask(voxels)
    assert not inside[:2].any() and inside[2:].all()
    scaled = scale_for(Intensity("zscore", nonzero=True), voxels, nothing).apply(voxels, np.s_[:, :, :])
    assert not scaled[:2].any()
    assert scaled[2:].mean() == pytest.approx(0, abs=1e-5) and scaled[2:].std() == pytest.approx(1, abs=1e-5)
    assert nonzero_box(voxels) == np.s_[2:9, 0:20, 0:18]
    assert nonzero_mask(voxels[2:]) is None
    flat = np.full((2, 3, 4), 5, np.int16)
    assert not scale_for(Intensity("zscore"), flat, nothing).apply(flat, np.s_[:, :, :]).any()


def test_the_table_of_a_hundred_structures_has_colors_that_differ():
    names = ("background", "liver", *(f"bone_{number}" for number in range(116)))
    table = structure_table(Output("softmax", names, {"liver": LIVER}))
    assert len(table) == 117 and table[0].colour == LABELS[LIVER].colour and table[1].name == "Bone 0"
    assert len({structure.colour for structure in table}) == 117


def test_a_model_that_wants_other_scores_is_refused(tmp_path):
    odd = stage(preparation=Preparation(scores_order=3))
    manifest = Manifest("odd", "1", "odd", (odd,), "none", pipeline="nnunet", format_version=2)
    with pytest.raises(ModelError, match="order 3"):
        load_foreign(Model(tmp_path, "folder", manifest), [])
