"""MONAI bundles: described without running anything in them, and run as MONAI would run them."""

import copy
import json
import sys

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
import torch

import LiverSegLib
from LiverSegLib import networks
from LiverSegLib.errors import ModelCorruptError, ModelError
from LiverSegLib.images import read_scan
from LiverSegLib.inference.devices import choose_device
from LiverSegLib.inference.foreign.find import find_structures
from LiverSegLib.inference.foreign.load import load_foreign
from LiverSegLib.models.adding import add_model, opened_model
from LiverSegLib.models.importers.plain_pickle import Attributes
from LiverSegLib.models.importers.torchscript import state_of

pytest.importorskip("monai")  # of the extra, which 3D Slicer's versions are tested without

NETWORK = {
    "_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": "@channels",
    "channels": [4, 8, 16], "strides": [2, 2], "num_res_units": 1, "norm": "batch",
}  # fmt: skip
METADATA = {
    "name": "Liver and spleen!", "version": "0.4.2", "description": "Draws liver and spleen.",
    "network_data_format": {
        "inputs": {"image": {"type": "image", "modality": "CT", "num_channels": 1}},
        "outputs": {"pred": {"channel_def": {"0": "background", "1": "liver", "2": "spleen"}}},
    },
}  # fmt: skip
INFERENCE = {
    "imports": ["$import os"],
    "device": "$torch.device('cuda')",
    "channels": 3,
    "spacing": "$[2.0, 1.75, 3.0]",
    "network_def": NETWORK,
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "EnsureChannelFirstd", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": "@spacing", "mode": "bilinear"},
            {
                "_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -57, "a_max": 164,
                "b_min": 0, "b_max": 1, "clip": True,
            },
            {"_target_": "EnsureTyped", "keys": "image"},
        ],
    },
    "inferer": {
        "_target_": "SlidingWindowInferer", "roi_size": [48, 40, 16], "sw_batch_size": 2, "overlap": 0.4,
        "mode": "gaussian",
    },
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Activationsd", "keys": "pred", "softmax": True},
            {
                "_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "image",
                "nearest_interp": False,
            },
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {"_target_": "SaveImaged", "keys": "pred"},
        ],
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / "store"))


@pytest.fixture(scope="module")
def network():
    """MONAI's own, its outputs spread so that all classes occur."""
    from monai.networks.nets import UNet

    torch.manual_seed(4)
    arguments = {key: value for key, value in NETWORK.items() if not key.startswith("_")}
    built = UNet(**{**arguments, "out_channels": 3}).eval()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter *= 1.3
    return built


