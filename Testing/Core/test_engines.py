"""Engines compute the same, stop when told, give way to each other; graphs hold what the weights hold."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk
from conftest import ROOT
from engine_doubles import CPU, FakeEngine, failing, image_and_square, runner_of

from LiverSegLib.errors import CancelledError, DeviceError, ModelCorruptError
from LiverSegLib.images import read_scan
from LiverSegLib.images.patient_order import patient_order
from LiverSegLib.inference.arrays import on_host, sigmoid, softmax
from LiverSegLib.inference.devices import ENGINES, Device, choose_devices
from LiverSegLib.inference.engines import describe_engine, load_engine
from LiverSegLib.inference.engines.export import HALF, NARROW, export_graph, export_model
from LiverSegLib.inference.engines.graph import check_onnx, read_graph
from LiverSegLib.inference.engines.messages import field, initializers
from LiverSegLib.inference.engines.shared_weights import with_weights, without_weights
from LiverSegLib.inference.resample import NetworkRegion, normalise, to_network
from LiverSegLib.inference.stage import stage_runner
from LiverSegLib.inference.tile_plan import plan_tiles
from LiverSegLib.inference.tiles import TileRunner
from LiverSegLib.models import load_model, open_tensors

STAGES = ("locate", "segment")


@pytest.fixture(scope="module")
def model():
    return load_model("default")


@pytest.fixture(scope="module")
def tile(model):
    """A cube (1, 1, 64, 64, 64) of the sample's liver, as the fine network sees it."""
    stage = model.manifest.stage("segment")
    volume = patient_order(read_scan(next((ROOT / "Resources" / "SampleData").glob("*.nii.gz"))).image)
    centre = [n // 2 for n in volume.array.shape]
    reach = [round(48 / s) for s in volume.grid.spacing[::-1]]
    box = tuple(slice(max(0, c - r), c + r) for c, r in zip(centre, reach))
    image = normalise(
        to_network(volume, NetworkRegion.over(volume.grid, box, stage.spacing)), stage.intensity
    )
    return np.ascontiguousarray(image[None, None, :64, :64, :64])


def engine_of(name, model, stage="segment"):
    return load_engine(model, model.manifest.stage(stage), 0, Device("cpu", "CPU", "float32", 1, name))


@pytest.fixture(scope="module")
def probabilities(model, tile):
    """What each engine makes of the tile: engine -> (4, z, y, x)."""
    return {name: softmax(engine_of(name, model).run(tile)[0]) for name in ENGINES}


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "torch"])
def test_every_engine_computes_what_pytorch_computes(probabilities, name):
    expected, found = probabilities["torch"], probabilities[name]
    assert np.abs(found - expected).max() < 2e-3
    labels = expected.argmax(0)
    assert {1, 3} & set(np.unique(labels))  # there is something to compare
    for label in np.unique(labels):
        a, b = labels == label, found.argmax(0) == label
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= 0.9995


@pytest.mark.parametrize("name", ENGINES)
def test_tiles_of_any_number_and_size_and_an_array_of_the_callers_own(model, name):
    engine = engine_of(name, model, "locate")
    tiles = np.random.default_rng(0).random((2, 1, 16, 32, 48), np.float32)
    both = engine.run(tiles)
    kept = both.copy()
    one = engine.run(tiles[1:])
    assert both.shape == (2, 3, 16, 32, 48) and np.array_equal(both, kept)
    assert np.allclose(one[0], both[1], atol=1e-3)
    assert engine.size_multiple == (16, 16, 16) and engine.out_channels == 3 and engine.tiles_at_once() == 1
    assert describe_engine(name) == engine.version


@pytest.mark.parametrize("name", ENGINES)
def test_cancelling_acts_within_a_tile_and_the_engine_works_again(model, name):
    engine = engine_of(name, model)
    tile = np.zeros((1, 1, 64, 96, 96), np.float32)
    raised = []

    def poll():
        raised.append(time.monotonic())
        raise CancelledError("Cancelled.")

    with pytest.raises(CancelledError):
        engine.run(tile, poll)
    assert time.monotonic() - raised[0] < 1.0 and len(raised) == 1
    assert np.isfinite(engine.run(tile[..., :32, :32], lambda: None)).all()


# ---- graphs


def whole_graph(model, stage):
    return read_graph(model, model.manifest.stage(stage), 0).onnx


@pytest.mark.parametrize("stage", STAGES)
def test_a_graph_holds_the_weights_bit_for_bit(model, stage):
    stored = open_tensors(model.read_weights(stage))
    held = initializers(whole_graph(model, stage))
    assert len(stored) > 20
    contents = {(shape, raw.tobytes()) for kind, shape, raw in held.values() if kind == HALF}
    for name, view in stored.items():
        content = (view.shape, view.data.tobytes())
        if name + NARROW in held:
            assert held[name + NARROW][0] == HALF
            assert (held[name + NARROW][1], held[name + NARROW][2].tobytes()) == content, name
        else:  # PyTorch's writer keeps one of equal tensors
            assert content in contents, name


