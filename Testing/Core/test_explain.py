"""Why a model draws something: maps that find a planted cause, on their right place, cancelled, refused."""

import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from PIL import Image
from test_foreign_runs import stage as foreign_stage
from torch import nn
from torch.nn import functional

from LiverSegLib import networks
from LiverSegLib.cli import main
from LiverSegLib.errors import (
    CancelledError,
    DeviceError,
    InputError,
    ModelError,
    OutputError,
    UsageError,
)
from LiverSegLib.explain import Target, at_lesion, at_point, explain
from LiverSegLib.explain.methods import guided_backpropagation, score_over
from LiverSegLib.explain.tiles import foreign_tile, own_tile
from LiverSegLib.explain.writing import write_explanation
from LiverSegLib.images.grid import Grid
from LiverSegLib.inference import devices
from LiverSegLib.inference.foreign.laboratory import laboratory_image, laboratory_region
from LiverSegLib.inference.foreign.layout import Layout
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.measure import measure
from LiverSegLib.models import FirstResampling, Intensity, Preparation, load_model, store, write_model

TARGET = np.array([10.0, -5.0, 8.0])
CAUSE = TARGET + [10.0, 6.0, 0.0]
DECOY = TARGET - [10.0, 6.0, 0.0]
"""LPS mm: where is asked, what the answer depends on, and what is as large but speaks against it."""
OBLIQUE = sitk.VersorTransform((0.2, 0.5, 1.0), 0.15).GetMatrix()
FLIPPED = (0.0, -1.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0)


class Planted(nn.Module):
    """Calls a voxel tumor where there is something bright within 14 mm, and less so with something dark."""

    size_multiple = 1
    out_channels = 3

    def __init__(self, slow=0.0):
        super().__init__()
        self.slow = slow
        self.features = nn.Conv3d(1, 2, 3, padding=1, bias=False)
        self.act = nn.LeakyReLU(0.01, inplace=True)
        self.head = nn.Conv3d(2, 3, 15, padding=7, bias=False)
        with torch.no_grad():
            self.features.weight[0], self.features.weight[1] = 1 / 27, -1 / 27
            self.head.weight.zero_()
            self.head.weight[2, 0], self.head.weight[2, 1] = 1.0, -0.1

    def forward(self, image):
        features = self.features(image)
        time.sleep(self.slow)
        return self.head(self.act(features))


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model whose network is ``Planted``, at 2 mm."""
    monkeypatch.setitem(networks.ARCHITECTURES, "Planted", Planted)
    return written(tmp_path / "planted")


def written(folder, **arguments):
    stage = {
        "name": "segment", "network": {"name": "Planted", "arguments": arguments}, "spacing": [2, 2, 2],
        "patch": [28, 28, 28], "intensity": {"scheme": "window", "window": [-200, 200], "scale": [-1, 1]},
        "output": {
            "activation": "softmax", "labels": {"liver": 1, "liver tumour": 3},
            "channels": {"0": "background", "1": "liver", "2": "liver tumour"},
        },
    }  # fmt: skip
    manifest = {"format_version": 1, "name": "planted", "version": "1", "description": "looks for brightness",
                "licence": "none", "stages": [stage]}  # fmt: skip
    weights = {name: value.numpy() for name, value in Planted().state_dict().items()}
    write_model(folder, manifest, {"segment": weights})
    return folder


PLAIN = tuple(np.eye(3).ravel())


def scan(direction=PLAIN, spacing=(2.0, 1.5, 3.0), size=(40, 44, 30)):
    """A CT of 0 HU with a bright ball at CAUSE and a dark one at DECOY."""
    steps = np.reshape(direction, (3, 3)) * np.asarray(spacing)
    origin = TARGET - steps @ ((np.asarray(size) - 1) / 2)
    grid = Grid(size, spacing, tuple(origin.tolist()), tuple(float(v) for v in direction))
    z, y, x = np.indices(grid.shape).reshape(3, -1)
    points = grid.points(np.stack([x, y, z], 1)).reshape(*grid.shape, 3)
    hu = np.zeros(grid.shape, np.int16)
    hu[np.linalg.norm(points - CAUSE, axis=-1) < 6] = 150
    hu[np.linalg.norm(points - DECOY, axis=-1) < 6] = -150
    return grid.image(hu)


def brightest(image):
    """LPS mm of the middle of what is above half of an image's maximum."""
    array = sitk.GetArrayFromImage(image)
    z, y, x = np.nonzero(array > 0.5 * array.max())
    return Grid.of(image).points(np.stack([x, y, z], 1)).mean(0)


