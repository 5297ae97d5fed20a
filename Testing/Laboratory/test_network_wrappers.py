"""2.5D input, cascades, and the wrappers around MONAI's networks: what goes into the inner networks."""

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.engines.export import _traced
from LiverSegLib.inference.engines.torch import TorchEngine
from LiverSegLib.networks import build_network
from LiverSegLib.networks.cascade import Cascade
from LiverSegLib.networks.monai_by_name import OwnSizes
from LiverSegLib.networks.parts import slices_of, with_neighbours
from LiverSegLib.networks.slices import SLICES_AT_ONCE, Slices25D

TINY = {"name": "BlockUNet", "arguments": {"channels": [4, 6]}}
DEEP = {"name": "BlockUNet", "arguments": {"channels": [4, 6, 8], "deep_supervision": True}}


class Recorder(nn.Module):
    """Keeps what it is given and answers with its first channels, or with ``answer``."""

    def __init__(self, out_channels, answer=None):
        super().__init__()
        self.out_channels, self.answer, self.seen = out_channels, answer, []

    def forward(self, image):
        self.seen.append(image)
        return image[:, : self.out_channels] if self.answer is None else self.answer.to(image)


def test_each_slice_stands_between_its_neighbours_and_ends_are_repeated():
    volume = torch.arange(4.0).reshape(1, 1, 4, 1, 1)
    assert slices_of(with_neighbours(volume, 3)).flatten(1).tolist() == [
        [0, 0, 1],
        [0, 1, 2],
        [1, 2, 3],
        [2, 3, 3],
    ]
    assert slices_of(with_neighbours(volume, 5)).flatten(1).tolist()[0] == [0, 0, 0, 1, 2]
    assert slices_of(with_neighbours(volume[:, :, :1], 5)).flatten(1).tolist() == [[0] * 5]


def test_channels_of_a_slice_stay_together_and_batches_apart():
    volume = torch.arange(12.0).reshape(2, 2, 3, 1, 1)  # batch, channel, z
    images = slices_of(with_neighbours(volume, 3)).flatten(1)
    assert images[1].tolist() == [0, 3, 1, 4, 2, 5]
    assert images[4].tolist() == [6, 9, 7, 10, 8, 11]


def test_the_logits_of_slices_go_back_to_their_places_in_the_volume():
    network = Slices25D(network=TINY)
    network.network = Recorder(1)
    volume = torch.randn(2, 1, 5, 4, 3)
    scores = network(volume)
    below = torch.cat([volume[:, :, :1], volume[:, :, :-1]], 2)  # the first channel is the slice below
    assert torch.equal(scores, below)


def test_many_slices_go_through_the_network_in_parts_outside_of_training():
    network = Slices25D(network=TINY).eval()
    volume = torch.randn(1, 1, SLICES_AT_ONCE + 5, 8, 8)
    with torch.no_grad():
        parts = network(volume)
        network.network, inner = Recorder(2), network.network
        network(volume)
        assert [len(part) for part in network.network.seen] == [SLICES_AT_ONCE, 5]
        whole = inner(slices_of(with_neighbours(volume, 3)))
    assert torch.allclose(parts[0].transpose(0, 1), whole, atol=1e-4)


def test_slices_pass_deep_supervision_on_at_full_depth():
    levels = build_network("Slices25D", {"network": DEEP, "slices": 5}).train()(torch.randn(1, 1, 3, 16, 12))
    assert [tuple(level.shape) for level in levels] == [(1, 2, 3, 16, 12), (1, 2, 3, 8, 6)]


@pytest.mark.parametrize(("activation", "out_channels"), [("softmax", 2), ("sigmoid", 2), ("softmax", 1)])
def test_the_fine_network_sees_the_image_and_the_coarse_probabilities(activation, out_channels):
    network = Cascade(
        coarse=TINY, fine=TINY, factor=4, dimensions=2, activation=activation, out_channels=out_channels
    )
    coarse = torch.randn(1, out_channels, 1, 1).expand(1, out_channels, 4, 2)
    network.coarse, network.fine = Recorder(out_channels, coarse), Recorder(out_channels)
    image = torch.rand(1, 1, 16, 8)
    network(image)
    expected_small = image.reshape(4, 4, 2, 4).mean((1, 3))
    assert torch.allclose(network.coarse.seen[0][0, 0], expected_small)
    given = network.fine.seen[0]
    assert torch.equal(given[:, :1], image) and given.shape[1] == 1 + out_channels
    softmax = activation == "softmax" and out_channels > 1
    expected = coarse.softmax(1) if softmax else coarse.sigmoid()
    assert torch.allclose(given[:, 1:], expected[..., :1, :1].expand_as(given[:, 1:]))


