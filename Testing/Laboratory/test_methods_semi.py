"""Mean teacher, one network for several modalities, distillation: each by what it may and may not change."""

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from made_up import content, data_folder
from torch import nn

from LiverSegLib.errors import InputError, ModelError, UsageError
from LiverSegLib.inference.devices import choose_devices
from LiverSegLib.inference.foreign.find import find_structures
from LiverSegLib.inference.foreign.load import load_foreign
from LiverSegLib.models import load_model
from LiverSegLib.networks import build_network
from LiverSegLib.training.export_run import export_models, export_run
from LiverSegLib.training.fit import run_weights, train
from LiverSegLib.training.loaders import load_data
from LiverSegLib.training.methods.distillation import soft_distance
from LiverSegLib.training.methods.mean_teacher import MeanTeacherModule, follow, ramp
from LiverSegLib.training.methods.modalities import (
    ModalitiesModule,
    class_knowledge,
    knowledge_distance,
)
from LiverSegLib.training.methods.modality_norms import choose, for_all, of_one, separate_norms
from LiverSegLib.training.methods.registry import make_module
from LiverSegLib.training.methods.semi_options import MeanTeacherOptions
from LiverSegLib.training.methods.two_views import TwoViews
from LiverSegLib.training.recipe import check_recipe
from LiverSegLib.training.run_folder import RunFolder
from LiverSegLib.training.validation import Validator

