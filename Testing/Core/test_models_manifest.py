"""model.json: what is accepted, what is refused and how the sentence names the field."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from LiverSegLib.errors import ModelCorruptError, ModelError, ModelVersionError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.models import Intensity, Manifest, Network, Output, Stage, parse_manifest
from LiverSegLib.models.manifest import require_liverseg
from LiverSegLib.models.stage import stage_files


def stage_json(name="segment"):
    return {
        "name": name,
        "network": {"name": "ResidualUNet", "arguments": {"channels": [8, 16], "dimensions": 3}},
        "weights": f"{name}.safetensors",
        "sha256": "a" * 64,
        "spacing": [1.5, 1.5, 2],
        "patch": [64, 96, 96],
        "intensity": {"scheme": "window", "window": [-160, 240], "scale": [-1, 1]},
        "output": {
            "activation": "softmax",
            "channels": {"0": "background", "1": "liver", "2": "spleen", "3": "liver tumour"},
            "labels": {"liver": 1, "spleen": 2, "liver tumour": 3},
        },
        "mirror_axes": [2],
    }


def manifest_json():
    return {
        "format_version": 1,
        "name": "liver-ct",
        "version": "1.0.0",
        "description": "Liver, spleen and liver tumours on CT.",
        "stages": [stage_json("locate"), stage_json("segment")],
        "licence": "CC BY 4.0",
        "citation": "Nobody 2025",
        "training_data": [
            {
                "name": "LiTS",
                "cases": 20,
                "licence": "CC BY-SA 4.0",
                "citation": "Bilic 2023",
            }
        ],
        "accuracy": {"dataset": "validation", "table": [{"structure": "liver", "dice": 0.96, "worst": None}]},
        "intended_use": "Research only.",
        "limitations": "Adults.",
        "min_liverseg": "0.1.0",
        "minimum_lesion_ml": {"unenhanced": 10},
    }


def parse(data):
    return parse_manifest(json.dumps(data))


def changed(path, value):
    """The valid manifest with one field changed; ``path`` is like ("stages", 0, "patch"); ... removes it."""
    data = manifest_json()
    place = data
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return data


def test_every_field_is_read():
    manifest = parse(manifest_json())
    stage = manifest.stage("segment")
    assert (manifest.name, manifest.version, manifest.min_liverseg) == ("liver-ct", "1.0.0", "0.1.0")
    assert [stage.name for stage in manifest.stages] == ["locate", "segment"]
    assert stage.network == Network("ResidualUNet", {"channels": [8, 16], "dimensions": 3})
    assert (stage.spacing, stage.patch, stage.mirror_axes) == ((1.5, 1.5, 2.0), (64, 96, 96), (2,))
    assert stage.intensity == Intensity("window", window=(-160.0, 240.0), scale=(-1.0, 1.0))
    assert stage.output.channels == ("background", "liver", "spleen", "liver tumour")
    assert manifest.training_data[0].cases == 20
    assert manifest.accuracy.table[0]["dice"] == 0.96
    assert manifest.minimum_lesion_ml == {"unenhanced": 10.0}


def test_text_is_read_as_bytes_too():
    assert parse_manifest(json.dumps(manifest_json()).encode()) == parse(manifest_json())


def test_round_trip_is_identity():
    manifest = parse(manifest_json())
    assert parse_manifest(manifest.to_json()) == manifest
    assert parse_manifest(manifest.to_json()).to_json() == manifest.to_json()


def test_optional_fields_have_defaults():
    data = manifest_json()
    for key in (
        "citation", "training_data", "accuracy", "intended_use", "limitations", "min_liverseg",
        "minimum_lesion_ml",
    ):  # fmt: skip
        del data[key]
    del data["stages"][0]["mirror_axes"]
    manifest = parse(data)
    stage = manifest.stages[0]
    assert stage.mirror_axes == ()
    assert (manifest.accuracy, manifest.training_data, manifest.citation) == (None, (), "")
    assert manifest.minimum_lesion_ml == {} and "minimum_lesion_ml" not in manifest.to_dict()
    assert parse_manifest(manifest.to_json()) == manifest


def test_unknown_keys_survive_where_they_stand():
    data = manifest_json()
    data["colour"] = "blue"
    data["stages"][0]["overlap"] = 0.5
    data["stages"][0]["network"]["revision"] = None
    data["stages"][0]["intensity"]["note"] = [1]
    data["stages"][0]["output"]["threshold"] = {"liver": 0.4}
    data["training_data"][0]["phase"] = "portal"
    data["accuracy"]["date"] = "2025"
    manifest = parse(data)
    assert manifest.extra == {"colour": "blue"}
    assert manifest.stages[0].extra == {"overlap": 0.5}
    assert manifest.stages[0].network.extra == {"revision": None}
    assert manifest.stages[0].output.extra == {"threshold": {"liver": 0.4}}
    assert manifest.training_data[0].extra == {"phase": "portal"}
    assert json.loads(manifest.to_json())["stages"][0]["intensity"]["note"] == [1]
    assert parse_manifest(manifest.to_json()) == manifest


def test_a_manifest_made_in_python_is_written_and_read_back():
    output = Output("softmax", ("background", "liver"), {"liver": LIVER})
    stage = Stage(
        name="segment", network=Network("ResidualUNet", {"channels": (8, 16)}), weights="s.safetensors",
        sha256="0" * 64, spacing=(2.0, 2.0, 2.0), patch=(32, 32, 32), intensity=Intensity("zscore"),
        output=output,
    )  # fmt: skip
    manifest = Manifest("tiny", "0.1", "A test.", (stage,), "CC0")
    again = parse_manifest(manifest.to_json())
    assert again.stage("segment").network.arguments == {"channels": [8, 16]}
    assert again.to_dict() == manifest.to_dict()


def test_unmapped_channels_count_as_background_and_several_may_share_a_label():
    data = manifest_json()
    names = ["background", "spleen", "kidney_right", "liver_segment_1", "liver_segment_2", "lesion"]
    data["stages"][1]["output"] = {
        "activation": "softmax",
        "channels": {str(number): name for number, name in enumerate(names)},
        "labels": {"spleen": 2, "liver_segment_1": 1, "liver_segment_2": 1, "lesion": 3},
    }
    assert parse(data).stages[1].output.channel_labels == (0, SPLEEN, 0, LIVER, LIVER, TUMOUR)


def test_an_nnunet_configuration_can_be_described():
    data = manifest_json()
    data["stages"] = [
        {
            "name": "segment",
            "network": {
                "name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                "arguments": {
                    "n_stages": 6,
                    "features_per_stage": [32, 64, 128, 256, 320, 320],
                    "conv_op": "torch.nn.modules.conv.Conv3d",
                    "strides": [[1, 1, 1]] + [[2, 2, 2]] * 5,
                    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                    "dropout_op": None,
                },
            },
            "weights": "fold_0.safetensors",
            "sha256": "0" * 64,
            "spacing": [1.5, 1.5, 1.5],
            "patch": [128, 128, 128],
            "intensity": {"scheme": "ct-percentile", "clip": [-1004, 1588], "mean": -50.4, "std": 503.4},
            "output": {
                "activation": "softmax",
                "channels": {str(n): ["background", "spleen", "kidney_right", "liver"][n] for n in range(4)},
                "labels": {"spleen": 2, "liver": 1},
            },
            "mirror_axes": [0, 1, 2],
        }
    ]
    stage = parse(data).stages[0]
    assert stage.intensity == Intensity("ct-percentile", clip=(-1004.0, 1588.0), mean=-50.4, std=503.4)
    assert stage.network.arguments["dropout_op"] is None


def test_a_monai_bundle_can_be_described():
    data = manifest_json()
    stage = data["stages"][1]
    stage["network"] = {
        "name": "UNet",
        "arguments": {"spatial_dims": 3, "strides": [2, 2, 2, 2], "norm": "batch"},
    }
    stage["intensity"] = {"scheme": "window", "window": [-57, 164], "scale": [0, 1]}
    stage["output"] = {
        "activation": "softmax",
        "channels": {"0": "background", "1": "spleen"},
        "labels": {"spleen": 2},
    }
    assert parse(data).stages[1].output.channel_labels == (0, SPLEEN)


def test_a_window_maps_to_zero_and_one_unless_told():
    data = manifest_json()
    del data["stages"][0]["intensity"]["scale"]
    assert parse(data).stages[0].intensity.scale == (0.0, 1.0)


PERCENTILE = {"scheme": "ct-percentile", "clip": [-100, 200], "mean": 90, "std": 30}

WRONG = [
    (("name",), ..., "name is missing"),
    (("name",), "", "name must be text"),
    (("name",), "../evil", "name must be up to 64 letters"),
    (("name",), "a/b", "name must"),
    (("name",), ".hidden", "name must"),
    (("name",), "dot.", "name must"),
    (("name",), "x" * 65, "name must"),
    (("name",), "line\n", "name must"),
    (("version",), "new", "version must be a version such as"),
    (("version",), 1.0, "version must be text"),
    (("description",), None, "description is missing"),
    (("licence",), ..., "licence is missing"),
    (("citation",), 3, "citation must be text"),
    (("min_liverseg",), "soon", "min_liverseg must be a version"),
    (("minimum_lesion_ml",), 10, "minimum_lesion_ml must be an object of contrast phases"),
    (("minimum_lesion_ml",), {"native": 10}, "minimum_lesion_ml must be an object of contrast phases"),
    (("minimum_lesion_ml",), {"portal": -1}, "minimum_lesion_ml must be an object of contrast phases"),
    (("minimum_lesion_ml",), {"portal": "10"}, "minimum_lesion_ml must be an object of contrast phases"),
    (("minimum_lesion_ml",), {"portal": 1001}, "ml from 0 to 1000"),
    (("format_version",), ..., "format_version is missing"),
    (("format_version",), "1", "format_version must be a whole number"),
    (("format_version",), True, "format_version must be a whole number"),
    (("format_version",), 0, "format_version must be a whole number"),
    (("stages",), [], "stages must be a list of 1 to"),
    (("stages",), {}, "stages must be a list"),
    (("stages", 0), 7, r"stages\[0\] must be an object"),
    (("stages", 1, "name"), "locate", r"stages\[1\].name is 'locate' like another"),
    (("stages", 0, "network"), "UNet", r"stages\[0\].network must be an object"),
    (("stages", 0, "network", "name"), ..., r"stages\[0\].network.name is missing"),
    (("stages", 0, "network", "arguments"), [], r"stages\[0\].network.arguments must be an object"),
    (("stages", 0, "weights"), "/etc/passwd", r"stages\[0\].weights must be a plain file name"),
    (("stages", 0, "weights"), "../w.safetensors", r"stages\[0\].weights must be a plain file name"),
    (("stages", 0, "weights"), "a\\w.safetensors", r"stages\[0\].weights must"),
    (("stages", 0, "weights"), "C:w.safetensors", r"stages\[0\].weights must"),
    (("stages", 0, "weights"), "w.pth", r"stages\[0\].weights must"),
    (("stages", 0, "weights"), "w.safetensors\n", r"stages\[0\].weights must"),
    (("stages", 0, "sha256"), "A" * 64, r"stages\[0\].sha256 must be 64 lower-case"),
    (("stages", 0, "sha256"), "a" * 63, r"stages\[0\].sha256 must"),
    (("stages", 0, "spacing"), [1, 1], r"stages\[0\].spacing must be three numbers"),
    (("stages", 0, "spacing"), [1, 1, 0], r"stages\[0\].spacing must"),
    (("stages", 0, "spacing"), [1, 1, 1000], r"stages\[0\].spacing must"),
    (("stages", 0, "spacing"), [1, 1, "1"], r"stages\[0\].spacing must"),
    (("stages", 0, "spacing"), [1, 1, True], r"stages\[0\].spacing must"),
    (("stages", 0, "patch"), [64, 64, 64.0], r"stages\[0\].patch must be two or three whole numbers"),
    (("stages", 0, "patch"), [64, 64, 10**9], r"stages\[0\].patch must"),
    (("stages", 0, "name"), "fold_0", r"stages\[0\].name must be one of locate, lowres, segment"),
    (("stages", 0, "orientation"), "RAS", r"stages\[0\].orientation must be LPS, which LiverSeg can run"),
    (("stages", 0, "orientation"), "LRS", r"stages\[0\].orientation must"),
    (("stages", 0, "axes"), "xyz", r"stages\[0\].axes must be zyx"),
    (("stages", 0, "mirror_axes"), [3], r"stages\[0\].mirror_axes must be a list of different axes"),
    (("stages", 0, "mirror_axes"), [1, 1], r"stages\[0\].mirror_axes must"),
    (("stages", 0, "intensity", "scheme"), "magic", r"stages\[0\].intensity.scheme must be one of window"),
    (("stages", 0, "intensity", "scheme"), ["window"], r"stages\[0\].intensity.scheme must be one of"),
    (("stages", 0, "intensity", "window"), ..., r"stages\[0\].intensity.window is missing"),
    (("stages", 0, "intensity", "scale"), [], r"stages\[0\].intensity.scale must be two numbers"),
    (("stages", 0, "intensity", "window"), [240, -160], r"stages\[0\].intensity.window must be two numbers"),
    (("stages", 0, "intensity"), {**PERCENTILE, "std": 0}, r"intensity.std must be a number above 0"),
    (("stages", 0, "intensity"), {**PERCENTILE, "mean": None}, r"intensity.mean is missing"),
    (("stages", 0, "intensity", "std"), 30, r"intensity.std is nothing that the scheme window uses"),
    (("stages", 0, "output", "activation"), "argmax", r"output.activation must be one of softmax, sigmoid"),
    (("stages", 0, "output", "channels"), {"0": "background", "2": "liver"}, r"channels must be names"),
    (("stages", 0, "output", "channels"), {}, r"output.channels must be names"),
    (("stages", 0, "output", "channels"), {"0": "a", "1": "a"}, r"output.channels must be names that differ"),
    (("stages", 0, "output", "labels"), {"heart": 1}, r"output.labels must be names out of the channels"),
    (("stages", 0, "output", "labels"), {"liver": 7}, r"output.labels.liver must be one of"),
    (("stages", 0, "output", "labels"), {}, r"output.labels must be a mapping of at least one"),
    (("training_data", 0, "cases"), -1, r"training_data\[0\].cases must be a whole number"),
    (("training_data", 0, "licence"), ..., r"training_data\[0\].licence is missing"),
    (("accuracy", "table"), [3], r"accuracy.table must be a list of rows"),
    (("accuracy", "table"), [{"dice": [0.9]}], r"accuracy.table must be a list of rows"),
    (("accuracy",), [], r"accuracy must be an object"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "sentence"), WRONG)
def test_a_wrong_field_is_named(path, value, sentence):
    with pytest.raises(ModelCorruptError, match=sentence):
        parse(changed(path, value))


def test_one_file_with_two_checksums_is_refused():
    data = manifest_json()
    data["stages"][1]["weights"] = "LOCATE.safetensors"
    data["stages"][1]["sha256"] = "b" * 64
    with pytest.raises(ModelCorruptError, match=r"stages\[1\].sha256 contradicts"):
        parse(data)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON"),
        ("[]", "it must be an object"),
        ("null", "it must be an object"),
        ('{"a": 1', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested more than 32 deep"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (r'{"name": "\ud800"}', "not JSON"),
        ('{"name": "a", "name": "b"}', "names 'name' twice"),
        ('{"x": NaN}', "no finite number"),
        ('{"x": 1e999}', "no finite number"),
        ('{"x": ' + "9" * 1000 + "}", "more than 18 digits"),
        (" " * 2_000_000, "longer than"),
    ],
)
def test_what_is_no_sound_json_is_refused(text, sentence):
    with pytest.raises(ModelCorruptError, match=sentence):
        parse_manifest(text)


def test_a_newer_format_asks_for_an_update_before_anything_else_is_looked_at():
    with pytest.raises(ModelVersionError, match="format 3, and this LiverSeg reads up to 2"):
        parse_manifest('{"format_version": 3, "stages": "elsewhere"}')


@pytest.mark.parametrize(
    ("needed", "running", "enough"),
    [
        ("0.1.0", "0.1.0", True),
        ("0.1.0", "0.1.0.dev3+g12", True),
        ("0.2", "0.10.0", True),
        ("1.0.0", "0.9.9", False),
        ("0.1.1", "0.1.0", False),
    ],
)
def test_a_model_may_ask_for_a_newer_liverseg(needed, running, enough):
    manifest = parse(changed(("min_liverseg",), needed))
    if enough:
        require_liverseg(manifest, running)
    else:
        with pytest.raises(ModelVersionError, match=f"needs LiverSeg {needed} or newer; this is {running}"):
            require_liverseg(manifest, running)


def test_an_unknown_stage_is_answered_with_those_there_are():
    with pytest.raises(KeyError, match="locate.*segment"):
        parse(manifest_json()).stage("refine")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    """The paths to everything in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(places(manifest_json()))), VALUES)
