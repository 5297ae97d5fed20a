"""Losses against values computed by hand, with empty classes, partial labels and coarser levels."""

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.training.losses import LossOptions, build_loss
from LiverSegLib.training.losses.build import LOSSES, label_at, level_weights
from LiverSegLib.training.losses.distances import signed_distance
from LiverSegLib.training.losses.options import NAMES, parse_mix
from LiverSegLib.training.losses.partial import partial_loss

STRUCTURES = ("liver", "spleen", "liver tumour")
SIZES = ((6, 7), (5, 6, 4))
SOFTMAX = [name for name in NAMES if name != "bce"]
SIGMOID = [name for name in NAMES if name != "partial"]
BOTH = [("softmax", name) for name in SOFTMAX] + [("sigmoid", name) for name in SIGMOID]


def batch(activation, size, items=2, seed=0, highest=3):
    """Random logits, labels 0 to ``highest``, everything annotated."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(items, 3 + (activation == "softmax"), *size, generator=generator)
    label = torch.randint(0, highest + 1, (items, 1, *size), generator=generator).to(torch.uint8)
    return scores.requires_grad_(), label, torch.ones(items, 3, dtype=torch.bool)


def by_hand(scores, label, activation):
    """Probabilities, one-hot target and negative log-likelihood, by plain numpy."""
    x, y = scores.detach().double().numpy(), label[:, 0].numpy()
    if activation == "softmax":
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        t = np.stack([y == k for k in range(4)], 1).astype(float)
        return p, t, -np.log((p * t).sum(1, keepdims=True))
    p = 1 / (1 + np.exp(-x))
    t = np.stack([(y == 1) | (y == 3), y == 2, y == 3], 1).astype(float)
    return p, t, -(t * np.log(p) + (1 - t) * np.log(1 - p))


def space(values):
    return tuple(range(2, values.ndim))


def structures_of(p, t, activation):
    return (p[:, 1:], t[:, 1:]) if activation == "softmax" else (p, t)


def dice_by_hand(p, t, activation, o):
    p, t = structures_of(p, t, activation)
    both, total = (p * t).sum(space(p)), (p + t).sum(space(p))
    return (1 - (2 * both + o.smooth) / (total + o.smooth)).mean()


def generalised_dice_by_hand(p, t, activation, o):
    w = 1 / t.sum(space(t)) ** 2
    both, total = (p * t).sum(space(p)) * w, (p + t).sum(space(p)) * w
    return (1 - (2 * both.sum(1) + o.smooth) / (total.sum(1) + o.smooth)).mean()


def tversky_by_hand(p, t, activation, o):
    p, t = structures_of(p, t, activation)
    both = (p * t).sum(space(p))
    false = 0.3 * (p * (1 - t)).sum(space(p)) + 0.7 * ((1 - p) * t).sum(space(p))
    return (1 - (both + o.smooth) / (both + false + o.smooth)).mean()


def exp_log_by_hand(p, t, nll, activation):
    over = (0, *space(t))
    ps, ts = structures_of(p, t, activation)
    index = (2 * (ps * ts).sum(over) + 1) / ((ps + ts).sum(over) + 1)
    total, inside = t.size / t.shape[1], t.sum(over)
    shape = (1, -1, *[1] * (t.ndim - 2))
    rare = np.sqrt(total / inside).reshape(shape) * t
    if activation == "softmax":
        weight = rare.sum(1, keepdims=True)
    else:
        weight = rare + np.sqrt(total / (total - inside)).reshape(shape) * (1 - t)
    return 0.8 * ((-np.log(index)) ** 0.3).mean() + 0.2 * (weight * nll**0.3).mean()


def balanced_by_hand(t, nll, activation):
    if activation == "softmax":
        return np.mean([nll[:, 0][t[:, k] == 1].mean() for k in range(4)])
    halves = [nll[:, k][t[:, k] == value].mean() for k in range(3) for value in (0, 1)]
    return np.mean(halves)


def distance_by_hand(t, nll, activation):
    weights = np.zeros_like(nll)
    for item in range(len(t)):
        inside = [distance_transform_edt(mask) for mask in t[item]]
        if activation == "softmax":
            weights[item, 0] = np.sum(inside, axis=0)
        else:
            outside = [distance_transform_edt(1 - mask) for mask in t[item]]
            weights[item] = np.sum([inside, outside], axis=0)
    weights = 1 + 10 * np.exp(-(weights**2) / 50)
    return (weights * nll).sum() / weights.sum()


def boundary_by_hand(p, t, activation):
    p, t = structures_of(p, t, activation)
    values = []
    for found, mask in zip(p.reshape(-1, *p.shape[2:]), t.reshape(-1, *t.shape[2:])):
        inside = distance_transform_edt(mask)
        signed = np.where(mask == 1, -(inside - 1), distance_transform_edt(1 - mask))
        values.append((found * signed).mean())
    return np.mean(values)


def hausdorff_by_hand(p, t, activation):
    def field(mask):
        if mask.all() or not mask.any():
            return np.zeros(mask.shape)
        return distance_transform_edt(mask) + distance_transform_edt(~mask)

    p, t = structures_of(p, t, activation)
    values = []
    for found, mask in zip(p.reshape(-1, *p.shape[2:]), t.reshape(-1, *t.shape[2:])):
        values.append(((found - mask) ** 2 * (field(found > 0.5) ** 2 + field(mask > 0.5) ** 2)).mean())
    return np.mean(values)


def expected(name, scores, label, activation):
    p, t, nll = by_hand(scores, label, activation)
    o = LossOptions()
    return {
        "ce": lambda: nll.mean(),
        "bce": lambda: nll.mean(),
        "weighted_ce": lambda: balanced_by_hand(t, nll, activation),
        "distance_ce": lambda: distance_by_hand(t, nll, activation),
        "focal": lambda: ((1 - np.exp(-nll)) ** 2 * nll).mean(),
        "dice": lambda: dice_by_hand(p, t, activation, o),
        "generalised_dice": lambda: generalised_dice_by_hand(p, t, activation, o),
        "tversky": lambda: tversky_by_hand(p, t, activation, o),
        "exp_log": lambda: exp_log_by_hand(p, t, nll, activation),
        "boundary": lambda: boundary_by_hand(p, t, activation),
        "hausdorff": lambda: hausdorff_by_hand(p, t, activation),
        "partial": lambda: np.mean(
            [partial_loss(scores[i : i + 1], label[i, 0], [1, 2, 3]).item() for i in range(len(scores))]
        ),
    }[name]()


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


@pytest.mark.parametrize("size", SIZES, ids=("2D", "3D"))
@pytest.mark.parametrize("name", SIGMOID)
def test_with_sigmoid_channels_that_are_not_annotated_teach_nothing(name, size):
    scores, label, annotated = batch("sigmoid", size)
    annotated[0] = torch.tensor([True, False, True])
    annotated[1] = torch.tensor([False, True, False])
    build_loss(name, "sigmoid", STRUCTURES)(scores, label, annotated).backward()
    hidden = ~annotated
    assert (scores.grad[hidden] == 0).all()
    assert (scores.grad[annotated].flatten(1).abs().sum(1) > 0).all()


@pytest.mark.parametrize("activation, name", BOTH)
def test_a_case_without_annotations_teaches_exactly_nothing(activation, name):
    scores, label, annotated = batch(activation, (6, 6))
    annotated[1] = False
    whole = build_loss(name, activation, STRUCTURES)
    both = whole(scores, label, annotated)
    both.backward()
    # The bundled models' loss computes 1 - 1 by a softmax; what remains is rounding.
    assert scores.grad[1].abs().max() <= (1e-8 if name == "partial" else 0)
    alone = whole(scores[:1], label[:1], annotated[:1])
    assert both.item() == pytest.approx(alone.item() * (0.5 if name == "partial" else 1), rel=1e-5)


@pytest.mark.parametrize("size", SIZES, ids=("2D", "3D"))
@pytest.mark.parametrize("name", SOFTMAX)
def test_with_softmax_it_does_not_matter_how_liver_and_tumour_share_where_tumours_are_not_annotated(
    name, size
):
    scores, label, annotated = batch("softmax", size, highest=2)
    annotated[:, 2] = False
    loss = build_loss(name, "softmax", STRUCTURES)
    value = loss(scores, label, annotated)
    value.backward()
    together = torch.logsumexp(scores.detach()[:, [1, 3]], 1)
    for share in (0.001, 0.4, 0.999):
        moved = scores.detach().clone()
        moved[:, 1] = together + np.log(share)
        moved[:, 3] = together + np.log(1 - share)
        assert loss(moved, label, annotated).item() == pytest.approx(value.item(), rel=1e-4)
    # So the gradient along the exchange of probability between the two is zero: it is p times a common value.
    p = torch.softmax(scores.detach(), 1)
    exchange = scores.grad[:, 1] * p[:, 3] - scores.grad[:, 3] * p[:, 1]
    assert exchange.abs().max() <= 1e-6 * scores.grad.abs().max()


def test_structures_that_are_not_annotated_count_as_what_they_are_labelled_as():
    scores, label, annotated = batch("softmax", (6, 6))
    annotated[:] = torch.tensor([True, False, False])
    relabelled = torch.tensor([0, 1, 0, 1], dtype=torch.uint8)[label.long()]
    p = torch.softmax(scores.detach(), 1)
    merged = torch.stack([p[:, 0] + p[:, 2], p[:, 1] + p[:, 3]], 1)
    nll = -merged.gather(1, relabelled.long()).log()
    for name, value in (("ce", nll.mean()), ("focal", ((1 - (-nll).exp()) ** 2 * nll).mean())):
        assert build_loss(name, "softmax", STRUCTURES)(scores, label, annotated).item() == pytest.approx(
            value.item(), rel=1e-5
        )
    p1, t1 = merged[:, 1], (relabelled[:, 0] == 1).float()
    dice = 1 - (2 * (p1 * t1).sum((1, 2)) + 1e-5) / ((p1 + t1).sum((1, 2)) + 1e-5)
    value = build_loss("dice", "softmax", STRUCTURES)(scores, label, annotated)
    assert value.item() == pytest.approx(dice.mean().item(), rel=1e-5)


def test_with_sigmoid_the_liver_includes_its_tumours():
    right = torch.full((1, 3, 2, 2), -20.0)
    right[:, [0, 2]] = 20.0
    label = torch.full((1, 1, 2, 2), 3, dtype=torch.uint8)
    loss = build_loss("bce", "sigmoid", STRUCTURES)(right, label, torch.ones(1, 3, dtype=torch.bool))
    assert loss.item() < 1e-6


def test_parts_can_be_named():
    scores = torch.tensor([-20.0, 20.0]).reshape(1, 2, 1, 1).expand(1, 2, 2, 2)
    label = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    annotated = torch.tensor([[False]])
    assert build_loss("ce", "softmax", ["cyst"])(scores, label, annotated).item() == 0
    options = LossOptions(mix="ce", parts={"vein": "vessel", "vessel": "liver"})
    both = torch.tensor([[True, False]])
    scores = torch.tensor([-20.0, -20.0, 20.0]).reshape(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert build_loss(options, "softmax", ["liver", "vein"])(scores, label + 1, both).item() < 1e-6
    circle = LossOptions(parts={"a": "b", "b": "a"})
    with pytest.raises(UsageError, match="part of itself"):
        build_loss(circle, "softmax", ["a", "b"])


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