BATCH_NORMS = {"name": "BlockUNet", "arguments": {"channels": [4, 8], "norm": "batch"}}
ZSCORE = {"spacing": [5.0, 5.0, 8.0], "intensity": {"scheme": "zscore"}}
WINDOW = {"spacing": [5.0, 5.0, 8.0],
          "intensity": {"scheme": "window", "window": [-160, 240], "scale": [-1, 1]}}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Labelled CT, unlabelled CT and labelled MR of made-up patients."""
    folder = tmp_path_factory.mktemp("data")
    data_folder(folder / "ct", train=2, val=1)
    data_folder(folder / "bare", train=2, val=0, first=10)
    data_folder(folder / "mr", train=2, val=1, first=20, modality="MR")
    return folder


def after(steps):
    count = [0]

    def stop():
        count[0] += 1
        return count[0] >= steps

    return stop


def resumes(recipe, folder):
    """Whether a run that is stopped after a step ends as one that is not."""
    train(recipe, folder / "whole")
    assert train(recipe, folder / "parts", stop=after(1)).step == 1
    train(recipe, folder / "parts")
    one, other = (
        torch.load(RunFolder(folder / n).last, weights_only=True)["state_dict"] for n in ("whole", "parts")
    )
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def teacher_recipe(data, **sections):
    more = [{"folder": str(data / "bare"), "labels": False}]
    method = {"name": "mean-teacher", **sections.pop("method", {})}
    return check_recipe(content(data / "ct", data={"more": more}, method=method, **sections))


def test_the_teacher_is_the_average_of_the_student():
    teacher, student = (nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1)) for _ in range(2))
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student[1].num_batches_tracked.fill_(7)
    follow(teacher, student, decay=0.9, step=99)
    for name, value in teacher.state_dict().items():
        mine = student.state_dict()[name]
        expected = 0.9 * before[name] + 0.1 * mine if mine.is_floating_point() else mine
        assert torch.allclose(value, expected, atol=1e-7), name
    follow(teacher, student, decay=0.9, step=0)
    assert all(torch.equal(v, student.state_dict()[n]) for n, v in teacher.state_dict().items())


def test_the_weight_of_the_consistency_rises():
    options = MeanTeacherOptions(ramp=0.5)
    assert ramp(options, 0, 100) == pytest.approx(math.exp(-5))
    assert ramp(options, 25, 100) == pytest.approx(math.exp(-1.25))
    assert ramp(options, 50, 100) == ramp(options, 99, 100) == 1
    assert ramp(MeanTeacherOptions(ramp=0), 0, 100) == 1


def test_two_views_share_their_place_and_differ_in_gray_values(data):
    on = {
        "noise": {"probability": 1, "range": [0.2, 0.3]},
        "rotation": {"probability": 1, "range": [-20, 20]},
    }
    recipe = teacher_recipe(data, augmentation=on)
    views = TwoViews(recipe)
    size = views.enlarged((16, 16, 16))
    image = torch.randn(1, *size).cumsum(1).cumsum(2).cumsum(3)
    sample = {"image": image, "label": torch.zeros(1, *size, dtype=torch.uint8),
              "annotated": torch.zeros(3, dtype=torch.bool), "id": "x",
              "spacing": torch.tensor([5.0, 5.0, 8.0])}  # fmt: skip
    found = views(sample, np.random.default_rng(3))
    one, two = found["image"], found["second_image"]
    assert one.shape == two.shape == (1, 16, 16, 16) and not torch.equal(one, two)
    noise = (one - two).std() / one.std()
    assert 0.1 < noise < 0.6, "another place or form would differ by more than noise"
    still = TwoViews(teacher_recipe(data, augmentation="none"))(
        {**sample, "image": image[:, :16, :16, :16], "label": sample["label"][:, :16, :16, :16]},
        np.random.default_rng(3),
    )
    assert torch.equal(still["image"], still["second_image"])


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_consistency_of_equal_views_is_zero_and_only_the_student_learns_from_it(data, activation):
    recipe = teacher_recipe(data, activation=activation, loss="dice")
    module = MeanTeacherModule(recipe).train()
    image = torch.randn(2, 1, 16, 16, 16)
    assert module.consistency({"image": image, "second_image": image}) == 0
    apart = module.consistency({"image": image, "second_image": image + torch.randn_like(image)})
    apart.backward()
    assert apart > 0 and all(p.grad is not None for p in module.network.parameters())
    assert all(p.grad is None for p in module.teacher.parameters())


def test_where_the_teacher_is_not_certain_nothing_counts(data):
    module = MeanTeacherModule(teacher_recipe(data, method={"passes": 2, "noise": 0.0}))
    assert module._certain(torch.randn(1, 1, 8, 8, 8)).shape == (1, 1, 8, 8, 8)
    with torch.no_grad():
        module.teacher.head.weight.zero_()
        module.teacher.head.bias.zero_()
    image = torch.randn(1, 1, 16, 16, 16)
    assert module.consistency({"image": image, "second_image": image}) == 0
    with torch.no_grad():
        module.teacher.head.bias[0] = 50.0
    assert module.consistency({"image": image, "second_image": image}) > 0
    assert not any(layer.training for layer in module.teacher.modules())


def test_a_mean_teacher_learns_resumes_and_its_teacher_is_exported(data, tmp_path):
    recipe = teacher_recipe(data, training={"steps": 3, "learning_rate": 0.01, "start": None})
    assert resumes(recipe, tmp_path)
    run = RunFolder(tmp_path / "whole")
    state = torch.load(run.best, weights_only=True)["state_dict"]
    export_run(run, tmp_path / "model")
    exported = load_model(str(tmp_path / "model")).state_dict("segment")
    for name, value in exported.items():
        assert torch.equal(value, state[f"teacher.{name}"])
    assert any(not torch.equal(state[f"network.{n}"], state[f"teacher.{n}"]) for n in exported)
    facts = json.loads(run.facts.read_text())
    assert facts["images"] == {"cases": 2, "patients": 2} and facts["train"]["cases"] == 2
    begun = teacher_recipe(data, training={"steps": 1, "start": str(tmp_path / "whole")})
    module = make_module(begun)
    module.start(run_weights(run), begun.training.start)
    for part in (module.network, module.teacher):
        assert all(torch.equal(v, state[f"teacher.{n}"]) for n, v in part.state_dict().items())


def test_a_mean_teacher_needs_unlabelled_scans_and_no_other_average(data, tmp_path):
    with pytest.raises(InputError, match="needs unlabelled scans"):
        train(check_recipe(content(data / "ct", method="mean-teacher")), tmp_path / "run")
    with pytest.raises(InputError, match="leave training.average out"):
        make_module(teacher_recipe(data, training={"steps": 1, "average": 0.9}))


def joint_content(data, **sections):
    method = {"name": "modalities", "preparations": {"MR": ZSCORE}, **sections.pop("method", {})}
    sections.setdefault("network", BATCH_NORMS)
    return content(
        data / "ct",
        data={"more": [{"folder": str(data / "mr")}]},
        preparation=WINDOW,
        method=method,
        **sections,
    )


def test_norms_are_separate_and_all_else_is_shared():
    plain = build_network("BlockUNet", {"channels": [4, 8], "norm": "batch", "dimensions": 2})
    joint = build_network("BlockUNet", {"channels": [4, 8], "norm": "batch", "dimensions": 2})
    norms = {name for name, m in plain.named_modules() if isinstance(m, nn.BatchNorm2d)}
    separate_norms(joint, 2)
    extra = sum(p.numel() for n, p in plain.named_parameters() if n.rpartition(".")[0] in norms)
    total = sum(p.numel() for p in plain.parameters())
    assert sum(p.numel() for p in joint.parameters()) == total + extra and extra > 0
    joint.load_state_dict(for_all(plain.state_dict(), norms, 2))
    image = torch.randn(2, 1, 16, 16)
    for number in range(2):
        choose(joint, number)
        assert torch.equal(joint.eval()(image), plain.eval()(image))
        assert of_one(joint.state_dict(), number).keys() == plain.state_dict().keys()
    with pytest.raises(ModelError, match="no norm layers"):
        separate_norms(nn.Sequential(nn.Conv2d(1, 1, 1), nn.InstanceNorm2d(1)), 2)


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_a_step_on_one_modality_leaves_the_norms_of_the_other(data, norm):
    network = {"name": "BlockUNet", "arguments": {"channels": [4, 8], "norm": norm}}
    module = ModalitiesModule(check_recipe(joint_content(data, network=network))).train()
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    choose(module.network, 1)
    optimizer = torch.optim.AdamW(module.network.parameters(), lr=0.1, weight_decay=0.1)
    module(torch.randn(2, 1, 16, 16, 16)).square().mean().backward()
    optimizer.step()
    end = module.network.state_dict()
    ct = of_one(before, 0).keys() - set(before)
    assert ct, "the network has no separate norms"
    for name, value in end.items():
        if ".of_modality.0." in name:
            assert torch.equal(value, before[name]), name
    changed = [n for n, v in end.items() if not torch.equal(v, before[n])]
    assert any(".of_modality.1." in n for n in changed) and "heads.0.weight" in changed


def test_knowledge_is_the_softened_mean_score_of_each_class():
    scores = torch.zeros(1, 2, 2, 2)
    scores[0, 0, 0], scores[0, 1, 1] = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 3.0])
    label = torch.tensor([[[[0, 0], [1, 1]]]], dtype=torch.uint8)
    found, there = class_knowledge(scores, label, torch.tensor([[True]]), 2.0)
    expected = torch.tensor([[3.0, 0.0], [0.0, 2.0]]).div(2).softmax(1)
    assert torch.allclose(found, expected) and there.tolist() == [True, True]
    assert class_knowledge(scores, label, torch.tensor([[False]]), 2.0)[1].tolist() == [False, False]
    other = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
    kl = (expected * (expected / other).log()).sum(1) + (other * (other / expected).log()).sum(1)
    distance = knowledge_distance([(expected, there), (other, there)])
    assert distance == pytest.approx(float(kl.mean() / 2), rel=1e-5)
    half = torch.tensor([True, False])
    assert knowledge_distance([(expected, there), (other, half)]) == pytest.approx(float(kl[0] / 2), rel=1e-5)
    assert knowledge_distance([(expected, there), (expected, there)]) == 0
    assert knowledge_distance([(expected, half), (other, ~half)]) == 0


def test_each_modality_is_prepared_as_its_own(data, tmp_path):
    recipe = check_recipe(joint_content(data))
    run = RunFolder(tmp_path / "run")
    run.begin(recipe)
    found = load_data(recipe, run)
    item = found.samples[0]
    assert set(item) == {"CT", "MR"} and item["CT"]["id"] in ("c0", "c1")
    assert item["MR"]["id"] in ("c20", "c21")
    assert [found.validation[k]["modality"] for k in range(2)] == ["CT", "MR"]
    assert abs(float(found.validation[1]["image"].mean())) < 1e-3, "zscore"
    assert float(found.validation[0]["image"].max()) <= 1


def test_one_network_for_two_modalities_becomes_two_models_with_its_scores(data, tmp_path):
    values = joint_content(
        data, training={"steps": 3, "learning_rate": 0.05, "batch": 2, "checkpoint_every": 100},
        export={"name": "joint", "modality": "CT"},
    )  # fmt: skip
    recipe = check_recipe(values)
    assert resumes(recipe, tmp_path)
    run = RunFolder(tmp_path / "whole")
    made = export_models(run, tmp_path / "models")
    assert {path.name: (m.name, m.modality) for path, m in made.items()} == {
        "CT": ("joint-ct", "CT"), "MR": ("joint-mr", "MR"),
    }  # fmt: skip
    with pytest.raises(InputError, match="a model for each of CT, MR"):
        export_run(run, tmp_path / "other")
    module = make_module(recipe)
    module.network.load_state_dict(run_weights(run))
    module.eval()
    for number, (name, case) in enumerate((("CT", "c2"), ("MR", "c22"))):
        model = load_model(str(tmp_path / "models" / name))
        stage = model.manifest.stages[0]
        plain = build_network(stage.network.name, stage.network.arguments).eval()
        plain.load_state_dict(model.state_dict("segment"))
        choose(module.network, number)
        image = torch.randn(1, 1, 16, 16, 16)
        with torch.no_grad():
            assert torch.equal(plain(image), module.network(image))
        assert [row["case"] for row in model.manifest.accuracy.table] == [case, "mean"]
        file = data / name.lower() / f"{case}.nii.gz"
        labels = find_structures(
            load_foreign(model, choose_devices("cpu", precision="float32")),
            sitk.ReadImage(str(file)),
            lambda share: None,
        ).structures.labels
        prepared = load_data(recipe, run).validation[number]
        validator = Validator(recipe.for_modality(name), module.network, torch.device("cpu"))
        assert (validator.labels(prepared["image"].numpy()) != labels).mean() < 1e-3
    weights = torch.load(run.last, weights_only=True)["state_dict"]
    assert any(
        not torch.equal(value, weights[name.replace("of_modality.0", "of_modality.1")])
        for name, value in weights.items()
        if "of_modality.0" in name
    )


def test_a_network_of_one_modality_begins_a_joint_one(data, tmp_path):
    first = check_recipe(content(data / "ct", network=BATCH_NORMS, training={"steps": 1}))
    train(first, tmp_path / "first")
    begun = check_recipe(joint_content(data, training={"steps": 1, "start": str(tmp_path / "first")}))
    module = make_module(begun)
    weights = run_weights(RunFolder(tmp_path / "first"))
    assert module.start(weights, begun.training.start).fresh == ()
    for number in range(2):
        mine = of_one(module.network.state_dict(), number)
        assert all(torch.equal(value, weights[name]) for name, value in mine.items())


def test_what_modalities_cannot_do_is_said(data, tmp_path):
    alone = content(data / "ct", network=BATCH_NORMS, method="modalities")
    with pytest.raises(InputError, match="No labelled case to train on is MR; there are CT"):
        train(check_recipe(alone), tmp_path / "run")
    with pytest.raises(UsageError, match="activation: softmax"):
        make_module(check_recipe(joint_content(data, activation="sigmoid", loss="dice")))
    for method, words in (
        ({"modalities": ["CT"]}, "at least two"),
        ({"preparations": {"PET": ZSCORE}}, "PET, which is none"),
    ):
        with pytest.raises(InputError, match=words):
            check_recipe(joint_content(data, method=method))


def test_soft_distance_is_the_divergence_of_softened_probabilities():
    scores, taught = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    p, q = (taught / 2).softmax(1), (scores / 2).softmax(1)
    expected = 4 * (p * (p / q).log()).sum(1).mean()
    assert soft_distance(scores, taught, 2.0) == pytest.approx(float(expected), rel=1e-5)
    assert soft_distance(scores, scores, 2.0) == pytest.approx(0, abs=1e-6)


def test_a_student_learns_from_a_models_probabilities_alone(data, tmp_path):
    train(check_recipe(content(data / "ct", training={"steps": 2})), tmp_path / "teacher")
    export_run(RunFolder(tmp_path / "teacher"), tmp_path / "model")
    method = {"name": "distillation", "teacher": str(tmp_path / "model"), "weight": 1.0}
    recipe = check_recipe(content(data / "ct", seed=7, method=method, training={"steps": 3}))
    assert resumes(recipe, tmp_path)
    state = torch.load(RunFolder(tmp_path / "whole").last, weights_only=True)["state_dict"]
    assert all(name.startswith("network.") for name in state), "the teacher is in the checkpoint"
    losses = RunFolder(tmp_path / "whole").losses()
    own = make_module(recipe)
    own.network.load_state_dict(own._teacher[0].network.state_dict())
    image = torch.randn(1, 1, 16, 16, 16)
    batch = {"image": image, "label": torch.zeros(1, 1, 16, 16, 16, dtype=torch.uint8),
             "annotated": torch.ones(1, 3, dtype=torch.bool)}  # fmt: skip
    own.log_dict = lambda *values, **named: None
    assert own.training_step(batch, 0).item() == pytest.approx(0, abs=1e-5) and min(losses) > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"structures": ["liver"]}, "tells background, liver, spleen, liver tumour apart"),
        ({"preparation": {"spacing": [4.0, 5.0, 8.0]}}, "sees .* mm"),
        ({"preparation": {"intensity": {"scheme": "zscore"}}}, "other gray values"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(data, tmp_path, changes, words):
    run = RunFolder(tmp_path / "teacher")
    train(check_recipe(content(data / "ct", training={"steps": 1})), run.path)
    export_run(run, tmp_path / "model")
    method = {"name": "distillation", "teacher": str(tmp_path / "model")}
    with pytest.raises(InputError, match=words):
        make_module(check_recipe(content(data / "ct", method=method, **changes)))
    method["teacher"] = str(run.path)
    with pytest.raises(InputError, match="make a model of it first"):
        make_module(check_recipe(content(data / "ct", method=method)))