def test_the_bundled_graph_is_what_export_writes(model, tile):
    stage = model.manifest.stage("locate")
    data = export_graph(model, stage)
    assert initializers(data).keys() == initializers(model.read_graph("locate")).keys()


@pytest.mark.parametrize("stage", STAGES)
def test_weights_lie_once_in_a_model_and_the_onnx_standard_finds_them(model, stage):
    described = model.manifest.stage(stage)
    graph = model.path / described.graph.file
    assert graph.stat().st_size < 40_000 < (model.path / described.weights).stat().st_size
    onnx = pytest.importorskip("onnx", reason="needs the package onnx: pip install onnx")
    from onnx import numpy_helper

    whole = initializers(whole_graph(model, stage))
    read = {each.name: numpy_helper.to_array(each) for each in onnx.load(str(graph)).graph.initializer}
    assert read.keys() == whole.keys()
    for name, array in read.items():
        assert array.tobytes() == whole[name][2].tobytes(), name


def onnx(*graph):
    """An ONNX file whose graph has these fields."""
    return field(1, 8) + field(7, b"".join(field(*part) for part in graph))


EXTERNAL = field(8, b"w") + field(13, field(1, b"location") + field(2, b"/etc/passwd")) + field(14, 1)
DEEP = b""
for _ in range(50):
    DEEP = field(1, field(5, field(6, DEEP)))  # node, attribute, graph


@pytest.mark.parametrize(
    "data, words",
    [
        (onnx((5, EXTERNAL)), "another file"),
        (onnx((5, field(8, b"w") + field(14, 1))), "another file"),
        (onnx((1, field(4, b"Constant") + field(5, field(5, EXTERNAL)))), "another file"),
        (onnx((1, field(5, field(6, field(5, EXTERNAL))))), "another file"),
        (onnx((15, field(1, EXTERNAL))), "another file"),
        (field(25, field(7, field(5, field(5, EXTERNAL)))), "another file"),
        (onnx((1, field(4, b"Evil") + field(7, b"com.example"))), "unknown operator"),
        (field(20, b""), "training"),
        (field(7, DEEP), "graphs within graphs"),
        (onnx((5, field(8, b"weight")))[:-2], "cut off"),
        (b"\xff" * 40, "damaged"),
        (b"\x0b", "damaged"),
        (field(7, 3), "damaged"),
    ],
)
def test_a_graph_that_asks_for_more_than_itself_or_is_damaged_is_refused(data, words):
    with pytest.raises(ModelCorruptError, match=words):
        check_onnx(data, "some")


def test_a_sound_graph_passes(model):
    for stage in STAGES:
        check_onnx(whole_graph(model, stage), "default")


def pointing(**known):
    """An ONNX file with a tensor whose bytes lie in another file."""
    pairs = [(13, field(1, key.encode()) + field(2, text.encode())) for key, text in known.items()]
    return onnx((5, field(8, b"w") + b"".join(field(*pair) for pair in pairs) + field(14, 1)))


@pytest.mark.parametrize(
    "known, words",
    [
        ({"location": "w.safetensors", "offset": "90", "length": "11"}, "not in their file"),
        ({"location": "w.safetensors", "offset": "-1", "length": "10"}, "not in their file"),
        ({"location": "w.safetensors", "offset": "0", "length": "-5"}, "not in their file"),
        ({"location": "w.safetensors", "offset": "ten", "length": "5"}, "invalid literal"),
        ({"location": "w.safetensors", "offset": "0"}, "no length"),
    ],
)
def test_a_graph_that_points_past_its_weights_is_refused(known, words):
    with pytest.raises(ValueError, match=words):
        with_weights(pointing(**known), "w.safetensors", lambda: bytes(100))


def test_a_graph_is_given_the_bytes_of_its_own_weights_and_of_no_other_file():
    weights = bytes(range(100))
    own = with_weights(
        pointing(location="w.safetensors", offset="7", length="5"), "w.safetensors", lambda: weights
    )
    assert bytes(initializers(own)["w"][2]) == weights[7:12]
    check_onnx(own, "some")
    for other in ("../w.safetensors", "/w.safetensors", "w.safetensors2", ""):
        data = pointing(location=other, offset="7", length="5")
        kept = with_weights(data, "w.safetensors", lambda: pytest.fail("nothing of it was asked for"))
        assert kept == data
        with pytest.raises(ModelCorruptError, match="another file"):
            check_onnx(kept, "some")