def target(label=TUMOUR):
    return Target(tuple(TARGET.tolist()), label)


@pytest.mark.parametrize(
    "direction", [tuple(np.eye(3).ravel()), FLIPPED, OBLIQUE], ids=["plain", "flipped", "oblique"]
)
def test_the_maps_lie_on_what_the_answer_depends_on(model, direction):
    image = scan(direction)
    found = explain(image, target(), model=model, layer="act")
    assert np.linalg.norm(brightest(found.grad_cam) - CAUSE) < 2.5
    for map_ in (found.grad_cam, found.guided):
        array = sitk.GetArrayFromImage(map_)
        assert array.dtype == np.float32 and array.min() >= 0 and 0.9 < array.max() <= 1
        part, whole = Grid.of(map_), Grid.of(image)
        first = whole.indices([part.origin])[0]  # voxels of the map are voxels of the scan
        assert np.allclose(first, np.rint(first), atol=1e-6) and part.spacing == whole.spacing
        assert part.direction == whole.direction
    # the decoy's features speak against it, and so do not count
    grid = Grid.of(found.grad_cam)
    x, y, z = np.rint(grid.indices([DECOY])[0]).astype(int)
    assert sitk.GetArrayFromImage(found.grad_cam)[z, y, x] == 0
    assert "liver tumor" in found.guide and "no proof" in found.guide


def test_what_no_feature_speaks_for_has_an_empty_map_and_says_so(model):
    found = explain(scan(), target(LIVER), model=model, layer="act")
    assert sitk.GetArrayFromImage(found.grad_cam).max() == 0 and "is empty" in found.guide


def test_guided_backpropagation_passes_positive_inputs_and_gradients_only():
    """By hand: units of inputs 2, -3, 5 with weights 1, 1, -1 to the score; the slope of 0.1 counts as 0."""
    image = torch.tensor([[[[2.0, -3.0, 5.0]]]])
    weights = torch.tensor([1.0, 1.0, -1.0])

    class Network(nn.Module):
        def forward(self, values):
            return functional.leaky_relu(values * 1, 0.1, inplace=True) * weights

    score = score_over(0, torch.ones(1, 3, dtype=torch.bool))
    assert guided_backpropagation(Network(), image, score).flatten().tolist() == [1.0, 0.0, 0.0]
    plain = image.clone().requires_grad_(True)
    score(Network()(plain)).backward()
    assert plain.grad.flatten().tolist() == pytest.approx([1.0, 0.1, -1.0])


def ramp(direction, axis):
    """A scan whose voxels hold their LPS coordinate along an axis, in mm."""
    steps = np.reshape(direction, (3, 3)) * np.array([2.0, 1.5, 3.0])
    grid = Grid((24, 26, 20), (2.0, 1.5, 3.0), (-20.0, -15.0, -30.0), tuple(direction))
    z, y, x = np.indices(grid.shape).reshape(3, -1)
    points = np.stack([x, y, z], 1) @ steps.T + grid.origin
    return grid.image(points[:, axis].reshape(grid.shape).astype(np.float32))


def assert_in_place(tile, axis, factor):
    """The tile's voxels hold the coordinate of where its grid says that they are, away from the edges."""
    z, y, x = np.indices(tile.grid.shape).reshape(3, -1)
    points = tile.grid.points(np.stack([x, y, z], 1)).reshape(*tile.grid.shape, 3)
    inner = tuple(slice(2, n - 2) for n in tile.values.shape)
    assert np.abs(tile.values[inner] * factor - points[inner][..., axis]).max() < 0.05


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("direction", [FLIPPED, OBLIQUE], ids=["flipped", "oblique"])
def test_tiles_lie_where_their_grid_says(model, direction, axis):
    image = ramp(direction, axis)
    middle = tuple(Grid.of(image).points([(12, 13, 10)])[0].tolist())
    stage = load_model(model).manifest.stages[0]
    small = replace(stage, patch=(12, 12, 12))
    assert_in_place(own_tile(image, small, middle, (1, 1, 1), lambda: None), axis, 200)
    first = Preparation(first=FirstResampling((2.5, 2.5, 2.5), whole_numbers=False))
    for changes in ({"orientation": "RAS"}, {"axes": "yxz"}, {"preparation": first}):
        other = foreign_stage(**{"preparation": Preparation(), **changes})
        assert_in_place(foreign_tile(image, other, "nnunet", middle, None, lambda: None), axis, 100)