@pytest.fixture
def bundle(tmp_path, network):
    """Writes a bundle, whose files a test may change."""

    def write(inference=INFERENCE, metadata=METADATA, state=None, place="bundle"):
        folder = tmp_path / place
        (folder / "configs").mkdir(parents=True)
        (folder / "models").mkdir()
        (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
        (folder / "configs" / "inference.json").write_text(json.dumps(inference))
        (folder / "LICENSE").write_text("\n  Apache License\nVersion 2.0\n")
        torch.save(network.state_dict() if state is None else state, folder / "models" / "model.pt")
        return folder

    return write


def changed(path, value, config=INFERENCE):
    """A configuration with a value elsewhere: keys and indices joined by dots."""
    config = copy.deepcopy(config)
    *way, last = path.split(".")
    at = config
    for key in way:
        at = at[int(key) if isinstance(at, list) else key]
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return config


def test_a_bundle_is_described_as_a_model_of_ours(bundle):
    model = add_model(bundle())
    manifest, stage = model.manifest, model.manifest.stage("segment")
    assert (manifest.name, manifest.version, manifest.pipeline) == ("Liver-and-spleen", "0.4.2", "monai")
    assert manifest.licence == "Apache License" and manifest.modality == "CT"
    assert stage.spacing == (2.0, 1.75, 3.0) and stage.patch == (48, 40, 16)
    assert (stage.axes, stage.orientation) == ("xyz", "RAS")
    assert stage.intensity.window == (-57, 164) and stage.intensity.scale == (0, 1)
    assert stage.output.channels == ("background", "liver", "spleen")
    assert stage.output.labels == {"liver": 1, "spleen": 2}
    assert stage.network.name == "monai.UNet" and stage.network.arguments["out_channels"] == 3
    preparation = stage.preparation
    assert (preparation.tile_step, preparation.blend, preparation.crop) == (0.6, "gaussian", "none")
    assert (preparation.image_order, preparation.scores_order) == (1, 1)
    assert list(manifest.source.checkpoints) == ["models/model.pt"]


def test_labels_name_and_licence_are_the_users_choice(bundle):
    with opened_model(bundle()) as candidate:
        assert candidate.manifest.name == "Liver-and-spleen"
    model = add_model(bundle(place="other"), name="mine", labels={"spleen": "tumor"}, licence="CC0")
    assert (model.name, model.manifest.licence) == ("mine", "CC0")
    assert model.manifest.stage("segment").output.labels == {"liver": 1, "spleen": 3}


def test_weights_may_stand_under_a_key_and_a_bundle_in_a_zip(bundle, network, tmp_path):
    import shutil

    folder = bundle(state={"epoch": 3, "model": network.state_dict()}, place="packed/bundle")
    archive = shutil.make_archive(str(tmp_path / "bundle"), "zip", folder.parent)
    model = add_model(archive)
    assert len(model.manifest.source.sha256) == 64
    found = model.state_dict("segment")
    assert all(torch.equal(found[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("path, value, said", [
    ("network_def", {"_target_": "os.system", "command": "true"}, "os.system"),
    ("network_def", {**NETWORK, "_target_": "monai.networks.nets.os.UNet.evil"}, "the bundle's network is"),
    ("network_def", {**NETWORK, "_target_": "subprocess.UNet"}, "subprocess.UNet"),
    ("network_def", {**NETWORK, "_target_": "UNet", "channels": "$__import__('os').getcwd()"}, "never runs"),
    ("network_def", {**NETWORK, "in_channels": 2}, "one image"),
    ("channels", 4, "3 channels"),
    ("channels", "@channels", "has no"),
    ("preprocessing", "$@preprocessing_transforms + []", "never runs"),
    ("preprocessing.transforms.0", {"_target_": "CropForegroundd", "keys": "image"}, "CropForegroundd"),
    ("preprocessing.transforms.0", {"_target_": "Lambdad", "func": "$print"}, "never runs"),
    ("preprocessing.transforms.5", {"_target_": "Spacingd", "pixdim": [1, 1, 1]}, "in this order"),
    ("preprocessing.transforms.2.axcodes", "PLI", "axcodes"),
    ("preprocessing.transforms.3.pixdim", [1, 1, -1], "pixdim"),
    ("preprocessing.transforms.3.mode", 3, "mode"),
    ("preprocessing.transforms.3.align_corners", True, "align_corners"),
    ("preprocessing.transforms.4.a_max", -57, "a_min"),
    ("preprocessing.transforms.4", {"_target_": "NormalizeIntensityd", "nonzero": True}, "nonzero"),
    ("inferer", {"_target_": "SimpleInferer"}, "SimpleInferer"),
    ("inferer.roi_size", [96, 96, -1], "roi_size"),
    ("inferer.padding_mode", "reflect", "padding_mode"),
    ("inferer.overlap", 1.0, "overlap"),
    ("postprocessing.transforms", [{"_target_": "SaveImaged"}], "neither softmax"),
])  # fmt: skip
def test_what_is_not_run_is_refused_by_name_and_nothing_is_added(bundle, tmp_path, path, value, said):
    with pytest.raises(ModelError, match=f"(?i){said}"):
        add_model(bundle(changed(path, value)))
    assert not list((tmp_path / "store").glob("*"))


def test_references_that_multiply_end_in_words(bundle):
    config = {**INFERENCE, "a0": [1] * 50, **{f"a{n}": [f"@a{n - 1}"] * 50 for n in range(1, 9)}}
    with pytest.raises(ModelError, match="has no"):
        add_model(bundle({**config, "inferer": "@a8"}))


@pytest.mark.parametrize("way", ["script", "trace"])
def test_weights_come_out_of_a_torchscript_file_whose_program_is_not_run(bundle, network, monkeypatch, way):
    folder = bundle()
    expected = add_model(folder, name="plain").state_dict("segment")
    (folder / "models" / "model.pt").unlink()
    example = torch.zeros(1, 1, 16, 16, 16)
    program = torch.jit.script(network) if way == "script" else torch.jit.trace(network, example)
    program.save(str(folder / "models" / "model.ts"))
    monkeypatch.setattr(torch.jit, "load", lambda *arguments, **options: pytest.fail("it was run"))
    model = add_model(folder, name="from-program")
    found = model.state_dict("segment")
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert list(model.manifest.source.checkpoints) == ["models/model.ts"]


def test_code_in_a_torchscript_file_is_not_run(bundle, tmp_path):
    class Evil:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    folder = bundle(state={"model": Evil()})
    (folder / "models" / "model.pt").rename(folder / "models" / "model.ts")
    with pytest.raises(ModelCorruptError, match="Nothing was run"):
        add_model(folder)
    assert not (tmp_path / "ran").exists()


def test_parts_of_a_torchscript_network_without_end_are_refused():
    part = Attributes()
    for _ in range(40):  # 2 ** 40 ways to the innermost part
        part = Attributes(a=part, b=part)
    with pytest.raises(ValueError, match="without end"):
        state_of(part)
    part["a"] = part
    with pytest.raises(ValueError, match="without end"):
        state_of(part)


def test_code_in_the_weights_is_not_run(bundle, tmp_path):
    class Evil:
        def __reduce__(self):
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    with pytest.raises(ModelCorruptError, match="Nothing was run"):
        add_model(bundle(state={"model": Evil()}))
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_network_are_refused(bundle, network):
    state = {name: value for name, value in network.state_dict().items() if "bias" not in name}
    with pytest.raises(ModelCorruptError, match="not those of the network"):
        add_model(bundle(state=state))


@pytest.mark.parametrize("missing", ["inference.json", "metadata.json"])
def test_a_bundle_without_its_files_is_told(bundle, missing):
    folder = bundle()
    (folder / "configs" / missing).unlink()
    with pytest.raises(ModelError):
        add_model(folder)


def as_yaml(folder, text=None):
    """Replaces a bundle's inference.json by the same in YAML, or by a text."""
    yaml = pytest.importorskip("yaml")
    path = folder / "configs" / "inference.json"
    values = json.loads(path.read_text())
    path.unlink()
    path.with_suffix(".yaml").write_text(yaml.safe_dump(values) if text is None else text)
    return folder


def test_a_configuration_in_yaml_is_read_like_one_in_json(bundle, monkeypatch, tmp_path):
    stages = []
    for number, folder in enumerate((bundle(), as_yaml(bundle(place="other")))):
        monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / str(number)))
        stages.append(add_model(folder).manifest.stages)
    assert stages[0] == stages[1]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("a: &x [1, 2]\nb: [*x, *x]", "aliases"),
        ("a: !!python/object/apply:os.system ['true']", "plain values"),
        ("[1, 2]", "must be an object"),
        ("1: 2", "must be an object"),
        ("a: [" + "[" * 5000, "nested deeper"),
        ("a: {", "plain values"),
    ],
)
def test_yaml_that_is_more_than_plain_values_is_refused(bundle, text, reason):
    with pytest.raises(ModelCorruptError, match=rf"inference\.yaml.*{reason}"):
        add_model(as_yaml(bundle(), text))


