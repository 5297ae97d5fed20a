"""Losses against values computed by hand, with empty classes, mixes and coarser levels."""

import numpy as np
import pytest
import torch
from hand_computed import BOTH, SIZES, STRUCTURES, batch, by_hand, expected

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.training.losses import LossOptions, build_loss
from LiverSegLib.training.losses.build import LOSSES, label_at, level_weights
from LiverSegLib.training.losses.distances import signed_distance
from LiverSegLib.training.losses.options import NAMES, parse_mix
from LiverSegLib.training.losses.partial import partial_loss


def test_every_loss_has_a_hand_computed_value():
    assert {name for _, name in BOTH} == set(NAMES) == {*LOSSES, "partial"}


@pytest.mark.parametrize("size", SIZES, ids=("2D", "3D"))
@pytest.mark.parametrize("activation, name", BOTH)
def test_a_loss_is_what_its_formula_says(activation, name, size):
    scores, label, annotated = batch(activation, size)
    loss = build_loss(name, activation, STRUCTURES)(scores, label, annotated)
    assert loss.shape == () and loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected(name, scores, label, activation), rel=1e-4)


@pytest.mark.parametrize("activation, name", BOTH)
def test_a_step_down_the_gradient_lowers_the_loss(activation, name):
    scores, label, annotated = batch(activation, (8, 8))
    loss = build_loss(name, activation, STRUCTURES)
    value = loss(scores, label, annotated)
    value.backward()
    assert scores.grad.abs().max() > 0
    better = scores.detach() - 0.1 * scores.grad / scores.grad.norm()
    assert loss(better, label, annotated) < value


@pytest.mark.parametrize("activation, name", BOTH)
@pytest.mark.parametrize("value", (0, 1), ids=("nothing there", "liver everywhere"))
def test_empty_classes_give_finite_values_and_gradients(activation, name, value):
    scores, label, annotated = batch(activation, (6, 6))
    for logits in (scores, torch.full_like(scores, 60.0), torch.full_like(scores, -60.0)):
        logits = logits.detach().requires_grad_()
        loss = build_loss(name, activation, STRUCTURES)(logits, torch.full_like(label, value), annotated)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()


def test_what_losses_of_empty_classes_are():
    scores = torch.full((1, 3, 4, 4), -60.0)  # sigmoid: nothing predicted
    none, everything = torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.ones(1, 3, dtype=torch.bool)
    for name in (
        "dice",
        "tversky",
        "generalised_dice",
        "boundary",
        "hausdorff",
        "ce",
        "weighted_ce",
        "focal",
    ):
        value = build_loss(name, "sigmoid", STRUCTURES)(scores, none, everything)
        assert value.item() == pytest.approx(0, abs=1e-6), name
    for name in ("dice", "tversky"):
        value = build_loss(name, "sigmoid", STRUCTURES)(-scores, none, everything)
        assert value.item() == pytest.approx(1, abs=1e-4), name
    assert build_loss("boundary", "sigmoid", STRUCTURES)(-scores, none, everything).item() == 0


@pytest.mark.parametrize("kind", (torch.float16, torch.bfloat16))
@pytest.mark.parametrize("activation, name", BOTH)
def test_half_precision_is_computed_in_float32(activation, name, kind):
    scores, label, annotated = batch(activation, (6, 6))
    half = (4 * scores.detach()).to(kind)
    loss = build_loss(name, activation, STRUCTURES)
    value = loss(half, label, annotated)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss(half.float(), label, annotated).item(), rel=1e-6)


def test_a_mix_is_the_weighted_sum():
    scores, label, annotated = batch("softmax", (6, 6))
    mixed = build_loss("0.3 ce + 0.7*dice + 1e-2 boundary", "softmax", STRUCTURES)
    parts = mixed.terms(scores, label, annotated)
    alone = {name: build_loss(name, "softmax", STRUCTURES)(scores, label, annotated) for name in parts}
    assert {name: value.item() for name, value in parts.items()} == pytest.approx(
        {name: value.item() for name, value in alone.items()}
    )
    whole = 0.3 * alone["ce"] + 0.7 * alone["dice"] + 0.01 * alone["boundary"]
    assert mixed(scores, label, annotated).item() == pytest.approx(whole.item(), rel=1e-6)


def test_a_mix_is_read():
    assert parse_mix("ce+dice") == ((1.0, "ce"), (1.0, "dice"))
    assert parse_mix(" .5 Focal + 2*tversky") == ((0.5, "focal"), (2.0, "tversky"))
    assert LossOptions.model_validate("0.3 ce + 0.7 dice").mix == "0.3 ce + 0.7 dice"


@pytest.mark.parametrize(
    "text, words",
    [
        ("0.3 ce + 0.7 dise", 'Did you mean "dice"'),
        ("crossentropy", "There is no loss"),
        ("0.3 ce 0.7 dice", "cannot be read"),
        ("ce + ", "cannot be read"),
        ("", "cannot be read"),
        ("-1 ce", "cannot be read"),
        ("ce + ce", "twice"),
        ("0 ce", "weighs nothing"),
    ],
)
def test_a_mix_that_is_none_is_refused(text, words):
    with pytest.raises(UsageError, match=words):
        parse_mix(text)
    with pytest.raises(UsageError, match=words):
        LossOptions(mix=text)


def test_class_weights_weigh_classes():
    scores, label, annotated = batch("softmax", (6, 6))
    p, t, nll = by_hand(scores, label, "softmax")
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    each = (t * weights.reshape(1, 4, 1, 1)).sum(1, keepdims=True)
    options = LossOptions(mix="ce", class_weights=(1, 2, 3, 4))
    value = build_loss(options, "softmax", STRUCTURES)(scores, label, annotated)
    assert value.item() == pytest.approx((each * nll).sum() / each.sum(), rel=1e-5)
    same = build_loss(options.changed(mix="weighted_ce"), "softmax", STRUCTURES)(scores, label, annotated)
    assert same.item() == value.item()
    with pytest.raises(UsageError, match="3 channels"):
        build_loss(LossOptions(class_weights=(1, 2)), "sigmoid", STRUCTURES)


