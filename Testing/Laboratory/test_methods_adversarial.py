"""Adversarial training: each loss reaches what it should, and nothing else; runs resume, exports segment."""

import pytest
import SimpleITK as sitk
import torch
from adversarial import DISCRIMINATOR, METHODS, mixed_data, recipe_of

from LiverSegLib.errors import InputError
from LiverSegLib.inference.devices import choose_devices
from LiverSegLib.inference.foreign.find import find_structures
from LiverSegLib.inference.foreign.load import load_foreign
from LiverSegLib.models import load_model
from LiverSegLib.training.data import read_cases, split_cases
from LiverSegLib.training.export_run import export_run
from LiverSegLib.training.fit import train
from LiverSegLib.training.loaders import load_data
from LiverSegLib.training.methods.adversarial_options import DiscriminatorOptions
from LiverSegLib.training.methods.adversary import Adversary, frozen
from LiverSegLib.training.methods.gan import GanModule, hidden, with_parts
from LiverSegLib.training.methods.registry import make_module, method_of
from LiverSegLib.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return mixed_data(tmp_path_factory.mktemp("data") / "made-up")


def state(run):
    return torch.load(RunFolder(run).last, weights_only=True)


def part(weights, name):
    return {key: value for key, value in weights.items() if key.startswith(f"{name}.")}


def same(one, other):
    assert one.keys() == other.keys() and one
    return all(torch.equal(one[name], other[name]) for name in one)


def after(steps):
    count = [0]

    def stop():
        count[0] += 1
        return count[0] >= steps

    return stop


def has_gradients(module):
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters())


def test_least_squares_are_those_of_the_paper():
    adversary = Adversary(DiscriminatorOptions(**DISCRIMINATOR), 2, 2)
    real, made = torch.randn(2, 2, 24, 24), torch.randn(2, 2, 24, 24)
    there, seen = adversary(real), adversary(made)
    assert there.shape[:2] == (2, 1)
    own = (((there - 1) ** 2).mean() + (seen**2).mean()) / 2
    assert adversary.own_loss(real, made).item() == pytest.approx(own.item(), rel=1e-6)
    assert adversary.fooled_loss(made).item() == pytest.approx(((seen - 1) ** 2).mean().item(), rel=1e-6)


def test_cross_entropy_is_that_of_the_paper():
    adversary = Adversary(DiscriminatorOptions(criterion="bce", **DISCRIMINATOR), 2, 2)
    real, made = torch.randn(2, 2, 24, 24), torch.randn(2, 2, 24, 24)
    there, seen = adversary(real).sigmoid(), adversary(made).sigmoid()
    own = -(there.log().mean() + (1 - seen).log().mean()) / 2
    assert adversary.own_loss(real, made).item() == pytest.approx(own.item(), rel=1e-5)


def test_each_loss_reaches_what_it_should(data):
    module = make_module(recipe_of(data, "gan"))
    assert isinstance(module, GanModule)
    image, label = torch.randn(2, 1, 24, 32), torch.randint(0, 3, (2, 1, 24, 32), dtype=torch.uint8)
    annotated = torch.tensor([[True, True], [True, False]])
    made = module.shown(image, module.probabilities(module(image)), annotated)
    with frozen(module.adversary):
        loss = module.adversary.fooled_loss(made)
    loss.backward(retain_graph=True)
    assert has_gradients(module.network) and not has_gradients(module.adversary)
    module.zero_grad()
    module.adversary.own_loss(module.shown(image, module.reference(label), annotated), made).backward()
    assert has_gradients(module.adversary) and not has_gradients(module.network)


def test_without_weight_the_segmenter_learns_as_in_the_plain_way(data, tmp_path):
    """So the discriminator's step does not touch it, and the optimizer is stepped as Lightning would."""
    training = {"steps": 3, "schedule": "poly", "gradient_limit": 0.5, "average": 0.9, "batch": 2}
    train(recipe_of(data, "supervised", training=training), tmp_path / "plain")
    train(recipe_of(data, "gan", {"weight": 0, "unlabelled": 0}, training=training), tmp_path / "gan")
    plain, gan = (state(tmp_path / name)["state_dict"] for name in ("plain", "gan"))
    assert same(part(plain, "network"), part(gan, "network"))