def test_yaml_without_its_package_is_refused_in_words(bundle, monkeypatch):
    folder = as_yaml(bundle())
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ModelError, match=r"inference\.yaml.*PyYAML"):
        add_model(folder)


def test_a_network_of_monais_needs_monai(bundle, monkeypatch):
    model = add_model(bundle())
    monkeypatch.setitem(__import__("sys").modules, "monai.networks", None)
    with pytest.raises(ModelError, match="monai is installed"):
        load_foreign(model, [choose_device("cpu", engine="torch", precision="float32")])


@pytest.fixture(scope="module")
def part(request):
    """A part of the sample CT whose axes do not run as the network's, 80 x 70 x 24 voxels."""
    from conftest import ROOT

    scan = read_scan(ROOT / "Resources" / "SampleData" / "hcc013-portal.nii.gz").image
    x, y, z = (count // 3 for count in scan.GetSize())
    return scan[x : x + 80, y : y + 70, z : z + 24]


def monais_probabilities(part, network, config):
    """What MONAI's own transforms and inferer make of a scan: probabilities (class, z, y, x) of its array.

    Turning to RAS, which needs a package of its own in MONAI, is SimpleITK's.
    """
    from monai import transforms
    from monai.data import MetaTensor
    from monai.inferers import SlidingWindowInferer

    turned = sitk.DICOMOrient(part, "RAS")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(turned.GetDirection(), (3, 3)) * turned.GetSpacing()
    affine[:3, 3] = turned.GetOrigin()
    affine = np.diag([-1, -1, 1, 1]) @ affine
    array = sitk.GetArrayFromImage(turned).astype(np.float32).transpose(2, 1, 0)[None]
    before = transforms.Compose(
        [
            built(item, {"pixdim": json.loads(config["spacing"][1:])} if "pixdim" in item else {})
            for item in config["preprocessing"]["transforms"]
            if item["_target_"] in ("Spacingd", "ScaleIntensityRanged", "NormalizeIntensityd")
        ]
    )
    data = before({"image": MetaTensor(torch.from_numpy(array), affine=torch.from_numpy(affine))})
    settings = {key: value for key, value in config["inferer"].items() if key != "_target_"}
    with torch.no_grad():
        data["pred"] = SlidingWindowInferer(**settings)(data["image"][None], network)[0]
    activation, inverse = config["postprocessing"]["transforms"][:2]
    back = built(inverse, {"transform": before})(built(activation)(data))["pred"]
    letters = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(part.GetDirection())
    classes = []
    for one in back.numpy():
        image = sitk.GetImageFromArray(np.ascontiguousarray(one.transpose(2, 1, 0)))
        image.CopyInformation(turned)
        classes.append(sitk.GetArrayFromImage(sitk.DICOMOrient(image, letters)))
    return np.stack(classes)


def built(item, more=()):
    """A transform of MONAI's as a bundle describes it."""
    from monai import transforms

    values = {key: value for key, value in item.items() if not key.startswith("_")}
    return getattr(transforms, item["_target_"])(**{**values, **dict(more)})


def monais_labels(probabilities, activation):
    """The label of each voxel: the most probable class; or the last above one half."""
    if "softmax" in activation:
        return probabilities.argmax(0)
    labels = np.zeros(probabilities.shape[1:], int)
    for value, one in enumerate(probabilities):
        labels[one > 0.5] = value
    return labels


VARIANTS = {
    "gaussian": {"inferer.mode": "gaussian"},
    "constant, by mean and deviation": {
        "inferer.mode": "constant", "inferer.overlap": 0.25,
        "preprocessing.transforms.4": {"_target_": "NormalizeIntensityd", "keys": "image"},
    },
    "not clipped, by the nearest voxel": {  # at spacings at which no two voxels are equally near
        "spacing": "$[2.1, 1.9, 3.1]",
        "preprocessing.transforms.4.clip": False, "preprocessing.transforms.3.mode": "nearest",
        "postprocessing.transforms.1.nearest_interp": True,
    },
    "sigmoid": {"postprocessing.transforms.0": {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}},
}  # fmt: skip


@pytest.mark.parametrize("name", list(VARIANTS))
def test_parity_with_monais_transforms_and_sliding_window(bundle, network, part, name):
    """Same network, same tiles, same blending, same way there and back."""
    config = INFERENCE
    for path, value in VARIANTS[name].items():
        config = changed(path, value, config)
    model = add_model(bundle(config))
    device = choose_device("cpu", engine="torch", precision="float32", threads=1)
    found = find_structures(load_foreign(model, [device]), part, lambda share: None, lambda: None)
    expected = monais_probabilities(part, network, config)
    theirs = monais_labels(expected, config["postprocessing"]["transforms"][0])
    ours = found.structures.labels
    assert len(np.unique(theirs)) == 3
    for value in range(3):
        a, b = theirs == value, ours == value
        assert 2 * np.sum(a & b) / (a.sum() + b.sum()) >= 0.999
    agree = (theirs == ours) & (theirs > 0)
    sure = np.take_along_axis(expected, theirs[None], 0)[0]
    difference = np.abs(sure - found.probability / 255.0)[agree]
    assert difference.max() <= 0.0021  # the probability is kept in 8 bits: 1 / 510 is rounding


def test_an_added_bundle_segments_a_scan(bundle, part, monkeypatch):
    """The whole way: the network is made up, so what it calls liver has any shape."""
    monkeypatch.setattr("LiverSegLib.postprocess.MINIMUM_LIVER_ML", 0.001)
    add_model(bundle())
    result = LiverSegLib.segment(part, model="Liver-and-spleen", device="cpu", precision="float32")
    assert result.provenance["model"]["name"] == "Liver-and-spleen"
    assert result.provenance["engine"]["name"] == "torch"
    assert not result.provenance["fallbacks"]  # engines that need a graph are not even tried
    assert np.any(sitk.GetArrayViewFromImage(result.labels) == 1)


def test_an_added_bundle_draws_the_tumours_in_the_liver_of_another_model(bundle, tmp_path, monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    organs = phantom.write_phantom_model(tmp_path / "phantom")
    coarse = changed("spacing", "$[4.0, 4.0, 6.0]", changed("inferer.overlap", 0.0))
    add_model(bundle(coarse), name="lesions", labels={"liver": "tumor", "spleen": "none"})
    image, truth = phantom.patient((107, 78, 26), (3.0, 3.0, 7.0))
    options = {"device": "cpu", "precision": "float32", "minimum_lesion_ml": 0, "structures": []}
    result = LiverSegLib.segment(image, model=str(organs), tumours="lesions", **options)
    labels = sitk.GetArrayFromImage(result.labels)
    liver, true = np.isin(labels, (1, 3)), np.isin(truth, (1, 3))
    assert np.any(labels == 3) and np.any(labels == 1)
    assert 2 * np.sum(liver & true) / (liver.sum() + true.sum()) > 0.9
    assert result.provenance["tumour_model"]["name"] == "lesions"
