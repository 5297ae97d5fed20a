"""What a case does not annotate teaches nothing, whatever the loss."""

import numpy as np
import pytest
import torch
from hand_computed import BOTH, SIGMOID, SIZES, SOFTMAX, STRUCTURES, batch

from LiverSegLib.errors import UsageError
from LiverSegLib.training.losses import LossOptions, build_loss


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
