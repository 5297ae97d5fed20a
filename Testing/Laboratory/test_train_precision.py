"""bfloat16 on a processor: where it is used, and that gradients are those of float32 within rounding."""

import pytest
import torch
from torch import nn

from LiverSegLib.training import precision
from LiverSegLib.training.precision import NarrowConvolutions, precision_of, precision_plugin
from LiverSegLib.training.run_options import TrainingOptions

ROUNDING = 0.02
"""Relative error of a gradient in bfloat16, which keeps 8 bits."""


def gradients(network: nn.Module, image: torch.Tensor, *, bfloat16: bool):
    """Gradients of all weights for a sum of squares, with the network's own."""
    network.zero_grad()
    with NarrowConvolutions(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        found = network(image)
    found.float().square().sum().backward()
    return found, [weight.grad.clone() for weight in network.parameters()]


@pytest.mark.parametrize(
    "shape, kernel, stride",
    [
        ((2, 3, 3), 3, 1),
        ((2, 6, 8), 3, 1),
        ((4, 1, 3), 3, 2),
        ((3, 4, 8), 5, 1),
        ((4, 6, 4), 5, 1),
        ((4, 6, 8), 3, 1),
    ],
)
def test_gradients_in_bfloat16_are_those_of_float32(shape, kernel, stride):
    torch.manual_seed(0)
    network = nn.Conv3d(32, 32, kernel, stride=stride, padding=kernel // 2)
    image = torch.randn(2, 32, *shape)
    _, right = gradients(network, image, bfloat16=False)
    for _ in range(3):  # what is wrong without, is not wrong each time
        _, found = gradients(network, image, bfloat16=True)
        for mine, theirs in zip(found, right):
            assert float((mine - theirs).norm() / theirs.norm()) < ROUNDING


def test_only_narrow_inputs_compute_in_float32():
    network = nn.Conv3d(4, 4, 3, padding=1)
    wide, _ = gradients(network, torch.randn(1, 4, 3, 3, 3), bfloat16=True)
    narrow, _ = gradients(network, torch.randn(1, 4, 2, 8, 8), bfloat16=True)
    assert wide.dtype == torch.bfloat16
    assert narrow.dtype == torch.float32


def test_a_processor_that_only_emulates_bfloat16_trains_in_float32(monkeypatch):
    options = TrainingOptions(steps=1, precision="bf16-mixed", accelerator="cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert precision_of(options) == "32-true"
    assert precision_plugin(options) is None
    assert precision_of(options.model_copy(update={"precision": "16-mixed"})) == "16-mixed"


@pytest.mark.parametrize("ability", precision.NATIVE)
def test_a_processor_that_computes_in_bfloat16_trains_in_it(monkeypatch, ability):
    options = TrainingOptions(steps=1, precision="bf16-mixed", accelerator="cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {ability: True}, raising=False)
    assert precision_of(options) == "bf16-mixed"
    assert precision_plugin(options) is not None


def test_a_graphics_card_is_left_to_lightning(monkeypatch):
    options = TrainingOptions(steps=1, precision="bf16-mixed", accelerator="auto")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert precision_of(options) == "bf16-mixed"
    assert precision_plugin(options) is None