def test_a_cascade_lists_the_scores_of_both_networks_by_size():
    arguments = {"coarse": DEEP, "fine": DEEP, "factor": 2, "deep_supervision": True}
    network = build_network("Cascade", arguments).train()
    image = torch.randn(1, 1, 16, 16, 16)
    levels = network(image)
    assert [level.shape[2] for level in levels] == [16, 8, 8, 4]
    probe = network.coarse.eval()(network.pool(image, 2))
    assert probe.shape[2] == 8
    plain = build_network("Cascade", {"coarse": TINY, "fine": TINY, "deep_supervision": True}).train()(image)
    assert [level.shape[2] for level in plain] == [16, 8]


def test_a_cascade_learns_in_its_coarse_network_without_deep_supervision_too():
    network = build_network("Cascade", {"coarse": TINY, "fine": TINY}).train()
    network(torch.randn(1, 1, 9, 10, 11)).square().mean().backward()
    assert all(weights.grad.any() for weights in network.coarse.parameters())


def test_dynunets_coarser_logits_are_those_of_its_own_heads():
    torch.manual_seed(0)
    strides = [1, [1, 2, 2], 2, 2, 2]
    arguments = {"channels": [4, 4, 8, 8, 8], "strides": strides, "deep_supervision": True}
    network = build_network("DynUNet", arguments).train()
    levels = network(torch.randn(1, 1, 8, 32, 16))
    inner = network.network.network
    assert isinstance(inner, OwnSizes)
    assert [tuple(level.shape[2:]) for level in levels] == [(8, 32, 16), (8, 16, 8), (4, 8, 4)]
    for level, head in zip(levels[1:], inner.network.heads):
        assert torch.equal(level, head)


@pytest.mark.parametrize("name", ["DynUNet", "UNet", "UNetPlusPlus"])
def test_a_single_voxel_at_the_coarsest_level_can_be_trained_with(name):
    more = {"norm": "instance"} if name != "DynUNet" else {"deep_supervision": True}
    arguments = {"channels": [4, 4, 4, 8, 8], "dimensions": 2, **more}
    scores = build_network(name, arguments).train()(torch.randn(1, 1, 13, 16))
    levels = [scores] if torch.is_tensor(scores) else scores
    sizes = [tuple(level.shape[2:]) for level in levels]
    assert sizes == ([(13, 16), (8, 8), (4, 4)] if name == "DynUNet" else [(13, 16)])


def test_unet_plus_plus_lists_its_deepest_decoder_first():
    torch.manual_seed(0)
    arguments = {"channels": [4] * 5, "deep_supervision": True, "norm": "instance"}
    network, image = build_network("UNetPlusPlus", arguments), torch.randn(1, 1, 32, 32)
    levels, alone = network.train()(image), network.eval()(image)
    assert len(levels) == 4 and torch.allclose(levels[0], alone, atol=1e-5)


def test_the_bundled_models_network_keeps_the_names_of_its_weights():
    names = set(build_network("ResidualUNet", {"channels": [4, 8]}).state_dict())
    assert {"stem.0.weight", "encoder.1.0.shortcut.1.weight", "ups.0.weight", "head.bias"} <= names


@pytest.mark.parametrize(
    ("name", "arguments", "patch"),
    [
        ("Slices25D", {"network": TINY}, (5, 16, 12)),
        ("Cascade", {"coarse": TINY, "fine": TINY}, (12, 16, 20)),
        ("BlockUNet", {"channels": [4, 8], "bottleneck": "pyramid_pooling"}, (14, 16, 18)),
        ("BlockUNet", {"channels": [4, 8], "bottleneck": "residual_multi_kernel_pooling"}, (14, 16, 18)),
        ("BlockUNet", {"channels": [4, 8], "bottleneck": "aspp", "attention": "non_local"}, (14, 16, 18)),
        (
            "BlockUNet",
            {"channels": [4, 8], "bottleneck": "hybrid_dilated", "attention": "cbam"},
            (14, 16, 18),
        ),
        ("DynUNet", {"channels": [4, 8, 8], "deep_supervision": True}, (12, 16, 20)),
    ],
)
def test_the_products_export_makes_graphs_for_tiles_of_the_patch(name, arguments, patch):
    torch.manual_seed(0)
    network = build_network(name, arguments)
    for module in network.modules():
        if hasattr(module, "strength"):
            nn.init.ones_(module.strength)
    engine = TorchEngine(network, Device("cpu", "", "float32", 1))
    stage = SimpleNamespace(patch=patch, network=SimpleNamespace(name=name, arguments=arguments))
    graph = onnxruntime.InferenceSession(_traced(engine, stage, "m"), providers=["CPUExecutionProvider"])
    tiles = np.random.default_rng(0).standard_normal((2, 1, *patch)).astype(np.float32)
    found = graph.run(None, {"tiles": tiles})[0]
    assert np.abs(found - engine.run(tiles)).max() < 1e-4
