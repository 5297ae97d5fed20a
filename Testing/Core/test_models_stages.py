"""What a description of another program's model may say: networks side by side, first steps, regions."""

import pytest

from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.models import parse_manifest


def stage(name="segment", **changes):
    return {
        "name": name,
        "network": {"name": "PlainConvUNet", "arguments": {}},
        "weights": f"{name}.safetensors",
        "sha256": name[-1].replace("t", "a") * 64,
        "spacing": [1.5, 1.5, 1.5],
        "patch": [8, 16, 16],
        "intensity": {"scheme": "none"},
        "output": {
            "activation": "softmax",
            "channels": {"0": "background", "1": "liver"},
            "labels": {"liver": 1},
        },
        "preparation": {},
        **changes,
    }


def read(*stages, **changes):
    import json

    content = {
        "format_version": 2, "name": "x", "version": "1", "description": "A test.", "licence": "CC0",
        "pipeline": "nnunet", "stages": list(stages), **changes,
    }  # fmt: skip
    return parse_manifest(json.dumps(content))


def test_parts_are_the_result_and_so_is_a_single_stage():
    parts = read(stage("part1"), stage("part2", sha256="b" * 64))
    assert [part.name for part in parts.result_stages] == ["part1", "part2"]
    cascade = read(stage("lowres", sha256="c" * 64), stage(previous="lowres"))
    assert [part.name for part in cascade.result_stages] == ["segment"]


@pytest.mark.parametrize(
    ("stages", "words"),
    [((stage(), stage("part1")), "stages must be one called segment, or parts"),
     ((stage("lowres", sha256="c" * 64),), "stages must be one called segment"),
     ((stage("part99"),), "must be one of"),
     ((stage(preparation={"region": {"label": 9}}),), "region.label must be one of LiverSeg's labels"),
     ((stage(preparation={"region": {"label": 1, "margin_mm": -1}}),), "margin_mm must be a number of mm"),
     ((stage(preparation={"first": {"spacing": [0, 1, 1]}}),), "first.spacing must be three numbers"),
     ((stage(preparation={"first": {"spacing": [1, 1, 1], "order": 9}}),), "order must be a whole number")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(stages, words):
    with pytest.raises(ModelCorruptError, match=words):
        read(*stages)


def test_parts_are_nothing_for_our_own_pipeline():
    with pytest.raises(ModelCorruptError, match="name is nothing that the pipeline liverseg uses"):
        read(stage("part1", preparation=None), pipeline="liverseg")


def test_source_region_and_first_steps_survive_writing():
    source = {"program": "nnU-Net v2", "file": "a.zip", "added": "2026-01-31", "epochs": 1000}
    preparation = {"first": {"spacing": [1, 1, 2]}, "region": {"label": 1, "margin_mm": 20}}
    manifest = read(stage(preparation=preparation), source=source, modality="MR")
    again = parse_manifest(manifest.to_json())
    assert again == manifest and again.modality == "MR" and again.source.epochs == 1000
    assert again.stages[0].preparation.region.margin_mm == 20.0
    assert again.stages[0].preparation.first.whole_numbers is True
