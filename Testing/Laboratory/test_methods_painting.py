"""Painted cases: a data set that is read as any other, whose labels are those that were painted."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from adversarial import PLANAR, mixed_data, recipe_of

from LiverSegLib.cli.app import main
from LiverSegLib.errors import InputError
from LiverSegLib.training.data import DataOptions, SourceOptions, read_cases
from LiverSegLib.training.export_run import export_run
from LiverSegLib.training.fit import train
from LiverSegLib.training.loaders import load_data
from LiverSegLib.training.methods.painting import load_painter, painted_case, write_painted
from LiverSegLib.training.methods.registry import make_module
from LiverSegLib.training.recipe import dump_recipe
from LiverSegLib.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return mixed_data(tmp_path_factory.mktemp("data") / "made-up")


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "painter"
    train(recipe_of(data, "cgan", training={"steps": 2}), folder)
    return RunFolder(folder)


def read(path):
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_painted_cases_are_read_as_a_data_set_with_the_labels_that_were_painted(data, run, tmp_path):
    names = write_painted(run, tmp_path / "painted", 3, seed=4)
    table = read_cases(DataOptions(folder=str(tmp_path / "painted")))
    assert [case.id for case in table.cases] == names and not table.broken
    recipe = run.read_recipe()
    for number, case in enumerate(table.cases):
        assert case.split == "train" and case.modality == "CT"
        assert case.annotated == ("liver", "liver tumour")
        source = next(c for c in read_cases(recipe.data).cases if c.id == f"c{[0, 1, 2][number]}")
        rng = np.random.default_rng([4, number])
        made = painted_case(load_painter(run, recipe), recipe, source, rng)
        assert case.patient == source.patient
        assert np.array_equal(read(case.label), made.label) and made.label.any()
        assert np.array_equal(read(case.images[0]), made.hu)
        given = read(source.label)
        assert made.label.shape == given.shape
        assert 0 < (made.label != np.where(given == 3, 2, np.where(given == 1, 1, 0))).mean() < 0.5, "not new"
        assert sitk.ReadImage(str(case.images[0])).GetSpacing() == pytest.approx((5.0, 5.0, 8.0))


def test_the_data_set_says_that_it_is_made(run, tmp_path):
    write_painted(run, tmp_path / "painted", 1)
    content = json.loads((tmp_path / "painted" / "dataset.json").read_text())
    assert "No patient was scanned" in content["description"]
    assert content["made"]["steps"] == 2 and content["made"]["recipe"]["method"]["name"] == "cgan"
    assert content["cases"][0]["made"] is True and content["cases"][0]["label_map_of"] == "c0"


def test_a_segmenter_trains_on_real_and_painted_cases(data, run, tmp_path):
    write_painted(run, tmp_path / "painted", 2)
    more = [SourceOptions(folder=str(tmp_path / "painted")).model_dump()]
    recipe = recipe_of(data, "supervised", data={"more": more}, training={"steps": 2})
    found = train(recipe, tmp_path / "run")
    assert found.facts["datasets"]["painted by tiny"] == 2
    assert [row.id for row in found.validation] == ["c3", "c4"]


def test_nothing_is_written_where_something_is_or_painting_fails(data, run, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="exists already"):
        write_painted(run, tmp_path / "there", 1)

    def fail(number, total):
        raise OSError("disk full")

    with pytest.raises(Exception, match="disk|written|full"):
        write_painted(run, tmp_path / "new", 2, done=fail)
    assert {path.name for path in tmp_path.iterdir()} == {"there"}


def test_a_run_of_another_method_paints_nothing(data, run, tmp_path):
    train(recipe_of(data, "supervised", training={"steps": 1}), tmp_path / "run")
    with pytest.raises(InputError, match="paints nothing"):
        write_painted(RunFolder(tmp_path / "run"), tmp_path / "painted", 1)
    with pytest.raises(InputError, match="no model to export"):
        export_run(run, tmp_path / "model")


def test_the_command_says_that_a_painter_paints(data, tmp_path, capsys):
    recipe = tmp_path / "painter.yaml"
    dump_recipe(recipe_of(data, "cgan", training={"steps": 1}), recipe)
    assert main(["train", str(recipe), "--run", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().out
    assert "Method" in said and "cgan" in said and "liverseg paint" in said
    assert "ce + dice" not in said and "liverseg export" not in said


def test_the_command_paints(run, tmp_path, capsys):
    assert main(["paint", str(run.path), str(tmp_path / "painted"), "--count", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cases"] == ["painted-000"]


def test_cases_without_all_annotations_do_not_teach_painting(data, tmp_path):
    folder = mixed_data(tmp_path / "partial")
    content = json.loads((folder / "dataset.json").read_text())
    content["cases"][0]["annotated"] = ["liver"]
    (folder / "dataset.json").write_text(json.dumps(content))
    facts = load_data(recipe_of(folder, "cgan"), RunFolder(tmp_path)).facts
    assert facts["train"]["cases"] == 3, "c1, c2 and c5"


def test_the_painter_is_told_structures_and_tissues_and_no_texture(data):
    painter = make_module(recipe_of(data, "cgan")).painter
    label = torch.zeros(1, 1, 24, 32, dtype=torch.uint8)
    label[..., 4:16, 4:16], label[..., 8:12, 8:12] = 1, 2
    image = painter.hu.from_hu(torch.full((1, 1, 24, 32), -150.0))
    image[..., 20:] = painter.hu.from_hu(torch.tensor(50.0))
    condition = painter.condition(image, label)
    assert condition.shape == (1, 6, 24, 32) and torch.equal(condition.sum(1), torch.ones(1, 24, 32))
    assert condition[0, :, 10, 10].tolist() == [0, 1, 0, 0, 0, 0]
    assert condition[0, :, 0, 0].tolist() == [0, 0, 1, 0, 0, 0] and condition[0, 4, 0, 31] == 1
    changed = image.clone()
    changed[..., 6:14, 6:14] = 1.0
    inside = condition[..., 4:16, 4:16]
    assert torch.equal(painter.condition(changed, label)[..., 4:16, 4:16], inside)
    made = painter.paint(condition, painter.noise(condition))
    assert made.shape == image.shape and made.min() >= -1 and made.max() <= 1


def test_without_tissues_the_painter_is_told_the_structures_alone(data):
    painter = make_module(recipe_of(data, "cgan", {"tissues": []})).painter
    assert painter.condition_channels == 2 and PLANAR["structures"] == ["liver", "liver tumour"]


@pytest.mark.slow
def test_the_benchmark_trains_both_and_goes_on(data, tmp_path, capsys):
    from Benchmarks.painted import main as benchmark

    small = ["network.arguments={channels: [4, 8]}", "patches.size=[24, 32]", "data.without=[]",
             "preparation.spacing=null", "training.batch=1", "training.accelerator=cpu"]  # fmt: skip
    segmenter = [word for change in small for word in ("--segmenter", change)]
    painter = [word for change in [*small, "method.discriminator={channels: 4, layers: 2}"]
               for word in ("--painter", change)]  # fmt: skip
    command = [str(data), str(tmp_path / "out"), "--seeds", "1", "--steps", "1", "--painter-steps", "1",
               "--count", "1", "--json", *painter, *segmenter]  # fmt: skip
    benchmark(command)
    found = json.loads(capsys.readouterr().out)
    assert {(row["arm"], row["patient"]) for row in found["rows"]} == {
        (arm, patient) for arm in ("real", "painted") for patient in ("p3", "p4")
    }
    assert (tmp_path / "out" / "painted" / "dataset.json").is_file()
    facts = RunFolder(tmp_path / "out" / "painted-0").read_json(
        RunFolder(tmp_path / "out" / "painted-0").facts
    )
    assert facts["datasets"]["painted by cgan-paint-ct"] == 1
    benchmark(command)
    assert json.loads(capsys.readouterr().out) == found, "it was trained again"


def test_the_benchmark_pairs_patients():
    from Benchmarks.painted import compared

    rows = [
        {"arm": arm, "seed": seed, "patient": patient, "case": patient, "structure": "liver", "dice": dice}
        for arm, seed, patient, dice in [
            ("real", 0, "a", 0.5), ("painted", 0, "a", 0.7), ("real", 1, "a", 0.5), ("painted", 1, "a", 0.5),
            ("real", 0, "b", 0.6), ("painted", 0, "b", 0.6), ("real", 1, "b", 0.4), ("painted", 1, "b", 0.6),
        ]
    ]  # fmt: skip
    result = compared(rows, "liver")
    assert result["difference_by_patient"] == pytest.approx([0.1, 0.1])
    assert result["difference_by_seed"] == pytest.approx([0.1, 0.1]) and result["real"] == pytest.approx(0.5)
