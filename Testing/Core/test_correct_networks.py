"""The small networks of corrections: what they see, what they say, and that their weights are there."""

from importlib import resources

import numpy as np
import pytest

from LiverSegLib.correct import Session, Stroke, refine
from LiverSegLib.correct.energy import change_probability
from LiverSegLib.correct.features import WAYS, features
from LiverSegLib.correct.local import Local
from LiverSegLib.correct.perceptron import Perceptrons, perceptrons, stacked, unpacked
from LiverSegLib.images.grid import NOT_SHEARED, Grid
from LiverSegLib.labels import LIVER, TUMOUR

SHAPE, SPACING = (12, 17, 20), (3.0, 2.0, 1.5)
LARGEST_BYTES, MOST_WEIGHTS = 1_000_000, 200_000


def local(target="tumor", include=True, network=True, seed=0):
    """A dark ball in noisy liver, a click in it, and a mask that holds a part of it."""
    rng = np.random.default_rng(seed)
    z, y, x = ((axis - middle) * step for axis, middle, step in zip(np.indices(SHAPE), (6, 8, 9), SPACING))
    ball = z**2 + y**2 + x**2 < 9**2
    inside = ball & (x > 3) if include else ball | ((z**2 + (y - 9) ** 2 + x**2) < 6**2)
    seeds = np.zeros(SHAPE, bool)
    seeds[(6, 8, 7) if include else (6, 13, 9)] = True
    opposed = np.zeros(SHAPE, bool)
    opposed[1, 1, 1] = True
    free = (~inside if include else inside) & ~seeds
    image = (np.where(ball, 60.0, 110.0) + rng.normal(0, 5, SHAPE)).astype(np.float32)
    share = np.clip(0.3 + 0.4 * inside + rng.normal(0, 0.1, SHAPE), 0, 1).astype(np.float32)
    return Local(
        target, include, image, inside, free, seeds, share if network else None, np.ones(SHAPE, bool),
        SPACING, 110.0, seeds.copy(), opposed,
    )  # fmt: skip


def moved(one, order, flips):
    """The same with axes exchanged and turned round."""

    def turn(values):
        return np.flip(np.transpose(values, order), [axis for axis in range(3) if flips[axis]])

    arrays = {name: turn(value) for name, value in vars(one).items() if isinstance(value, np.ndarray)}
    return Local(**{**vars(one), **arrays, "spacing": tuple(SPACING[axis] for axis in order)}), turn


@pytest.mark.parametrize(("target", "include"), [("tumor", True), ("tumor", False), ("liver", True)])
def test_features_are_finite_and_do_not_depend_on_how_the_axes_lie(target, include):
    here = local(target, include)
    there, turn = moved(here, (2, 0, 1), (True, False, True))
    ours, theirs = features(here), features(there)
    for name, values in ours.items():
        assert np.isfinite(values).all(), name
        wanted = turn(values) if isinstance(values, np.ndarray) else values
        assert np.mean(np.abs(theirs[name] - wanted) > 1e-2) < 0.02, name


def test_without_ways_only_those_are_left_out():
    assert set(features(local())) - set(features(local(), ways=False)) == WAYS


@pytest.mark.parametrize("target", ["tumor", "liver", "spleen"])
@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("network", [True, False])
def test_only_free_voxels_have_a_probability(target, include, network):
    one = local(target, include, network)
    share = change_probability(one)
    assert share.dtype == np.float32 and share.shape == SHAPE
    assert (share[~one.free] == 0).all() and share.max() <= 1 and share[one.free].min() > 0


def test_the_lesion_is_more_probable_than_the_liver_around_it():
    one = local()
    dark = one.free & (one.image < 80)
    share = change_probability(one)
    assert share[dark].mean() > 0.5 > share[one.free & (one.image > 95)].mean()


def test_what_may_not_change_at_all_has_no_probability():
    one = local()
    assert not change_probability(Local(**{**vars(one), "free": np.zeros(SHAPE, bool)})).any()


def test_logits_are_those_of_the_layers_averaged_over_the_networks():
    first = ((np.float32([[1, -1], [0, 2]]), np.float32([0, 1])), (np.float32([[1], [3]]), np.float32([0.5])))
    second = ((np.float32([[2], [0]]), np.float32([1])),)
    arrays = {"tumor add/names": np.array(["like", "off"])}
    for number, layers in enumerate((first, second)):
        for depth, (weights, biases) in enumerate(layers):
            arrays[f"tumor add/{number}/{depth}/weights"] = weights
            arrays[f"tumor add/{number}/{depth}/biases"] = biases
    found = unpacked(arrays)["tumor add"]
    # Of (1, 2): the first network's hidden values are 1 and max(-1 + 4 + 1, 0) = 4, the second has none.
    assert found.names == ("like", "off")
    assert found.logits(np.float32([[1, 2]])) == pytest.approx([((1 + 12 + 0.5) + 3) / 2])


def test_features_are_stacked_in_the_order_asked_for():
    where = np.array([[[True, False, True]]])
    rows = stacked({"a": np.float32([[[1, 2, 3]]]), "b": 7.0}, ("b", "a"), where)
    assert rows.tolist() == [[7, 1], [7, 3]]


def test_the_weights_lie_in_the_package_and_are_small():
    file = resources.files("LiverSegLib.correct") / "perceptron.npz"
    assert 0 < len(file.read_bytes()) <= LARGEST_BYTES
    networks = perceptrons()
    assert set(networks) == {"tumor add", "tumor remove", "organ add", "organ remove"}
    arrays = [
        array for one in networks.values() for layers in one.members for pair in layers for array in pair
    ]
    assert sum(array.size for array in arrays) <= MOST_WEIGHTS
    assert all(np.isfinite(array).all() for array in arrays)


@pytest.mark.parametrize("kind", ["tumor add", "tumor remove", "organ add", "organ remove"])
def test_every_feature_that_the_networks_see_is_there(kind):
    one: Perceptrons = perceptrons()[kind]
    assert set(one.names) <= set(features(local()))
    for layers in one.members:
        assert layers[0][0].shape[0] == len(one.names) and layers[-1][0].shape[1] == 1


def test_around_wide_strokes_blocks_are_coarser(monkeypatch):
    grid = Grid((40, 40, 30), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), NOT_SHEARED)
    rng = np.random.default_rng(0)
    image = grid.image(rng.normal(100, 5, grid.shape).astype(np.int16))
    sizes = []

    def noted(one):
        sizes.append(one.image.size)
        return change_probability(one)

    monkeypatch.setattr(refine, "MOST_BLOCKS", 9_000)
    monkeypatch.setattr(refine, "change_probability", noted)
    work = Session(image, grid.image(np.full(grid.shape, LIVER, np.uint8)))
    centre = (40.0, 40.0, 30.0)
    work.refine("tumor", strokes=[Stroke([centre], 15.0)])
    assert sizes and max(sizes) <= 9_000 < np.prod(grid.shape)
    z, y, x = np.indices(grid.shape) * 2.0
    under = (z - 30) ** 2 + (y - 40) ** 2 + (x - 40) ** 2 <= 15.0**2
    assert (work._scene.labels[under] == TUMOUR).all()