def test_the_segmenters_loss_does_not_touch_the_discriminator(data, tmp_path):
    for weight in (0.0, 50.0):
        options = {"weight": weight, "unlabelled": weight}
        train(recipe_of(data, "gan", options, training={"steps": 1}), tmp_path / str(weight))
    light, heavy = (state(tmp_path / str(weight))["state_dict"] for weight in (0.0, 50.0))
    assert same(part(light, "adversary"), part(heavy, "adversary"))
    assert not same(part(light, "network"), part(heavy, "network"))
    start = make_module(recipe_of(data, "gan")).state_dict()
    assert not same(part(start, "adversary"), part(light, "adversary"))


def test_unlabelled_images_teach_the_segmenter(data, tmp_path):
    for unlabelled in (0.0, 5.0):
        options = {"weight": 0, "unlabelled": unlabelled}
        found = train(recipe_of(data, "gan", options, training={"steps": 1}), tmp_path / str(unlabelled))
        assert found.facts.get("images", {}).get("cases") == (1 if unlabelled else None)
    one, other = (state(tmp_path / str(value))["state_dict"] for value in (0.0, 5.0))
    assert not same(part(one, "network"), part(other, "network"))


def test_what_is_not_annotated_is_hidden_on_both_sides(data):
    module = make_module(recipe_of(data, "gan"))
    image = torch.zeros(1, 1, 1, 2)
    shares = torch.tensor([[[[0.5, 0.25]], [[0.25, 0.5]]]])  # liver, tumor
    both, liver, tumor, none = (
        module.shown(image, shares, torch.tensor([row]))[0, 1:, 0].tolist()
        for row in ([True, True], [True, False], [False, True], [False, False])
    )
    assert both == [[0.5, 0.25], [0.25, 0.5]]
    assert liver == [[0.75, 0.75], [0, 0]], "a tumor counts as liver"
    assert tumor == [[0, 0], [0.25, 0.5]] and none == [[0, 0], [0, 0]]
    label = torch.tensor([[[[1, 2]]]], dtype=torch.uint8)
    known = torch.tensor([[True, False]])
    assert module.shown(image, module.reference(label), known)[0, 1:, 0].tolist() == [[1, 1], [0, 0]]
    other = torch.tensor([[[[1, 1]]]], dtype=torch.uint8)
    assert torch.equal(
        module.shown(image, module.reference(label), known),
        module.shown(image, module.reference(other), known),
    )


def test_structures_that_overlap_hold_their_parts():
    shares = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    assert with_parts(shares, (0, 0, 1))[0, :, 0].tolist() == [[1, 1], [0, 1]]
    assert hidden(with_parts(shares, (0, 0, 1)), torch.tensor([[True, False]]), (0, 0, 0)).sum() == 2


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_was_stopped_ends_with_the_same_weights(data, tmp_path, method):
    precision = "bf16-mixed" if method == "cyclegan" else "32-true"
    training = {"steps": 4, "schedule": "linear-end", "average": 0.9, "checkpoint_every": 100,
                "precision": precision}  # fmt: skip
    recipe = recipe_of(data, method, training=training, data={"cache": str(tmp_path / "c")})
    whole = train(recipe, tmp_path / "whole")
    assert train(recipe, tmp_path / "parts", stop=after(2)).step == 2
    found = train(recipe, tmp_path / "parts")
    assert whole.step == found.step == 4
    one, other = state(tmp_path / "whole"), state(tmp_path / "parts")
    assert same(one["state_dict"], other["state_dict"])
    assert same(one["current_model_state"], other["current_model_state"])
    assert any("adversary" in name for name in one["state_dict"])
    assert len(RunFolder(tmp_path / "whole").losses()) == 4


