"""The network for lesions: what it sees of a scan, and what its opinion changes."""

import json

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
import torch
from torch import nn

import LiverSegLib
from LiverSegLib import networks
from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.inference.lesion_channels import EMPTY, LIVER_HU, RELATIVE_HU, lesion_channels, liver_level
from LiverSegLib.inference.lesions import carried, lesion_probability, look_for_lesions
from LiverSegLib.inference.resample import NetworkRegion
from LiverSegLib.inference.segment import Segmented
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.masks.lesion_agreement import agreed_lesions
from LiverSegLib.models import load_model, write_model
from LiverSegLib.models.manifest import parse_manifest

TABLE = (0, LIVER, SPLEEN, TUMOUR)
CALLED = (LIVER, TUMOUR)


class Lighter(nn.Module):
    """Calls lesion what is brighter than the liver, within it."""

    size_multiple = 4
    out_channels = 2

    def __init__(self, in_channels: int = 3, says: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("says", torch.tensor([says]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(tiles, 3, z, y, x) -> (tiles, 2, z, y, x)."""
        lesion = 40 * torch.minimum(image[:, 1] - self.says, image[:, 2] - 0.5)
        return torch.stack([torch.zeros_like(lesion), lesion], 1)


@pytest.fixture(autouse=True)
def phantom_networks(monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    monkeypatch.setitem(networks.ARCHITECTURES, "Lighter", Lighter)


def with_lesions(folder, says=0.3, **changes):
    """The made-up model with a network for lesions behind it."""
    phantom.write_phantom_model(folder)
    manifest = json.loads((folder / "model.json").read_text())
    stage = {
        "name": "lesions", "spacing": [3, 3, 3], "patch": [32, 32, 40], "mirror_axes": [],
        "network": {"name": "Lighter", "arguments": {"in_channels": 3}},
        "intensity": {"scheme": "window", "window": [-160, 240], "scale": [-1, 1]},
        "output": {
            "activation": "softmax", "channels": {"0": "background", "1": "liver tumour"},
            "labels": {"liver tumour": TUMOUR},
        },
        **changes,
    }  # fmt: skip
    manifest["stages"].append(stage)
    model = load_model(str(folder))
    weights = {name: {"means": model.state_dict(name)["means"].numpy()} for name in ("locate", "segment")}
    write_model(folder, manifest, {**weights, "lesions": {"says": np.asarray([says], np.float32)}})
    return folder


class Watching:
    """In place of a stage on a device: keeps what it is shown, and says what it is told to."""

    channel_labels = (0, TUMOUR)
    air = -1.25

    def __init__(self, spacing=(3.0, 3.0, 3.0), answer=None):
        window = {"scheme": "window", "window": (-160.0, 240.0), "scale": (-1.0, 1.0)}
        self.stage = type("Stage", (), {"spacing": spacing, "intensity": type("Intensity", (), window)()})()
        self.answer, self.image = answer, None

    def plan(self, shape):
        """Tiles of multiples of 8."""
        return type("Plan", (), {"padded": tuple(-(-n // 8) * 8 for n in shape)})()

    def of_image(self, image, tick, check=None, *, mirror=False, skip_empty=True):
        """Class probabilities of the image."""
        self.image = image
        lesion = np.ones(image.shape[1:], np.float32) if self.answer is None else self.answer(image)
        return np.stack([1 - lesion, lesion])


def segmented(spacing=(2.0, 2.0, 5.0)):
    """A scan of the made-up patient, and a fine network's probabilities that are sure of the true labels."""
    image, labels = phantom.patient(spacing=spacing)
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, (slice(2, 34), slice(10, 106), slice(10, 140)), (1.5, 1.5, 1.5))
    truth = sitk.GetImageFromArray(labels)
    truth.CopyInformation(image)
    place = sitk.Resample(truth, region.grid.image(np.zeros(region.shape, np.uint8)), sitk.Transform(),
                          sitk.sitkNearestNeighbor)  # fmt: skip
    on_grid = sitk.GetArrayFromImage(place)
    scores = np.stack([np.where(on_grid == label, 0.94, 0.02) for label in TABLE]).astype(np.float32)
    return Segmented(scores, region, TABLE, ()), volume, on_grid


def nothing(_share):
    """Progress that nobody follows."""


def test_the_network_sees_the_scan_the_liver_and_how_much_each_voxel_differs_from_it():
    found, volume, truth = segmented()
    network = Watching()
    chance, box = lesion_probability(network, found, volume, nothing)
    window, relative, liver = network.image
    assert chance.dtype == np.float32 and chance.shape == truth[box].shape
    assert np.isin(truth, CALLED).sum() == np.isin(truth[box], CALLED).sum()
    assert all(edge % 8 == 0 for edge in window.shape)
    sure = liver > 0.5
    assert set(np.unique(liver)) == {0.0, 1.0}
    volume_ml = sure.sum() * 27 / 1000
    assert volume_ml == pytest.approx(np.isin(truth, CALLED).sum() * 3.375 / 1000, rel=0.03)
    difference = (phantom.HU["tumour"] - phantom.HU["liver"]) / RELATIVE_HU
    assert relative[sure].max() == pytest.approx(difference, abs=0.1)
    assert float(np.median(relative[sure])) == pytest.approx(0, abs=0.02)
    assert float(np.median(window[sure])) == pytest.approx((phantom.HU["liver"] - 40) / 200, abs=0.02)
    filled = network.image[:, -1, -1, -1]
    assert tuple(filled) == (network.air, *EMPTY), "beyond the scan there is air"


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 5.0), (3.0, 3.0, 2.0)])
def test_its_opinion_lands_where_it_was_formed(spacing):
    found, volume, truth = segmented(spacing)
    bright = Watching(answer=lambda image: (image[1] > 0.3).astype(np.float32) * image[2])
    chance, box = lesion_probability(bright, found, volume, nothing)
    truth = truth[box]
    both = 2 * ((chance > 0.5) & (truth == TUMOUR)).sum()
    assert both / ((chance > 0.5).sum() + (truth == TUMOUR).sum()) > 0.85
    middle = np.argwhere(chance > 0.5).mean(0) - np.argwhere(truth == TUMOUR).mean(0)
    assert np.abs(middle).max() < 0.5


