"""Tiles, resampling, devices, and the fallback when memory runs out."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from phantom import ByAttenuation
from torch import nn

from LiverSegLib.errors import DeviceError, UsageError
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.images.resample import axis_aligned
from LiverSegLib.inference import tiles
from LiverSegLib.inference.devices import Device, bounded_threads, choose_device, describe_devices
from LiverSegLib.inference.label import classify, classify_at
from LiverSegLib.inference.resample import NetworkRegion, normalise, to_network
from LiverSegLib.inference.tiles import TileRunner, blending_weight, plan_tiles
from LiverSegLib.models import Intensity

CPU = Device("cpu", "CPU", "float32", 1)


class Local(nn.Module):
    """Two channels that depend on single voxels only, so tiling must not change the result."""

    size_multiple, out_channels = 4, 2

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, image):
        self.calls.append(tuple(image.shape))
        return torch.cat([image, image**2], 1)


@pytest.mark.parametrize("shape", [(5, 6, 7), (16, 16, 16), (33, 20, 41), (64, 9, 24)])
def test_tiles_cover_every_voxel_and_stay_inside(shape):
    plan = plan_tiles(shape, (16, 16, 24), 4)
    covered = np.zeros(plan.padded, int)
    for start in plan.starts:
        assert all(s >= 0 and s + n <= p for s, n, p in zip(start, plan.size, plan.padded))
        covered[tuple(slice(s, s + n) for s, n in zip(start, plan.size))] += 1
    assert covered.min() >= 1
    assert all(p >= n for p, n in zip(plan.padded, shape))
    assert all(n % 4 == 0 for n in plan.size)
    assert len(set(plan.starts)) == len(plan.starts)


@pytest.mark.parametrize("shape", [(5, 6, 7), (33, 20, 41)])
def test_blending_gives_back_what_a_voxelwise_network_says(shape):
    image = torch.rand(shape) * 2 - 1
    logits = TileRunner(Local(), CPU).run(image, plan_tiles(shape, (16, 16, 24), 4))
    assert torch.allclose(logits, torch.stack([image, image**2]), atol=1e-5)


def test_mirrored_tiles_are_mirrored_back():
    image = torch.rand(20, 20, 30) * 2 - 1
    network = Local()
    logits = TileRunner(network, CPU).run(image, plan_tiles(image.shape, (16, 16, 24), 4), mirror_axes=(0, 2))
    assert torch.allclose(logits, torch.stack([image, image**2]), atol=1e-5)
    assert len(network.calls) == 4 * len(plan_tiles(image.shape, (16, 16, 24), 4).starts)


def test_tiles_of_air_are_not_computed_and_are_background():
    network = Local()
    logits = TileRunner(network, CPU).run(
        torch.full((16, 16, 24), -1.0), plan_tiles((16, 16, 24), (16, 16, 24), 4)
    )
    assert network.calls == []
    assert (logits.argmax(0) == 0).all()


def test_the_weight_peaks_in_the_middle_and_never_vanishes():
    weight = blending_weight((9, 11, 13))
    assert weight.argmax() == weight.numel() // 2
    assert weight.min() >= tiles.LOWEST_WEIGHT
    assert torch.allclose(weight, weight.flip(0, 1, 2))


def test_progress_may_stop_the_work_between_tiles():
    class Stop(Exception):
        pass

    seen = []

    def progress(share):
        seen.append(share)
        if len(seen) == 3:
            raise Stop

    network = Local()
    with pytest.raises(Stop):
        TileRunner(network, CPU).run(
            torch.rand(40, 40, 40), plan_tiles((40, 40, 40), (16, 16, 24), 4), progress=progress
        )
    assert len(network.calls) == 2
    assert seen == sorted(seen)


class Greedy(Local):
    """Runs out of memory as a GPU does until it has been asked a number of times."""

    def __init__(self, failures):
        super().__init__()
        self.failures = failures

    def __deepcopy__(self, memo):
        return self  # one count of failures for all

    def forward(self, image):
        if self.failures:
            self.failures -= 1
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return super().forward(image)


@pytest.mark.parametrize(("failures", "kind", "fallbacks"), [(1, "mps", 1), (2, "cpu", 2)])
def test_memory_running_out_means_one_tile_at_a_time_and_then_the_cpu(monkeypatch, failures, kind, fallbacks):
    placed = []

    def place(self, device):  # no GPU here: only remember where the network would go
        placed.append(device.kind)
        self._device = device

    monkeypatch.setattr(TileRunner, "_place", place)
    monkeypatch.setattr(torch.Tensor, "to", _stay_on_cpu(torch.Tensor.to))
    monkeypatch.setattr(TileRunner, "_infer", lambda self, batch: self._network(batch))
    runner = TileRunner(Greedy(failures), Device("mps", "Apple GPU", "float32", 1))
    image = torch.rand(20, 20, 20)
    monkeypatch.setattr(torch, "zeros", _on_cpu(torch.zeros))
    logits = runner.run(image, plan_tiles(image.shape, (16, 16, 16), 4))
    assert torch.allclose(logits[0], image, atol=1e-5)
    assert placed[-1] == kind
    assert len(runner.fallbacks) == fallbacks
    assert all("memory" in sentence for sentence in runner.fallbacks)


def _stay_on_cpu(original):
    return lambda self, *a, **k: self if a and isinstance(a[0], str) else original(self, *a, **k)


def _on_cpu(original):
    def zeros(*a, **k):
        k.pop("device", None)
        return original(*a, **k)

    return zeros


def test_memory_running_out_on_the_cpu_is_passed_on():
    with pytest.raises(RuntimeError, match="out of memory"):
        TileRunner(Greedy(99), CPU).run(torch.rand(8, 8, 8), plan_tiles((8, 8, 8), (8, 8, 8), 4))


def test_another_error_of_the_cpu_is_no_reason_for_a_fallback():
    class Broken(Local):
        def forward(self, image):
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        TileRunner(Broken(), CPU).run(torch.rand(8, 8, 8), plan_tiles((8, 8, 8), (8, 8, 8), 4))


def ball(size, spacing, radius=30.0):
    """A bright ball in HU on a grid; returns image, mask."""
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(size, spacing)]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    mask = x**2 + y**2 + z**2 < radius**2
    image = sitk.GetImageFromArray(np.where(mask, 100, -100).astype(np.int16))
    image.SetSpacing(spacing)
    return image, mask


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 2.0), (0.8, 0.8, 5.0), (1.0, 1.0, 0.5), (3.0, 3.0, 10.0)])
def test_there_and_back_keeps_a_ball_in_its_place(spacing):
    size = tuple(int(90 / s) for s in spacing)
    image, mask = ball(size, spacing)
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, volume.grid.box, (2.0, 2.0, 2.0))
    hu = to_network(volume, region)
    assert hu.shape == region.shape
    inside = ((hu + 100) / 200).clamp(0, 1)
    labels, probability = classify(torch.stack([1 - inside, inside]), region, volume, (0, 1))
    overlap = 2 * (mask & (labels == 1)).sum() / (mask.sum() + (labels == 1).sum())
    assert overlap > 0.95
    centre = np.argwhere(labels == 1).mean(0)
    assert np.allclose(centre, np.argwhere(mask).mean(0), atol=0.3)
    assert probability[labels == 1].min() >= 127


def test_a_box_is_resampled_where_it_lies():
    image, _ = ball((40, 40, 40), (2.0, 2.0, 2.0))
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, (slice(4, 20), slice(10, 30), slice(6, 40)), (2.0, 2.0, 2.0))
    assert torch.equal(
        to_network(volume, region), torch.from_numpy(volume.array[4:20, 10:30, 6:40].astype(np.float32))
    )


def test_thinned_slices_do_not_shift_the_scan():
    spacing = (2.0, 2.0, 0.5)
    image, _ = ball((45, 45, 180), spacing)
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, volume.grid.box, (6.0, 6.0, 6.0))
    bright = (to_network(volume, region) + 100).numpy()
    centre = (bright * np.arange(bright.shape[0])[:, None, None]).sum() / bright.sum()
    assert centre == pytest.approx((bright.shape[0] - 1) / 2, abs=0.1)


def test_padding_beyond_the_ct_range_does_not_leak():
    image = sitk.GetImageFromArray(np.full((8, 8, 8), -3024, np.int16))
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, (slice(0, 8),) * 3, (2.0, 2.0, 2.0))
    assert to_network(volume, region).min() == -1024


@pytest.mark.parametrize(
    ("intensity", "expected"),
    [(Intensity("window", window=(-160, 240), scale=(-1, 1)), [-1.0, 0.0, 1.0]),
     (Intensity("ct-percentile", clip=(-100, 200), mean=40.0, std=20.0), [-7.0, 0.0, 8.0])],
)  # fmt: skip
def test_normalisation_is_what_the_manifest_says(intensity, expected):
    assert normalise(torch.tensor([-1000.0, 40.0, 900.0]), intensity).tolist() == pytest.approx(expected)


def test_zscore_normalises_by_the_image_itself():
    values = normalise(torch.randn(1000) * 50 + 30, Intensity("zscore"))
    assert float(values.mean()) == pytest.approx(0, abs=1e-4)
    assert float(values.std()) == pytest.approx(1, abs=1e-3)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with bounded_threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_the_cpu_is_always_there():
    assert choose_device("cpu").kind == "cpu"
    assert "cpu" in [device["kind"] for device in describe_devices()]


def test_a_device_that_is_not_there_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="CUDA"):
        choose_device("cuda")


def test_nonsense_is_refused():
    with pytest.raises(UsageError, match="tpu"):
        choose_device("tpu")
    with pytest.raises(UsageError, match="int4"):
        choose_device("cpu", precision="int4")


def test_missing_torch_is_a_sentence(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DeviceError, match="PyTorch is not installed"):
        choose_device("cpu")
    assert describe_devices() == []


def test_the_phantom_network_tells_tissues_apart():
    network = ByAttenuation([-0.65, 0.1, 0.45, -0.15])
    assert network(torch.full((1, 1, 2, 2, 2), 0.1)).argmax(1).unique().tolist() == [1]


MPS = Device("mps", "Apple GPU", "float32", 1)


@pytest.fixture
def fake_device(monkeypatch):
    """A device named "mps" that is the CPU; returns a dict whose "compute" is what it does to a batch."""
    device = {"compute": lambda network, batch: network(batch)}

    def infer(self, batch):
        return device["compute"](self._network, batch) if self.device.kind == "mps" else self._network(batch)

    monkeypatch.setattr(TileRunner, "_place", lambda self, place: setattr(self, "_device", place))
    monkeypatch.setattr(torch.Tensor, "to", _stay_on_cpu(torch.Tensor.to))
    monkeypatch.setattr(torch, "zeros", _on_cpu(torch.zeros))
    monkeypatch.setattr(TileRunner, "_infer", infer)
    return device


def run_ball(runner):
    image = torch.rand(20, 20, 20, generator=torch.Generator().manual_seed(1))
    logits = runner.run(image, plan_tiles(image.shape, (16, 16, 16), 4))
    assert torch.allclose(logits, torch.stack([image, image**2]), atol=1e-5)


def _raise(error):
    def compute(network, batch):
        raise error

    return compute


@pytest.mark.parametrize(
    "compute, words",
    [
        (lambda network, batch: network(batch).flip(1) * 3, "computes other results than the CPU"),
        (lambda network, batch: network(batch) * float("nan"), "computes other results than the CPU"),
        (_raise(NotImplementedError("ConvTranspose 3D is not supported on MPS")), "ConvTranspose 3D is not"),
    ],
)
def test_a_device_that_fails_or_computes_otherwise_is_not_used_and_that_is_said_once(
    fake_device, compute, words
):
    runner = TileRunner(Local(), MPS)
    fake_device["compute"] = compute
    runner.new_scan()
    run_ball(runner)
    assert runner.device.kind == "cpu"
    assert len(runner.fallbacks) == 1 and words in runner.fallbacks[0] and "Apple GPU" in runner.fallbacks[0]
    runner.new_scan()
    run_ball(runner)
    assert runner.device.kind == "cpu" and runner.fallbacks == []


def test_a_device_that_computes_what_the_cpu_computes_is_used(fake_device):
    runner = TileRunner(Local(), MPS)
    run_ball(runner)
    assert runner.device.kind == "mps" and runner.fallbacks == []


def test_a_device_that_breaks_in_the_middle_of_a_scan_leaves_it_to_the_cpu(fake_device):
    runner = TileRunner(Local(), MPS)
    run_ball(runner)
    fake_device["compute"] = _raise(RuntimeError("CUDA error: unspecified launch failure\nmore"))
    run_ball(runner)
    assert runner.device.kind == "cpu"
    assert "unspecified launch failure)" in runner.fallbacks[0]


def test_a_fallback_for_lack_of_memory_lasts_for_one_scan(fake_device):
    runner = TileRunner(Local(), MPS)
    fake_device["compute"] = _raise(RuntimeError("MPS backend out of memory"))
    runner.new_scan()
    run_ball(runner)
    assert runner.device.kind == "cpu" and "memory" in runner.fallbacks[-1]
    fake_device["compute"] = lambda network, batch: network(batch)
    runner.new_scan()
    assert runner.device.kind == "mps" and runner.fallbacks == []
    run_ball(runner)
    assert runner.device.kind == "mps" and runner.fallbacks == []


def test_progress_does_not_run_backwards_when_a_device_breaks(fake_device):
    runner, seen, left = TileRunner(Local(), MPS), [], [4]

    def compute(network, batch):
        left[0] -= 1
        if not left[0]:
            raise RuntimeError("broken")
        return network(batch)

    fake_device["compute"] = compute
    image = torch.rand(20, 20, 40)
    runner.run(image, plan_tiles(image.shape, (16, 16, 16), 4), progress=seen.append)
    assert runner.device.kind == "cpu"
    assert seen == sorted(seen) and seen.count(seen[2]) > 1


def test_cancelling_is_asked_between_the_layers_of_a_tile():
    class Layered(Local):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*(nn.Identity() for _ in range(10)))

        def forward(self, image):
            return super().forward(self.layers(image))

    polls = []
    plan = plan_tiles((8, 8, 8), (8, 8, 8), 4)
    TileRunner(Layered(), CPU).run(torch.rand(8, 8, 8), plan, poll=lambda: polls.append(1))
    assert len(polls) == 10


def test_an_oblique_scan_is_smoothed_as_an_aligned_one_is():
    noise = np.random.default_rng(5).normal(0, 20, (60, 90, 90))
    image = sitk.GetImageFromArray(np.round(noise).astype(np.int16))
    image.SetSpacing((0.7, 0.7, 1.0))
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, volume.grid.box, (2.0, 2.0, 2.0))
    aligned = to_network(volume, region)[4:-4, 4:-4, 4:-4].numpy().std()
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    image.SetDirection([c, -s, 0, s, c, 0, 0, 0, 1])
    copy = sitk.GetArrayFromImage(axis_aligned(image, 2.0))
    middle = copy[6:-6, copy.shape[1] // 2 - 8 : copy.shape[1] // 2 + 8, copy.shape[2] // 2 - 8 :][:, :, :16]
    assert middle.std() == pytest.approx(aligned, rel=0.25)


def test_voxels_outside_the_searched_box_of_an_oblique_scan_are_never_labelled():
    image = sitk.GetImageFromArray(np.zeros((20, 20, 20), np.int16))
    volume = patient_order(image)
    box = (slice(0, 15), slice(0, 15), slice(0, 15))  # of the network's voxels 8 reach beyond
    region = NetworkRegion.over(volume.grid, box, (2.0, 2.0, 2.0))
    scores = torch.stack([torch.zeros(region.shape), torch.ones(region.shape)])
    labels, probability = classify_at(scores, region, volume, volume, (0, 1))
    assert labels[:15, :15, :15].all()
    labels[:15, :15, :15] = probability[:15, :15, :15] = 0
    assert not labels.any() and not probability.any()