@pytest.mark.parametrize("method", ["gan", "cyclegan"])
def test_what_is_exported_is_the_segmenter_alone(data, tmp_path, method):
    recipe = recipe_of(data, method, training={"steps": 2})
    found = train(recipe, tmp_path / "run")
    assert [row.id for row in found.validation] == ["c3", "c4"]
    export_run(RunFolder(tmp_path / "run"), tmp_path / "model")
    model = load_model(str(tmp_path / "model"))
    own = make_module(recipe).network.state_dict()
    assert set(model.state_dict("segment")) == set(own)
    scan = sitk.ReadImage(str(data / "c3.nii.gz"))
    foreign = load_foreign(model, choose_devices("cpu", precision="float32"))
    labels = find_structures(foreign, scan, lambda share: None).structures.labels
    assert labels.shape == scan.GetSize()[::-1]


def test_cyclegan_sees_no_label_of_the_target_and_validates_on_it(data, tmp_path):
    recipe = recipe_of(data, "cyclegan")
    split = split_cases(read_cases(recipe.data).cases, recipe.data.split)
    parts = method_of(recipe).parts(recipe, split)
    assert [case.id for case in parts.train] == ["c0", "c1", "c2"]
    assert [case.id for case in parts.images] == ["c5", "c6"]
    assert all(case.label is None and not case.annotated for case in parts.images)
    assert [case.id for case in parts.validation] == ["c3", "c4"]
    sample = load_data(recipe, RunFolder(tmp_path)).samples[0]
    assert sample["label"].any() or sample["annotated"].all()
    assert not sample["target"]["label"].any() and not sample["target"]["annotated"].any()
    with pytest.raises(InputError, match="no case of modality PET"):
        method_of(recipe).parts(recipe_of(data, "cyclegan", {"target": "PET"}), split)


def test_segmentation_teaches_the_translation(data, tmp_path):
    options = {"adversarial": 0, "cycle": 0, "identity": 0}
    recipe = recipe_of(data, "cyclegan", options, training={"steps": 1})
    train(recipe, tmp_path / "run")
    start, end = make_module(recipe).state_dict(), state(tmp_path / "run")["state_dict"]
    assert not same(part(start, "to_target"), part(end, "to_target"))
    assert same(part(start, "to_source"), part(end, "to_source"))


def test_pictures_and_losses_are_logged(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(recipe_of(data, "cyclegan", training={"steps": 2}), tmp_path / "cyclegan")
    train(recipe_of(data, "cgan", training={"steps": 2}), tmp_path / "cgan")
    tags = {}
    for name in ("cgan", "cyclegan"):
        events = EventAccumulator(str(tmp_path / name / "tensorboard"))
        events.Reload()
        tags[name] = events.Tags()
    assert {"training/cycle", "training/adversarial", "training/discriminator", "validation/dice"} <= set(
        tags["cyclegan"]["scalars"]
    )
    assert "training/CT as MR, MR as CT" in tags["cyclegan"]["images"]
    assert {"training/real, condition, painted"} <= set(tags["cgan"]["images"])
    assert "validation/distance_hu" in tags["cgan"]["scalars"]
    assert "validation/dice" not in tags["cgan"]["scalars"]


@pytest.mark.parametrize(
    ("method", "changes", "words"),
    [
        ("gan", {"training": {"accumulate": 2}}, "sums no batches"),
        ("gan", {"training": {"precision": "16-mixed"}}, "32-true or bf16-mixed"),
        ("gan", {"patches": {"size": [8, 32]}}, "needs patches of 12 voxels"),
        ("cgan", {"patches": {"size": [16, 16, 16]}}, "paints slices"),
        ("cgan", {"preparation": {"intensity": {"scheme": "zscore"}}}, "scheme: window"),
    ],
)
def test_what_a_method_cannot_do_is_said(data, method, changes, words):
    with pytest.raises(InputError, match=words):
        make_module(recipe_of(data, method, **changes))


def test_volumes_too(data, tmp_path):
    changes = {"patches": {"size": [16, 16, 16]}, "training": {"steps": 1}}
    for method in ("gan", "cyclegan"):
        assert train(recipe_of(data, method, **changes), tmp_path / method).step == 1


def test_no_unlabelled_case_is_said(data, tmp_path):
    recipe = recipe_of(data, "gan", data={"without": ["c6"]})
    with pytest.raises(InputError, match="no unlabelled case"):
        train(recipe, tmp_path / "run")