def test_a_lesion_is_its_own_voxels_and_no_other():
    grid = Grid((30, 30, 30), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    labels = np.zeros(grid.shape, np.uint8)
    labels[5:9, 5:9, 5:9] = labels[20:23, 20:25, 20:25] = TUMOUR
    lesion = at_lesion(labels, grid, (22.0, 22.0, 42.0), 2)
    assert np.array_equal(lesion.voxels_of(grid), np.pad(labels[10:], ((10, 0), (0, 0), (0, 0))) == TUMOUR)
    with pytest.raises(InputError, match="Lesion 3"):
        at_lesion(labels, grid, (12.0, 12.0, 30.0), 3)
    with pytest.raises(InputError, match="Lesion 1"):
        at_lesion(np.zeros_like(labels), grid, (6.0, 6.0, 12.0), 1)


def test_a_place_is_given_as_slicer_shows_it():
    grid = Grid.of(scan())
    assert at_point(grid, (-10.0, 5.0, 8.0)).point == tuple(TARGET.tolist())
    for outside in ((500.0, 0.0, 0.0), (float("nan"), 0.0, 0.0)):
        with pytest.raises(InputError, match="outside"):
            at_point(grid, outside)


def test_cancelling_acts_within_a_second(tmp_path, monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "Planted", Planted)
    slow = written(tmp_path / "slow", slow=3.0)
    began = []

    def progress(fraction, key, text):
        if key == "look":
            began.append(time.monotonic())

    with pytest.raises(CancelledError):
        explain(scan(), target(), model=slow, progress=progress, cancel=lambda: bool(began))
    assert time.monotonic() - began[0] < 1


def test_what_cannot_be_explained_is_said(model, monkeypatch):
    with pytest.raises(ModelError, match="does not draw spleen"):
        explain(scan(), target(SPLEEN), model=model)
    with pytest.raises(UsageError, match="no layer 'nowhere'.*encoder, decoder"):
        explain(scan(), target(), model=model, layer="nowhere")
    cascade = foreign_stage(previous="locate")
    with pytest.raises(ModelError, match="an earlier one"):
        foreign_tile(scan(), cascade, "nnunet", (0.0, 0.0, 0.0), None, lambda: None)

    def missing():
        raise DeviceError("PyTorch is not installed.")

    monkeypatch.setattr(devices, "require_torch", missing)
    with pytest.raises(DeviceError, match="pip install torch"):
        explain(scan(), target(), model=model)


def test_files_are_written_all_or_none_and_never_over_those_of_the_user(model, tmp_path):
    image = scan(OBLIQUE)
    found = explain(image, target(), model=model)
    for _ in range(2):  # its own files are replaced
        files = write_explanation(tmp_path / "why", found, image, "scan", {})
    assert sorted(path.name for path in (tmp_path / "why").iterdir()) == [
        "explain-gradcam.nii.gz", "explain-guided.nii.gz", "explain.json", "explain.png", "explain.txt",
    ]  # fmt: skip
    read = sitk.ReadImage(str(files["gradcam"]))
    assert Grid.of(read).coincides(Grid.of(found.grad_cam)) and read.GetPixelID() == sitk.sitkFloat32
    assert np.array_equal(sitk.GetArrayFromImage(read), sitk.GetArrayFromImage(found.grad_cam))
    assert files["guide"].read_text().strip() == str(found.guide)
    (tmp_path / "hers").mkdir()
    (tmp_path / "hers" / "explain.png").write_text("hers")
    with pytest.raises(OutputError):
        write_explanation(tmp_path / "hers", found, image, "scan", {})
    assert [path.name for path in (tmp_path / "hers").iterdir()] == ["explain.png"]


@pytest.fixture
def ct(tmp_path):
    """A file with a scan that passes the checks of a CT."""
    image = sitk.GetArrayFromImage(scan())
    image[:, :3] = -1000
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(Grid.of(scan()).image(image), str(path))
    return path


def test_the_command_explains_a_place(model, ct, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["explain", str(ct), "--at", "-10,5,8", "--model", str(model), "-o", str(out), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["explanation"]["point_lps_mm"] == pytest.approx(TARGET.tolist())
    assert content["explanation"]["structure"] == "tumour" and (out / "explain-gradcam.nii.gz").exists()


def test_the_command_explains_a_lesion_of_an_earlier_result(model, ct, tmp_path, capsys):
    result = tmp_path / "result"
    result.mkdir()
    image = sitk.ReadImage(str(ct))
    bright = sitk.GetArrayFromImage(image) == 150
    labels = Grid.of(image).image(np.where(bright, TUMOUR, LIVER).astype(np.uint8))
    sitk.WriteImage(labels, str(result / "segmentation.nii.gz"))
    measured = measure(labels, image, phase="portal").to_dict()
    content = {"files": {"segmentation.nii.gz": ""}, "measurements": measured}
    (result / "measurements.json").write_text(json.dumps(content))
    how = ["explain", str(ct), "--result", str(result), "--model", str(model)]
    assert main([*how, "--lesion", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["explanation"]["lesion"] == 1
    provenance = {"model": {"name": "elsewhere"}, "tumour_model": {"name": str(model)}}
    (result / "measurements.json").write_text(json.dumps({**content, "provenance": provenance}))
    assert main([*how[:-2], "--lesion", "1", "--json"]) == 0  # the model that drew it
    assert json.loads(capsys.readouterr().out)["explanation"]["model"] == "planted 1"
    assert (result / "explain.png").exists()
    assert main([*how, "--lesion", "2"]) == InputError.exit_code
    assert "no lesion 2" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, said",
    [
        (["-o", "x"], "either --at"),
        (["--at", "1,2,3", "--lesion", "1", "-o", "x"], "either --at"),
        (["--at", "1,2", "-o", "x"], "three numbers"),
        (["--at", "1,2,3"], "where the files go"),
    ],
)
def test_the_command_says_what_it_lacks(ct, tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", str(ct), *words]) == UsageError.exit_code
    assert said in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_a_tile_of_the_laboratorys_models_is_a_part_of_what_they_segment():
    """Also of an MR, whose values run higher than those of CT."""
    image = ramp(FLIPPED, 2) * 200
    middle = tuple(Grid.of(image).points([(12, 13, 10)])[0].tolist())
    stage = foreign_stage(preparation=Preparation(), intensity=Intensity("zscore"))
    tile = foreign_tile(image, stage, "laboratory", middle, None, lambda: None)
    layout = Layout.of(image, stage)
    array = layout.apply(sitk.GetArrayViewFromImage(image))
    region = laboratory_region(array.shape, layout.spacing, (4.0, 3.0, 3.0))
    whole, _ = laboratory_image(array, region, stage.intensity, lambda: None)
    views = np.lib.stride_tricks.sliding_window_view(whole, tile.values.shape)
    assert np.isclose(views, tile.values, atol=1e-5).all((3, 4, 5)).any()
    spread = sitk.GetArrayFromImage(image).std()
    factor = spread / 200
    z, y, x = np.indices(tile.grid.shape).reshape(3, -1)
    place = tile.grid.points(np.stack([x, y, z], 1))[:, 2].reshape(tile.grid.shape)
    inner = (slice(2, -2),) * 3
    offset = (tile.values * factor - place)[inner]
    assert np.ptp(offset) < 0.5, "the highest values are not cut off"


def test_an_mr_is_explained_with_the_model_for_mr_and_shown_in_its_own_window(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(networks.ARCHITECTURES, "Planted", Planted)
    monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / "models"))
    bundled = tmp_path / "bundled"  # without a model for MR: the user's is taken by itself then
    shutil.copytree(store.bundled_models_folder() / "default", bundled / "default")
    monkeypatch.setattr(store, "bundled_models_folder", lambda: bundled)
    folder = written(tmp_path / "models" / "mr")
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**manifest, "name": "mr", "modality": "MR"}))
    path, out = tmp_path / "mr.nii.gz", tmp_path / "out"
    values = sitk.GetArrayFromImage(scan()).astype(np.int16) + 900
    values[0] += np.arange(values[0].size, dtype=np.int16).reshape(values[0].shape) % 90
    sitk.WriteImage(Grid.of(scan()).image(values), str(path))
    how = ["explain", str(path), "--at", "-10,5,8", "-o", str(out), "--json"]
    assert main(how) != 0 and "--modality MR" in capsys.readouterr().out
    assert main([*how, "--modality", "MR"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["explanation"]["model"] == "mr 1" and content["provenance"]["input"]["modality"] == "MR"
    shown = np.asarray(Image.open(out / "explain.png").convert("L"))[40:, :300]
    assert 60 < shown.mean() < 200, "neither all black nor all white"
    with pytest.raises(ModelError, match="this scan is CT"):
        explain(scan(), target(), model=str(folder))