@pytest.mark.parametrize("name", ("dice", "tversky", "generalised_dice"))
def test_batch_dice_sums_over_the_batch(name):
    scores, label, annotated = batch("sigmoid", (6, 6))
    options = LossOptions(mix=name, batch_dice=True)
    value = build_loss(options, "sigmoid", STRUCTURES)(scores, label, annotated)
    # The same voxels as one item.
    one = torch.cat(list(scores.detach()), 1)[None], torch.cat(list(label), 1)[None], annotated[:1]
    assert value.item() == pytest.approx(build_loss(name, "sigmoid", STRUCTURES)(*one).item(), rel=1e-5)
    annotated[0, 1] = False
    value = build_loss(options, "sigmoid", STRUCTURES)(scores, label, annotated)
    value.backward()
    assert (scores.grad[0, 1] == 0).all() and (scores.grad[1, 1] != 0).any()


def test_the_background_counts_where_it_is_asked_for():
    scores, label, annotated = batch("softmax", (6, 6))
    p, t, _ = by_hand(scores, label, "softmax")
    both, total = (p * t).sum((2, 3)), (p + t).sum((2, 3))
    options = LossOptions(mix="dice", include_background=True)
    value = build_loss(options, "softmax", STRUCTURES)(scores, label, annotated)
    assert value.item() == pytest.approx((1 - 2 * both / total).mean(), rel=1e-4)


@pytest.mark.parametrize("size", ((8, 8), (8, 8, 4)), ids=("2D", "3D"))
def test_deep_supervision_weighs_its_levels(size):
    fine, label, annotated = batch("softmax", size)
    coarse = torch.randn(2, 4, *[n // 2 for n in size])
    every_second = tuple([slice(None)] * 2 + [slice(1, None, 2)] * len(size))
    one = build_loss("ce + dice", "softmax", STRUCTURES)
    parts = [one(fine, label, annotated).item(), one(coarse, label[every_second], annotated).item()]
    deep = build_loss("ce + dice", "softmax", STRUCTURES, deep_supervision=True)
    assert deep([fine, coarse], label, annotated).item() == pytest.approx((2 * parts[0] + parts[1]) / 3)
    given = LossOptions(mix="ce + dice", level_weights=(1, 3))
    deep = build_loss(given, "softmax", STRUCTURES, deep_supervision=True)
    assert deep([fine, coarse], label, annotated).item() == pytest.approx((parts[0] + 3 * parts[1]) / 4)
    assert one([fine, coarse], label, annotated).item() == pytest.approx(parts[0])
    assert deep(fine, label, annotated).item() == pytest.approx(parts[0])


def test_level_weights_fit_the_levels():
    assert level_weights(LossOptions(), 3) == pytest.approx((4 / 7, 2 / 7, 1 / 7))
    for weights in ((1, 1), (0, 0, 0), (1, 1, -1)):
        with pytest.raises(InputError, match="level weights"):
            level_weights(LossOptions(level_weights=weights), 3)


@pytest.mark.parametrize("axes", (2, 3))
def test_labels_come_to_a_coarser_size(axes):
    label = torch.zeros(1, 1, *[6] * axes, dtype=torch.uint8)
    label[(0, 0, *[0] * axes)] = 3
    label[(0, 0, *[3] * axes)] = 1
    nearest, highest = label_at(label, [3] * axes, "nearest"), label_at(label, [3] * axes, "max")
    assert nearest.dtype == highest.dtype == torch.uint8
    assert nearest[(0, 0, *[0] * axes)] == 0 and nearest[(0, 0, *[1] * axes)] == 1
    assert highest[(0, 0, *[0] * axes)] == 3 and highest[(0, 0, *[1] * axes)] == 1
    assert label_at(label, [6] * axes, "max") is label


def test_distances_count_millimetres():
    target = torch.zeros(1, 1, 3, 5)
    target[..., 1, 2] = 1
    found = signed_distance(target, (0.5, 2.0))[0, 0]
    assert found[1].tolist() == pytest.approx([1.0, 0.5, 0.0, 0.5, 1.0])
    assert found[:, 2].tolist() == pytest.approx([2.0, 0.0, 2.0])


def test_the_bundled_models_loss_knows_its_structures_only():
    scores, label, annotated = batch("softmax", (4, 4, 4), items=1)
    annotated[0, 2] = False
    value = build_loss("partial", "softmax", STRUCTURES)(scores, label, annotated)
    assert value.item() == partial_loss(scores, label[0, 0], [1, 2]).item()
    for activation, structures in (("sigmoid", STRUCTURES), ("softmax", ("spleen", "liver"))):
        with pytest.raises(UsageError, match="partial"):
            build_loss("partial", activation, structures)


def test_what_does_not_fit_is_refused_in_words():
    scores, label, annotated = batch("softmax", (4, 4))
    loss = build_loss("ce", "softmax", STRUCTURES)
    with pytest.raises(InputError, match="value 7"):
        loss(scores, torch.full_like(label, 7), annotated)
    with pytest.raises(InputError, match="4 channels"):
        loss(scores[:, :3], label, annotated)
    with pytest.raises(InputError, match="size"):
        loss(scores, label[:1], annotated)
    with pytest.raises(UsageError, match="sigmoid"):
        build_loss("bce", "softmax", STRUCTURES)
    with pytest.raises(UsageError, match="activation"):
        build_loss("ce", "relu", STRUCTURES)
