"""Tiles, resampling, devices, and what the tiles fall back to."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from engine_doubles import MPS, FakeEngine, failing, image_and_square, runner_of, running
from phantom import ByAttenuation

from LiverSegLib.errors import DeviceError, UsageError
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.images.resample import axis_aligned
from LiverSegLib.inference import devices, tile_plan
from LiverSegLib.inference.devices import choose_device, choose_devices, describe_devices
from LiverSegLib.inference.engines.torch import bounded_threads
from LiverSegLib.inference.label import classify, classify_at
from LiverSegLib.inference.resample import NetworkRegion, normalise, to_network
from LiverSegLib.inference.tile_plan import TilePlan, blending_weight, plan_tiles
from LiverSegLib.models import Intensity


@pytest.mark.parametrize("least", [False, True])
@pytest.mark.parametrize("shape", [(5, 6, 7), (16, 16, 16), (33, 20, 41), (64, 9, 24)])
def test_tiles_cover_every_voxel_and_stay_inside(shape, least):
    plan = plan_tiles(shape, (16, 16, 24), 4, least=least)
    covered = np.zeros(plan.padded, int)
    for start in plan.starts:
        assert all(s >= 0 and s + n <= p for s, n, p in zip(start, plan.size, plan.padded))
        covered[tuple(slice(s, s + n) for s, n in zip(start, plan.size))] += 1
    assert covered.min() >= 1
    assert all(p >= n for p, n in zip(plan.padded, shape))
    assert all(n % 4 == 0 for n in plan.size)
    assert len(set(plan.starts)) == len(plan.starts)


def test_a_patch_that_the_network_cannot_take_is_rounded_up():
    assert plan_tiles((40, 40, 40), (18, 30, 10), 8).size == (24, 32, 16)
    assert plan_tiles((40, 12, 9), (18, 30, 10), (8, 8, 4)).size == (24, 16, 12)


def test_tiles_may_be_as_small_as_their_overlap_allows():
    for length in range(3, 200):
        shape = (length, 40, 24)
        plain, small = plan_tiles(shape, (32, 32, 32), 8), plan_tiles(shape, (32, 32, 32), 8, least=True)
        assert len(small.starts) == len(plain.starts)
        assert all(few <= many for few, many in zip(small.size, plain.size))
        starts = sorted({start[0] for start in small.starts})
        for first, second in zip(starts, starts[1:]):
            assert second - first <= 0.75 * small.size[0] + 1  # starts are whole voxels
        one_less = small.size[0] - 8  # the next smaller that the network takes
        assert len(starts) == 1 or one_less * (1 + 0.75 * (len(starts) - 1)) < length
    assert plan_tiles((137, 121, 139), (64, 96, 128), 16).size == (64, 96, 128)
    assert plan_tiles((137, 121, 139), (64, 96, 128), 16, least=True).size == (64, 80, 80)


def rand(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32) * 2 - 1


@pytest.mark.parametrize("shape", [(5, 6, 7), (33, 20, 41)])
def test_blending_gives_back_what_a_voxelwise_network_says(shape):
    image = rand(*shape)
    logits = running(FakeEngine()).run(image, plan_tiles(shape, (16, 16, 24), 4))
    assert np.allclose(logits, np.stack([image, image**2]), atol=1e-5)


def test_tiles_run_side_by_side_where_the_engine_has_room():
    image, engine = rand(33, 20, 41), FakeEngine(at_once=3)
    logits = running(engine).run(image, plan_tiles(image.shape, (16, 16, 24), 4))
    assert np.allclose(logits, np.stack([image, image**2]), atol=1e-5)
    assert engine.calls[0][0] == 1 and engine.calls[1][0] == 3


def test_mirrored_tiles_are_mirrored_back():
    image, engine = rand(20, 20, 30), FakeEngine()
    plan = plan_tiles(image.shape, (16, 16, 24), 4)
    logits = running(engine).run(image, plan, mirror_axes=(0, 2))
    assert np.allclose(logits, np.stack([image, image**2]), atol=1e-5)
    assert len(engine.calls) == 4 * len(plan.starts)


def test_several_channels_go_to_the_network_together():
    image = rand(2, 9, 20, 30)
    engine = FakeEngine(lambda tiles: tiles[:, :1] - tiles[:, 1:], out_channels=1)
    logits = running(engine).run(image, plan_tiles(image.shape[1:], (8, 16, 24), 4))
    assert np.allclose(logits[0], image[0] - image[1], atol=1e-5)


def test_a_network_of_two_dimensions_gets_slices():
    image, engine = rand(5, 20, 30), FakeEngine(multiple=(4, 4))
    plan = plan_tiles(image.shape, (1, 16, 24), (1, 4, 4))
    logits = running(engine).run(image, plan, mirror_axes=(1,))
    assert np.allclose(logits, np.stack([image, image**2]), atol=1e-5)
    assert set(engine.calls) == {(1, 1, 16, 24)}


def test_a_weight_of_ones_averages_tiles():
    plan = TilePlan(((0, 0, 0), (0, 0, 2)), (4, 4, 6), (4, 4, 8))
    counting = iter((1.0, 3.0))
    engine = FakeEngine(lambda tiles: np.full_like(tiles, next(counting)), out_channels=1)
    logits = running(engine).run(rand(4, 4, 8), plan, weight=np.ones(plan.size, np.float32))
    assert logits[0, 0, 0].tolist() == [1, 1, 2, 2, 2, 2, 3, 3]


def test_tiles_of_air_are_not_computed_and_are_background():
    engine = FakeEngine()
    image = np.full((16, 16, 24), -1.0, np.float32)
    logits = running(engine).run(image, plan_tiles(image.shape, (16, 16, 24), 4))
    assert engine.calls == []
    assert (logits.argmax(0) == 0).all()


def test_the_weight_peaks_in_the_middle_and_never_vanishes():
    weight = blending_weight((9, 11, 13))
    assert weight.argmax() == weight.size // 2 and weight.dtype == np.float32
    assert weight.min() >= np.float32(tile_plan.LOWEST_WEIGHT)
    assert np.allclose(weight, np.flip(weight))


def test_progress_may_stop_the_work_between_tiles():
    class Stop(Exception):
        pass

    seen = []

    def progress(share):
        seen.append(share)
        if len(seen) == 3:
            raise Stop

    engine = FakeEngine()
    with pytest.raises(Stop):
        running(engine).run(rand(40, 40, 40), plan_tiles((40, 40, 40), (16, 16, 24), 4), progress=progress)
    assert len(engine.calls) == 2
    assert seen == sorted(seen)


OUT_OF_MEMORY = RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB")


@pytest.mark.parametrize(("failures", "kind", "fallbacks"), [(1, "mps", 1), (2, "cpu", 2)])
def test_memory_running_out_means_one_tile_at_a_time_and_then_the_cpu(failures, kind, fallbacks):
    left = [failures]

    def greedy(tiles):
        left[0] -= 1
        if left[0] >= 0:
            raise OUT_OF_MEMORY
        return image_and_square(tiles)

    graphics, processor = FakeEngine(greedy, MPS), FakeEngine()
    runner = runner_of([graphics, processor])
    runner._checked = True
    image = rand(20, 20, 20)
    logits = runner.run(image, plan_tiles(image.shape, (16, 16, 16), 4))
    assert np.allclose(logits[0], image, atol=1e-5)
    assert runner.device.kind == kind
    # at each failure, and at the end of the run by what computed
    assert (graphics.freed, processor.freed) == (2, kind == "cpu")
    assert len(runner.fallbacks) == fallbacks
    assert all("memory" in sentence for sentence in runner.fallbacks)


def test_memory_running_out_on_the_cpu_is_passed_on():
    with pytest.raises(RuntimeError, match="out of memory"):
        running(FakeEngine(failing(OUT_OF_MEMORY))).run(rand(8, 8, 8), plan_tiles((8,) * 3, (8,) * 3, 4))


def test_an_error_of_the_only_engine_is_passed_on():
    with pytest.raises(ValueError, match="broken"):
        running(FakeEngine(failing(ValueError("broken")))).run(
            rand(8, 8, 8), plan_tiles((8,) * 3, (8,) * 3, 4)
        )


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
    inside = ((hu + 100) / 200).clip(0, 1)
    labels, probability = classify(np.stack([1 - inside, inside]), region, volume, (0, 1))
    overlap = 2 * (mask & (labels == 1)).sum() / (mask.sum() + (labels == 1).sum())
    assert overlap > 0.95
    centre = np.argwhere(labels == 1).mean(0)
    assert np.allclose(centre, np.argwhere(mask).mean(0), atol=0.3)
    assert probability[labels == 1].min() >= 127


def test_a_box_is_resampled_where_it_lies():
    image, _ = ball((40, 40, 40), (2.0, 2.0, 2.0))
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, (slice(4, 20), slice(10, 30), slice(6, 40)), (2.0, 2.0, 2.0))
    assert np.array_equal(to_network(volume, region), volume.array[4:20, 10:30, 6:40])


def test_thinned_slices_do_not_shift_the_scan():
    spacing = (2.0, 2.0, 0.5)
    image, _ = ball((45, 45, 180), spacing)
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, volume.grid.box, (6.0, 6.0, 6.0))
    bright = to_network(volume, region) + 100
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
    assert normalise(np.array([-1000.0, 40.0, 900.0], np.float32), intensity).tolist() == pytest.approx(
        expected
    )


def test_zscore_normalises_by_the_image_itself():
    values = normalise(rand(1000) * 50 + 30, Intensity("zscore"))
    assert values.mean() == pytest.approx(0, abs=1e-4)
    assert values.std(ddof=1) == pytest.approx(1, abs=1e-3)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with bounded_threads(torch, 1):
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
    with pytest.raises(UsageError, match="abacus"):
        choose_device("cpu", engine="abacus")


@pytest.fixture
def installed(monkeypatch):
    """Which engines seem to be installed; on a processor without bfloat16."""
    names = list(devices.ENGINES)
    monkeypatch.setattr(devices, "installed_engines", lambda: [n for n in devices.ENGINES if n in names])
    monkeypatch.setattr(devices, "_cpu_facts", lambda: "model name : A processor\nflags : avx2")
    monkeypatch.setattr(devices, "graphics_driver", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    return names


def chosen(*arguments, **more):
    return [(device.engine, device.kind, device.precision) for device in choose_devices(*arguments, **more)]


def test_on_a_cpu_the_fastest_engine_comes_first_and_the_others_behind(installed):
    openvino, torch_, onnxruntime = (
        (name, "cpu", "float32") for name in ("openvino", "torch", "onnxruntime")
    )
    assert chosen() == [openvino, onnxruntime, torch_]
    installed.remove("openvino")
    assert chosen("auto") == chosen("cpu") == [onnxruntime, torch_]
    installed.remove("onnxruntime")
    assert chosen() == [torch_]
    assert choose_device().name == "A processor"


def test_an_engine_that_is_asked_for_has_no_other_behind_it(installed):
    assert chosen("cpu", engine="onnxruntime") == [("onnxruntime", "cpu", "float32")]
    installed.remove("onnxruntime")
    with pytest.raises(DeviceError, match="ONNX Runtime is not installed; available: OpenVINO, PyTorch"):
        choose_device(engine="onnxruntime")
    with pytest.raises(DeviceError, match="OpenVINO computes on the CPU only"):
        choose_device("cuda", engine="openvino")


def test_bfloat16_is_for_processors_that_compute_it_with_float32_behind(installed, monkeypatch):
    monkeypatch.setattr(devices, "_cpu_facts", lambda: "flags : avx512_bf16 amx_bf16")
    assert chosen("cpu", engine="openvino") == [
        ("openvino", "cpu", "bfloat16"),
        ("openvino", "cpu", "float32"),
    ]
    assert chosen("cpu", engine="onnxruntime") == [("onnxruntime", "cpu", "float32")]
    assert chosen("cpu", engine="torch", precision="float32") == [("torch", "cpu", "float32")]


def test_a_graphics_card_is_pytorchs_and_the_cpu_stands_behind_it(installed, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    assert chosen()[:2] == [("torch", "cuda", "float16"), ("openvino", "cpu", "float32")]
    installed.remove("torch")
    assert chosen()[0] == ("openvino", "cpu", "float32")
    with pytest.raises(DeviceError, match="CUDA needs PyTorch"):
        choose_device("cuda")


def test_without_a_driver_pytorch_is_not_loaded_to_look_for_a_card(installed, monkeypatch):
    monkeypatch.setattr(devices, "require_torch", lambda: pytest.fail("PyTorch was loaded"))
    monkeypatch.delitem(devices.sys.modules, "torch")
    assert chosen()[0] == ("openvino", "cpu", "float32")


def test_no_engine_at_all_is_a_sentence(installed):
    installed.clear()
    with pytest.raises(DeviceError, match="install OpenVINO, ONNX Runtime or PyTorch"):
        choose_device("cpu")
    assert describe_devices() == []


def test_an_engine_that_is_missing_is_not_looked_for_twice(monkeypatch):
    monkeypatch.setitem(devices.sys.modules, "torch", None)
    assert "torch" not in devices.installed_engines()


def test_the_phantom_network_tells_tissues_apart():
    network = ByAttenuation([-0.65, 0.1, 0.45, -0.15])
    assert network(torch.full((1, 1, 2, 2, 2), 0.1)).argmax(1).unique().tolist() == [1]


def run_ball(runner):
    image = rand(20, 20, 20, seed=1)
    logits = runner.run(image, plan_tiles(image.shape, (16, 16, 16), 4))
    assert np.allclose(logits, np.stack([image, image**2]), atol=1e-5)


@pytest.mark.parametrize(
    "compute, words",
    [
        (lambda tiles: image_and_square(tiles)[:, ::-1] * 3, "computes other results than the CPU"),
        (lambda tiles: image_and_square(tiles) * np.nan, "computes other results than the CPU"),
        (failing(NotImplementedError("ConvTranspose 3D is not supported on MPS")), "ConvTranspose 3D is not"),
    ],
)
def test_a_device_that_fails_or_computes_otherwise_is_not_used_and_that_is_said_once(compute, words):
    runner = runner_of([FakeEngine(compute, MPS), FakeEngine()])
    runner.new_scan()
    run_ball(runner)
    assert runner.device.kind == "cpu"
    assert len(runner.fallbacks) == 1 and words in runner.fallbacks[0] and "Apple GPU" in runner.fallbacks[0]
    runner.new_scan()
    run_ball(runner)
    assert runner.device.kind == "cpu" and runner.fallbacks == []


def test_a_device_that_computes_what_the_cpu_computes_is_used():
    runner = runner_of([FakeEngine(device=MPS), FakeEngine()])
    run_ball(runner)
    assert runner.device.kind == "mps" and runner.fallbacks == []


def test_a_device_that_breaks_in_the_middle_of_a_scan_leaves_it_to_the_cpu():
    graphics = FakeEngine(device=MPS)
    runner = runner_of([graphics, FakeEngine()])
    run_ball(runner)
    graphics.compute = failing(RuntimeError("CUDA error: unspecified launch failure\nmore"))
    run_ball(runner)
    assert runner.device.kind == "cpu"
    assert "unspecified launch failure)" in runner.fallbacks[0]


def test_a_fallback_for_lack_of_memory_lasts_for_one_scan():
    graphics = FakeEngine(device=MPS)
    runner = runner_of([graphics, FakeEngine()])
    run_ball(runner)
    graphics.compute = failing(RuntimeError("MPS backend out of memory"))
    runner.new_scan()
    run_ball(runner)
    assert runner.device.kind == "cpu" and "memory" in runner.fallbacks[-1]
    graphics.compute = image_and_square
    runner.new_scan()
    assert runner.device.kind == "mps" and runner.fallbacks == []
    run_ball(runner)
    assert runner.device.kind == "mps" and runner.fallbacks == []


def test_progress_does_not_run_backwards_when_a_device_breaks():
    graphics, seen, left = FakeEngine(device=MPS), [], [4]
    runner = runner_of([graphics, FakeEngine()])

    def compute(tiles):
        left[0] -= 1
        if not left[0]:
            raise RuntimeError("broken")
        return image_and_square(tiles)

    graphics.compute = compute
    image = rand(20, 20, 40)
    runner.run(image, plan_tiles(image.shape, (16, 16, 16), 4), progress=seen.append)
    assert runner.device.kind == "cpu"
    assert seen == sorted(seen) and seen.count(seen[2]) > 1


def test_an_oblique_scan_is_smoothed_as_an_aligned_one_is():
    noise = np.random.default_rng(5).normal(0, 20, (60, 90, 90))
    image = sitk.GetImageFromArray(np.round(noise).astype(np.int16))
    image.SetSpacing((0.7, 0.7, 1.0))
    volume = patient_order(image)
    region = NetworkRegion.over(volume.grid, volume.grid.box, (2.0, 2.0, 2.0))
    aligned = to_network(volume, region)[4:-4, 4:-4, 4:-4].std()
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
    scores = np.stack([np.zeros(region.shape, np.float32), np.ones(region.shape, np.float32)])
    labels, probability = classify_at(scores, region, volume, volume, (0, 1))
    assert labels[:15, :15, :15].all()
    labels[:15, :15, :15] = probability[:15, :15, :15] = 0
    assert not labels.any() and not probability.any()
