"""TotalSegmentator's weight folders: one model of several networks, with its classes, values and first
steps."""

import json
from pathlib import Path

import pytest
from nnunet_models import make_trained

from LiverSegLib.errors import ModelCorruptError, UsageError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.models import add_model
from LiverSegLib.models.importers import totalsegmentator

FACTS = json.loads(totalsegmentator.FACTS.read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / "store"))


def make_network(root, task, number=0, classes=None):
    """A network of a task, as TotalSegmentator's archive of weights has it: old plans, one fold, no
    mirroring."""
    entry = FACTS["tasks"][task]
    dataset = entry["datasets"][number]
    names = FACTS["classes"][dataset.get("classes", entry["classes"])] if classes is None else classes
    labels = {"background": 0, **{name: value for value, name in enumerate(names, 1)}}
    changes = {"image_reader_writer": "NibabelIO"}
    return make_trained(
        root, dataset=dataset["name"], trainer="nnUNetTrainerNoMirroring", labels=labels, old_plans=True,
        mirror_axes=None, plans_changes=changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The five networks of "total"; not to be changed."""
    root = tmp_path_factory.mktemp("totalsegmentator")
    for number in range(5):
        make_network(root, "total", number)
    return root


class TestTotal:
    def test_five_networks_side_by_side_become_one_model(self, results):
        model = add_model(results)
        manifest = model.manifest
        assert manifest.name == "totalsegmentator-total" and manifest.source.program == "TotalSegmentator"
        assert manifest.licence == "Apache-2.0" and manifest.version == "2.0.0"
        assert [stage.name for stage in manifest.stages] == [f"part{number}" for number in range(1, 6)]
        assert manifest.result_stages == manifest.stages
        model.verify()

    def test_values_of_all_networks_are_those_of_the_task(self, results):
        every = FACTS["classes"]["total"]
        found = {}
        for stage in add_model(results).manifest.stages:
            found.update(dict(zip(stage.output.channels[1:], stage.output.own_values[1:])))
        assert found == {name: value for value, name in enumerate(every, 1)}
        assert (found["spleen"], found["liver"]) == (1, 5)

    def test_its_own_first_steps_are_said(self, results):
        for stage in add_model(results).manifest.stages:
            assert (stage.orientation, stage.mirror_axes) == ("RAS", ())
            assert stage.preparation.tile_step == 0.8 and stage.preparation.region is None
            assert stage.preparation.first.spacing == (1.5, 1.5, 1.5)

    def test_liver_and_spleen_are_ours(self, results):
        labels = [stage.output.labels for stage in add_model(results).manifest.stages]
        assert labels == [{"spleen": SPLEEN, "liver": LIVER}, {}, {}, {}, {}]

    def test_a_label_may_be_chosen_in_any_network(self, results):
        stages = add_model(results, labels={"rib_left_1": "tumor", "spleen": "none"}).manifest.stages
        assert [stage.output.labels for stage in stages] == [
            {"liver": LIVER},
            {},
            {},
            {},
            {"rib_left_1": TUMOUR},
        ]
        with pytest.raises(UsageError, match="no structure heart_of_gold"):
            add_model(results, name="x", labels={"heart_of_gold": "liver"})

    def test_a_single_network_is_a_model_of_what_it_knows(self, results):
        folder = results / FACTS["tasks"]["total"]["datasets"][0]["name"]
        manifest = add_model(folder).manifest
        assert manifest.name == "totalsegmentator-total-organs"
        (stage,) = manifest.stages
        assert stage.name == "segment" and len(stage.output.channels) == 25
        assert stage.output.values[stage.output.channels.index("liver")] == 5


@pytest.mark.parametrize(
    ("task", "labels", "spacing", "margin", "modality"),
    [("liver_lesions", {"liver_lesions": TUMOUR}, (0.75, 0.75, 1.0), 10.0, "CT"),
     ("liver_segments", {}, (0.8046879768371582, 0.8046879768371582, 1.5), 10.0, "CT"),
     ("total_fast", {"spleen": SPLEEN, "liver": LIVER}, (3.0, 3.0, 3.0), None, "CT"),
     ("total_mr_fast", {"spleen": SPLEEN, "liver": LIVER}, (3.0, 3.0, 3.0), None, "MR")],
)  # fmt: skip
def test_tasks_of_one_network(tmp_path, task, labels, spacing, margin, modality):
    manifest = add_model(make_network(tmp_path, task)).manifest
    assert manifest.name == f"totalsegmentator-{task.replace('_', '-')}" and manifest.modality == modality
    (stage,) = manifest.stages
    assert stage.output.labels == labels and stage.preparation.first.spacing == spacing
    region = stage.preparation.region
    assert (None if region is None else (region.label, region.margin_mm)) == (
        None if margin is None else (LIVER, margin)
    )


def test_several_tasks_are_listed_and_one_is_chosen(tmp_path):
    make_network(tmp_path, "liver_lesions")
    make_network(tmp_path, "total_fast")
    with pytest.raises(UsageError, match="choose one by its name: liver_lesions, total_fast"):
        add_model(tmp_path)
    assert add_model(tmp_path, configuration="liver_lesions").name == "totalsegmentator-liver-lesions"


def test_a_data_set_of_a_name_that_others_use_too_is_only_taken_by_its_task(tmp_path):
    folder = make_network(tmp_path, "liver_vessels")
    plain = add_model(folder).manifest
    assert plain.source.program == "nnU-Net v2" and plain.licence.startswith("Not stated")
    known = add_model(folder, configuration="liver_vessels").manifest
    assert known.licence == "Apache-2.0" and known.stages[0].output.labels == {"liver_tumor": TUMOUR}
    assert known.stages[0].preparation.first is None


def test_weights_with_other_classes_are_refused(tmp_path):
    folder = make_network(tmp_path, "liver_segments", classes=["a", "b"])
    with pytest.raises(ModelCorruptError, match="other classes than TotalSegmentator's task liver_segments"):
        add_model(folder)


def test_licensed_weights_say_so(tmp_path):
    folder = make_trained(tmp_path, dataset="Dataset301_heart_highres_1559subj")
    assert add_model(folder).manifest.licence.startswith("A licence of the authors of TotalSegmentator")


def test_every_class_of_a_part_is_one_of_its_task():
    for name, entry in FACTS["tasks"].items():
        every, parts = FACTS["classes"][entry["classes"]], entry["datasets"]
        found = [key for part in parts for key in FACTS["classes"][part.get("classes", entry["classes"])]]
        assert sorted(found) == sorted(every), name
        assert len({part["name"] for part in parts}) == len(parts) and entry["licence"] in FACTS["licences"]


def test_the_facts_are_installed_with_the_core():
    assert Path(totalsegmentator.__file__).with_name("totalsegmentator.json").is_file()