def test_any_value_in_any_place_is_refused_or_survives_the_round_trip(path, value):
    data = changed(path, copy.deepcopy(value))
    try:
        manifest = parse(data)
    except ModelError as error:
        str(error).encode("utf-8")
        return
    assert parse_manifest(manifest.to_json()) == manifest


def foreign_json():
    """An nnU-Net's cascade: low resolution in two folds, and the fine network that sees its labels."""
    data = manifest_json()
    coarse, fine = stage_json("lowres"), stage_json("segment")
    for stage in (coarse, fine):
        stage["preparation"] = {"crop": "nonzero"}
        stage["axes"], stage["orientation"] = "yzx", "stored"
        stage["output"]["values"] = [0, 1, 2, 3]
    coarse["more_folds"] = [{"weights": "lowres-1.safetensors", "sha256": "b" * 64}]
    fine["previous"] = "lowres"
    fine["graph"] = {"file": "segment.onnx", "sha256": "c" * 64}
    return {**data, "format_version": 2, "pipeline": "nnunet", "stages": [coarse, fine]}


def test_a_model_of_another_program_reads_back_as_it_was_written():
    manifest = parse_manifest(json.dumps(foreign_json()))
    assert parse_manifest(manifest.to_json()) == manifest
    coarse, fine = manifest.stages
    assert [fold.weights for fold in coarse.folds] == ["lowres.safetensors", "lowres-1.safetensors"]
    assert fine.graph.file == "segment.onnx" and fine.previous == "lowres"
    assert fine.preparation.crop == "nonzero" and fine.preparation.tile_step == 0.5
    assert stage_files(fine) == {"segment.safetensors": "a" * 64, "segment.onnx": "c" * 64}