def test_only_the_share_of_the_liver_that_is_lesion_changes():
    found, volume, _ = segmented()
    before = found.probability.copy()
    look_for_lesions(Watching(answer=lambda image: image[2] * 0.8), found, volume, nothing)
    after = found.probability
    assert np.array_equal(after[:1], before[:1]) and np.array_equal(after[2], before[2])
    both = before[1] + before[3]
    assert np.allclose(after[1] + after[3], both, atol=1e-6)
    inside, box = lesion_probability(Watching(answer=lambda image: image[2] * 0.8), found, volume, nothing)
    expected = before[3] / both
    expected[box] = agreed_lesions(expected[box], inside, both[box] > 0.5)
    assert np.allclose(after[3] / both, expected, atol=1e-5)
    assert inside.max() == pytest.approx(0.8) and inside.min() == 0


def two_opinions():
    """Two networks on a liver with four lesions, and the liver."""
    one, other = np.full((2, 10, 20, 40), 0.1, np.float32)
    one[3:6, 4:9, 3:8], other[3:6, 4:9, 4:10] = 0.9, 0.8  # seen by both, one voxel or two apart
    one[3:6, 4:9, 15:18] = 0.97  # one is sure, the other doubts
    other[3:6, 4:9, 15:18] = 0.3
    one[3:6, 4:9, 22:25], other[3:6, 4:9, 22:25] = 0.7, 0.02  # one invents it
    other[3:6, 4:9, 30:33] = 0.7  # so does the other
    liver = np.ones(one.shape, bool)
    liver[:, :, 35:] = False
    one[:, :, 37:] = 0.9
    return one, other, liver


def test_lesions_are_what_either_draws_and_both_believe_in():
    one, other, liver = two_opinions()
    agreed = agreed_lesions(one, other, liver)
    lesion = (agreed > 0.5) & liver
    assert set(np.flatnonzero(lesion[4, 6])) == {*range(3, 10), *range(15, 18)}
    assert agreed[4, 6, 5] == np.float32(0.9) and agreed[4, 6, 9] == np.float32(0.8)
    assert agreed[4, 6, 23] == np.float32(0.02) and agreed[4, 6, 31] == np.float32(0.1)
    assert agreed[4, 6, 12] == np.float32(0.1) and agreed.dtype == np.float32
    assert agreed[4, 6, 38] == np.float32(0.9), "outside the liver nothing is judged"
    assert np.array_equal(agreed, agreed_lesions(other, one, liver))


def test_without_lesions_the_higher_opinion_stays():
    one, other = np.full((2, 3, 4, 5), 0.2, np.float32)
    other[1] = 0.45
    assert np.array_equal(agreed_lesions(one, other, np.ones(one.shape, bool)), other)