def test_a_model_whose_graph_points_past_its_weights_says_so(model, tmp_path):
    import hashlib
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(model.path, folder)
    bad = pointing(location="locate.safetensors", offset="0", length="99999999")
    (folder / "locate.onnx").write_bytes(bad)
    manifest = json.loads((folder / "model.json").read_text())
    manifest["stages"][0]["graph"]["sha256"] = hashlib.sha256(bad).hexdigest()
    (folder / "model.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelCorruptError, match="not in their file"):
        engine_of("onnxruntime", load_model(folder), "locate")


def test_weights_that_are_not_in_the_file_stay_in_the_graph():
    stored = np.arange(80, dtype=np.uint8).tobytes()
    header = json.dumps({"a": {"dtype": "U8", "shape": [80], "data_offsets": [0, 80]}}).encode()
    file = len(header).to_bytes(8, "little") + header + stored
    tensors = {"same": stored, "short": stored[:20], "other": stored[::-1], "empty": b""}
    data = onnx(*((5, field(8, name.encode()) + field(9, raw)) for name, raw in tensors.items()))
    shared = without_weights(data, "w.safetensors", file)
    held = {name: bytes(raw) for name, (_, _, raw) in initializers(shared).items()}
    assert held == {**tensors, "same": b""}
    back = initializers(with_weights(shared, "w.safetensors", lambda: file))
    assert {name: bytes(raw) for name, (_, _, raw) in back.items()} == tensors


def test_a_model_without_a_graph_is_pytorchs(model):
    import dataclasses

    stage = dataclasses.replace(model.manifest.stage("locate"), graph=None)
    assert stage_runner(model, stage, choose_devices("cpu")).device.engine == "torch"
    with pytest.raises(DeviceError, match="no ONNX graph for OpenVINO"):
        stage_runner(model, stage, choose_devices("cpu", engine="openvino"))


# ---- one engine gives way to the next

OPENVINO, ONNX_RUNTIME = (Device("cpu", "CPU", "float32", 1, name) for name in ("openvino", "onnxruntime"))
BFLOAT16 = Device("cpu", "CPU", "bfloat16", 1, "openvino")


def compute(runner):
    image = np.random.default_rng(1).random((20, 20, 20), np.float32)
    logits = runner.run(image, plan_tiles(image.shape, (16, 16, 16), 4))
    assert np.allclose(logits, np.stack([image, image**2]), atol=1e-5)


def loader(**errors):
    """Loads engines that work, or raises the error named for one."""

    def load(device):
        if device.engine in errors:
            raise errors[device.engine]
        return FakeEngine(device=device)

    return load


def test_an_engine_that_does_not_load_gives_way_in_words():
    missing = DeviceError("OpenVINO does not load.", "DLL load failed while importing _pyopenvino")
    runner = TileRunner(loader(openvino=missing), [BFLOAT16, OPENVINO, ONNX_RUNTIME, CPU])
    compute(runner)
    assert runner.device == ONNX_RUNTIME
    assert runner.fallbacks == [
        "OpenVINO failed (DLL load failed while importing _pyopenvino): ONNX Runtime is used instead."
    ]
    runner.new_scan()
    compute(runner)
    assert runner.device == ONNX_RUNTIME and runner.fallbacks == []


def test_engines_that_do_not_load_one_after_the_other():
    broken = {"openvino": RuntimeError("no operator"), "onnxruntime": RuntimeError("no model")}
    runner = TileRunner(loader(**broken), [OPENVINO, ONNX_RUNTIME, CPU])
    assert runner.device == CPU and len(runner.fallbacks) == 2
    with pytest.raises(RuntimeError, match="no model"):
        TileRunner(loader(**broken), [OPENVINO, ONNX_RUNTIME])


def test_damaged_weights_and_lack_of_memory_are_no_reason_for_another_engine():
    for error in (ModelCorruptError("The weights are damaged."), MemoryError()):
        with pytest.raises(type(error)):
            TileRunner(loader(openvino=error), [OPENVINO, CPU])


def test_an_engine_that_fails_in_the_middle_gives_way_in_words():
    first = FakeEngine(device=OPENVINO)
    runner = runner_of([first, FakeEngine(device=ONNX_RUNTIME)])
    compute(runner)
    first.compute = failing(RuntimeError("Exception from src/inference: broken\nmore"))
    compute(runner)
    assert runner.device == ONNX_RUNTIME
    assert runner.fallbacks == [
        "OpenVINO failed (Exception from src/inference: broken): ONNX Runtime is used instead."
    ]


def test_bfloat16_is_used_only_where_it_agrees_with_float32():
    good = FakeEngine(lambda tiles: image_and_square(tiles) + 1e-6, BFLOAT16)
    runner = runner_of([good, FakeEngine(device=OPENVINO)])
    compute(runner)
    assert runner.device == BFLOAT16 and runner.fallbacks == []
    bad = FakeEngine(lambda tiles: image_and_square(tiles)[:, ::-1] * 3, BFLOAT16)
    runner = runner_of([bad, FakeEngine(device=OPENVINO)])
    compute(runner)
    assert runner.device == OPENVINO
    assert runner.fallbacks == [
        "OpenVINO computes other results in bfloat16 than in float32: float32 is used instead."
    ]


# ---- the same code with either array library


def test_probabilities_are_the_same_with_numpy_and_pytorch():
    import torch

    logits = np.random.default_rng(2).normal(0, 4, (4, 5, 6, 7)).astype(np.float32)
    for function in (softmax, sigmoid):
        with_torch = function(torch.from_numpy(logits.copy()))
        assert isinstance(with_torch, torch.Tensor)
        assert np.allclose(on_host(with_torch), function(logits.copy()), atol=1e-6)


# ---- a process of its own

WATCH = """
import os, sys
seen = []
sys.addaudithook(lambda event, arguments: seen.append(event) if event.startswith("socket.") else None)
WORK
folder = "/proc/self/fd"  # of Linux: what a library in C opened is there too
places = [f"{folder}/{name}" for name in os.listdir(folder)] if os.path.isdir(folder) else []
opened = [os.readlink(place) for place in places if os.path.lexists(place)]
import json
print(json.dumps({
    "sockets": sorted(set(event for event in seen if event != "socket.__new__")),
    "open": [name for name in opened if name.startswith("socket:")],
    "modules": sorted({"torch", "openvino", "onnxruntime", "openvino_telemetry"} & set(sys.modules)),
}))
"""


SERVICES = ("CI", "GITHUB_ACTIONS", "TF_BUILD")
"""Variables by which libraries see that a service runs them, where they report nothing."""


def watched(work, room=None):
    """What a child process that does this work opened and loaded; its own files are in ``room``."""
    code = WATCH.replace("WORK", work)
    places = {} if room is None else dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(room))
    environment = {name: value for name, value in os.environ.items() if name not in SERVICES}
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=str(ROOT),
        env={**environment, **places},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The phantom's model with graphs, and its patient as a file."""
    import phantom

    from LiverSegLib import networks

    folder = tmp_path_factory.mktemp("exported")
    plain = phantom.write_phantom_model(folder / "plain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
        manifest = export_model(load_model(plain), folder / "model")
    assert [stage.graph.file for stage in manifest.stages] == ["locate.onnx", "segment.onnx"]
    sitk.WriteImage(phantom.patient()[0], str(folder / "scan.nii.gz"))
    return folder / "model", folder / "scan.nii.gz"


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_segmenting_opens_no_connection_loads_no_other_engine_and_leaves_no_file(engine, exported, tmp_path):
    model, scan = exported
    found = watched(
        "import LiverSegLib\n"
        f"scan, model, engine = {str(scan)!r}, {str(model)!r}, {engine!r}\n"
        "result = LiverSegLib.segment(scan, model=model, device='cpu', engine=engine)\n"
        "assert result.provenance['engine']['name'] == engine, result.provenance\n"
        "assert result.measurements.organ('liver').volume_ml > 500 and not result.provenance['fallbacks']",
        tmp_path,
    )
    # Since 1.29 ONNX Runtime's telemetry leaves a file where it runs, also where it finds no connection.
    assert [path.name for path in tmp_path.rglob("*")] == []
    assert found == {"sockets": [], "open": [], "modules": [engine]}


def test_whole_runs_agree_between_engines(exported, monkeypatch):
    import phantom

    import LiverSegLib
    from LiverSegLib import networks

    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    model, scan = exported
    results = [LiverSegLib.segment(scan, model=str(model), device="cpu", engine=engine) for engine in ENGINES]
    labels = [sitk.GetArrayFromImage(result.labels) for result in results]
    assert set(np.unique(labels[0])) == {0, 1, 2, 3}
    for other, result in zip(labels[1:], results[1:]):
        for label in (1, 2, 3):
            a, b = labels[0] == label, other == label
            assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= 0.9995
        assert np.abs(result.probability.astype(int) - results[0].probability).max() <= 1


def test_a_process_that_opens_a_connection_would_be_seen():
    found = watched(
        "import socket, threading\nserver = socket.create_server(('127.0.0.1', 0))\n"
        "client = socket.create_connection(server.getsockname())"
    )
    assert "socket.connect" in found["sockets"]
    assert found["open"] or not sys.platform.startswith("linux")