@pytest.mark.parametrize(
    ("stage", "field", "value", "sentence"),
    [
        (0, "preparation", None, r"stages\[0\].preparation is missing"),
        (0, "previous", "segment", r"stages\[0\].previous must be an earlier stage"),
        (1, "mirror_axes", [0, 3], r"stages\[1\].mirror_axes must be"),
        (1, "axes", "xxz", r"stages\[1\].axes must be one of"),
        (1, "graph", {"file": "../x.onnx", "sha256": "c" * 64}, r"stages\[1\].graph.file must be a plain"),
        (
            0,
            "more_folds",
            [{"weights": "lowres.safetensors", "sha256": "b" * 64}],
            "more_folds must be a list of weights that differ",
        ),
    ],
)
def test_a_wrong_field_of_a_model_of_another_program_is_named(stage, field, value, sentence):
    data = foreign_json()
    data["stages"][stage][field] = value
    with pytest.raises(ModelCorruptError, match=sentence):
        parse_manifest(json.dumps(data))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("preparation", {}),
        ("previous", "locate"),
        ("patch", [64, 64]),
        ("axes", "xyz"),
        ("orientation", "RAS"),
    ],
)
def test_what_only_other_programs_have_is_refused_in_a_model_of_liverseg(field, value):
    data = manifest_json()
    data["stages"][0][field] = value
    with pytest.raises(ModelCorruptError, match=rf"stages\[0\].{field}"):
        parse_manifest(json.dumps(data))