def test_what_both_call_lesion_only_just_stays_and_what_they_doubt_is_below_half():
    one, other = np.full((2, 3, 4, 5), 0.0, np.float32)
    one[1, 1, 1], other[1, 1, 1] = 0.51, 0.5
    one[1, 1, 2] = 0.9  # touches it, and outweighs it
    agreed = agreed_lesions(one, other, np.ones(one.shape, bool))
    assert float(agreed.max()) < 0.5


def test_without_a_liver_nothing_is_looked_at():
    found, volume, _ = segmented()
    found.probability[...] = 0.25
    network = Watching()
    look_for_lesions(network, found, volume, nothing)
    assert network.image is None and np.all(found.probability == 0.25)


def test_values_carried_to_a_finer_grid_lie_where_they_were():
    _, volume, _ = segmented()
    coarse = NetworkRegion.over(volume.grid, (slice(4, 30), slice(20, 100), slice(20, 120)), (4.0, 4.0, 4.0))
    fine = NetworkRegion.over(volume.grid, (slice(8, 20), slice(40, 80), slice(0, 140)), (1.5, 1.5, 1.5))
    x = (np.arange(coarse.shape[2]) + 0.5) * coarse.steps[2] - 0.5 + coarse.box[2].start
    values = np.broadcast_to(x.astype(np.float32), coarse.shape)
    expected = (np.arange(fine.shape[2]) + 0.5) * fine.steps[2] - 0.5
    inside = (expected > x[0]) & (expected < x[-1])
    assert np.allclose(carried(values, coarse, fine)[0, 0][inside], expected[inside], atol=1e-2)


def test_the_livers_attenuation_needs_some_liver():
    hu = np.full((4, 6, 6), 71.0)
    liver = np.ones(hu.shape, bool)
    assert liver_level(hu, liver) == 71
    liver[1:] = False
    assert liver_level(hu, liver) == LIVER_HU
    image = lesion_channels(hu / 100, hu, liver, 11.0)
    assert image.shape == (3, 4, 6, 6) and image[1].max() == pytest.approx(60 / RELATIVE_HU)


def test_a_model_with_it_finds_the_lesion_and_a_network_that_sees_none_takes_it_away(tmp_path):
    image, _ = phantom.patient()
    plain = LiverSegLib.segment(
        image, model=str(phantom.write_phantom_model(tmp_path / "plain")), device="cpu"
    )
    seen = LiverSegLib.segment(image, model=str(with_lesions(tmp_path / "seen")), device="cpu")
    blind = LiverSegLib.segment(image, model=str(with_lesions(tmp_path / "blind", says=9.0)), device="cpu")
    volumes = [result.measurements.organ("tumour").volume_ml for result in (plain, seen, blind)]
    assert volumes[0] > 14 and volumes[1] == pytest.approx(volumes[0], rel=0.15)
    assert volumes[2] < 0.1 * volumes[0]
    livers = [result.measurements.organ("liver").volume_ml for result in (plain, seen, blind)]
    assert livers[1] == pytest.approx(livers[0], rel=1e-3) and livers[2] == pytest.approx(livers[0], rel=1e-3)


def test_where_another_model_draws_the_tumours_it_is_not_loaded(tmp_path):
    organs = with_lesions(tmp_path / "organs", says=9.0)
    tumours = phantom.write_phantom_model(tmp_path / "tumours")
    segmenter = LiverSegLib.Segmenter(str(organs), "cpu", tumours=str(tumours))
    assert segmenter._organs._networks.lesions is None
    image, _ = phantom.patient()
    assert segmenter.segment(image).measurements.organ("tumour").volume_ml > 14


def test_a_stage_for_lesions_draws_tumours_alone(tmp_path):
    output = {"activation": "softmax", "channels": {"0": "a", "1": "b"}, "labels": {"b": LIVER}}
    with pytest.raises(ModelCorruptError, match="label of tumours"):
        with_lesions(tmp_path / "model", output=output)


def test_it_needs_a_fine_network_that_knows_tumours(tmp_path):
    manifest = json.loads((with_lesions(tmp_path / "model") / "model.json").read_text())
    manifest["stages"][1]["output"]["labels"] = {"liver": LIVER, "spleen": SPLEEN}
    with pytest.raises(ModelCorruptError, match="beside lesions"):
        parse_manifest(json.dumps(manifest))


def test_models_of_other_programs_have_none(tmp_path):
    manifest = json.loads((with_lesions(tmp_path / "model") / "model.json").read_text())
    manifest.update(pipeline="nnunet", format_version=2)
    for stage in manifest["stages"]:
        stage["preparation"] = {}
    with pytest.raises(ModelCorruptError, match="other pipelines"):
        parse_manifest(json.dumps(manifest))
