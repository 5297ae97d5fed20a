"""Networks of papers that are written here: what makes each of them that network."""

from typing import Tuple

import numpy as np
import pytest
import torch
from torch import nn

from LiverSegLib.networks import (
    conv_lstm_unet,
    dense_unet,
    hybrid_dense_unet,
    ki_unet,
    modified_unet,
    nested_unet,
    recurrent_unet,
    vnet,
)
from LiverSegLib.networks.parts import Layers, with_neighbours
from LiverSegLib.networks.residual_unet import InstanceNorm

DENSE = {"layers": [2, 2, 1], "growth": 4, "stem": 8}
HYBRID = {f"{name}_{axes}d": value for axes in (2, 3) for name, value in DENSE.items()}
THICK = {
    "features": [4, 6, 8], "encoder_convolutions": [1, 2, 1], "decoder_convolutions": [2, 1],
    "kernel_sizes": [[4, 2, 2], [2, 2, 2]], "strides": [[1, 2, 2], [2, 2, 2]],
}  # fmt: skip
"""A V-Net for thick slices."""


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# mU-Net


def low_resolution_skip(objects: str) -> modified_unet.ResidualSkip:
    """A skip whose deconvolution repeats each pooled value, and without convolutions after it."""
    skip = modified_unet.ResidualSkip(Layers(2), 3, 0, objects)
    if skip.up is not None:
        with torch.no_grad():
            skip.up.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 2, 2))
            skip.up.bias.zero_()
    return skip


def test_mu_net_s_skip_for_large_objects_has_no_low_resolution_content() -> None:
    low = torch.rand(1, 3, 4, 4).repeat_interleave(2, 2).repeat_interleave(2, 3)  # constant in cells of 2 x 2
    edges = torch.zeros(1, 3, 8, 8)
    edges[..., ::2, ::2] = -0.5  # what pooling does not see
    found = low_resolution_skip("large")(low + edges, nn.MaxPool2d(2)(low + edges))
    torch.testing.assert_close(found, edges)


def test_mu_net_s_skip_for_small_objects_stays_as_it_is() -> None:
    features = torch.rand(1, 3, 8, 8)
    assert torch.equal(low_resolution_skip("small")(features, nn.MaxPool2d(2)(features)), features)


def test_mu_net_s_skip_for_any_objects_takes_away_what_its_weight_says() -> None:
    skip = low_resolution_skip("any")
    features = torch.full((1, 3, 8, 8), 0.8)
    with torch.no_grad():
        skip.gate.weight.zero_()
        for bias, part in ((-50.0, 0.0), (0.0, 0.5), (50.0, 1.0)):
            skip.gate.bias.fill_(bias)
            expected = features * (1 - part)
            torch.testing.assert_close(skip(features, nn.MaxPool2d(2)(features)), expected)


# V-Net


def test_v_net_s_strides_keep_z_of_thick_slices() -> None:
    network = vnet.VNet(**THICK).eval()
    assert network.multiples == (2, 4, 4)
    x = network.stem_act(network.stem(torch.randn(1, 1, 12, 16, 16)))
    first = network.downs[0](x)
    assert first.shape[2:] == (12, 8, 8)
    second = network.downs[1](network.encoder[0](first))
    assert second.shape[2:] == (6, 4, 4)
    assert network.ups[0](second).shape[2:] == (12, 8, 8)
    assert network.ups[1](torch.randn(1, 12, 12, 8, 8)).shape[2:] == (12, 16, 16)


def test_v_net_has_the_paper_s_stages() -> None:
    network = vnet.VNet(norm="none")
    convolutions = [
        each for each in network.modules() if isinstance(each, nn.Conv3d) and each.kernel_size == (5, 5, 5)
    ]
    assert [each.out_channels for each in convolutions] == [
        16,
        *[32] * 2,
        *[64] * 3,
        *[128] * 3,
        *[256] * 3,
        *[256] * 3,
        *[128] * 3,
        *[64] * 2,
        32,
    ]
    assert not any(isinstance(each, InstanceNorm) for each in network.modules())
    assert any(isinstance(each, nn.PReLU) for each in network.modules())


def test_v_net_s_stage_is_residual() -> None:
    stage = vnet.ResidualStage(Layers(3, "none"), 2, 2, 3)
    with torch.no_grad():
        for weight in stage.last.parameters():
            weight.zero_()
    image = torch.rand(1, 2, 4, 4, 4)
    assert torch.equal(stage(image), image)


def test_v_net_with_deep_supervision_gives_coarser_logits_in_training_alone() -> None:
    network, image = vnet.VNet(**THICK, deep_supervision=True), torch.randn(1, 1, 5, 17, 16)
    assert [tuple(level.shape[2:]) for level in network.train()(image)] == [(5, 17, 16), (6, 10, 8)]
    assert network.eval()(image).shape[2:] == (5, 17, 16)


# DenseUNet


def test_dense_block_adds_growth_channels_with_each_layer() -> None:
    encoder = dense_unet.DenseEncoder(Layers(2), 1, (2, 3), 5, 8)
    assert encoder.widths == [8, 8 + 2 * 5, (8 + 2 * 5) // 2 + 3 * 5]
    image = torch.randn(1, 1, 32, 32)
    assert [tuple(each.shape[1:]) for each in encoder(image)] == [(8, 16, 16), (18, 8, 8), (24, 4, 4)]
    features = torch.randn(1, 8, 8, 8)
    assert torch.equal(encoder.blocks[0](features)[:, :8], features), "what came in is handed on"


def test_dense_unet_167_has_dense_net_161_s_encoder() -> None:
    with torch.device("meta"):
        network = dense_unet.dense_unet_167(in_channels=3)
    classifier = 2208 * 1000 + 1000
    assert weights(network.encoder) == 28_681_000 - classifier, "DenseNet-161's, of Huang et al. 2017"
    assert network.encoder.widths == [96, 384, 768, 2112, 2208]
    assert convolutions(network) == 167


def test_dense_unet_65_has_the_published_layers() -> None:
    with torch.device("meta"):
        network = dense_unet.dense_unet_65(dimensions=3)
    assert network.encoder.widths == [96, 192, 224, 496, 504]
    assert convolutions(network) == 65
    assert network.multiples == (4, 32, 32), "transitions keep z"


def convolutions(network: nn.Module) -> int:
    return sum(isinstance(each, (nn.Conv2d, nn.Conv3d)) for each in network.modules())


# H-DenseUNet


def test_neighbours_are_channels() -> None:
    volume = torch.arange(4.0).reshape(1, 1, 4, 1, 1)
    found = with_neighbours(volume, 3)[0, :, :, 0, 0]
    assert found.tolist() == [[0, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 3]]


def test_hybrid_network_trains_end_to_end_and_gives_the_slices_logits_too() -> None:
    network = hybrid_dense_unet.HybridDenseUNet(**HYBRID, deep_supervision=True).train()
    fused, first = network(torch.randn(1, 1, 5, 33, 32))
    assert fused.shape == first.shape == (1, 3, 5, 33, 32)
    fused.sum().backward()
    assert all(weight.grad is not None for weight in network.slices.parameters()), "by way of the fusion"


def test_hybrid_network_sees_other_slices_where_the_first_one_does_not() -> None:
    network = hybrid_dense_unet.HybridDenseUNet(**HYBRID, deep_supervision=True, dropout=0.0).train()
    image = torch.randn(1, 1, 8, 32, 32)
    changed = image.clone()
    changed[:, :, 7] += 1
    with torch.no_grad():
        (fused, first), (other, same) = network(image), network(changed)
    torch.testing.assert_close(first[:, :, :6], same[:, :, :6])
    assert not torch.allclose(fused[:, :, 0], other[:, :, 0])


# R2U-Net


def test_recurrent_convolution_without_steps_is_a_plain_one() -> None:
    block = recurrent_unet.RecurrentConv(Layers(2), 3, 0)
    image = torch.randn(1, 3, 8, 8)
    plain = nn.functional.conv2d(image, block.forward_conv.weight, padding=1)
    torch.testing.assert_close(block(image), nn.functional.relu(nn.functional.instance_norm(plain)))


def test_recurrent_convolution_is_what_the_paper_writes() -> None:
    block = recurrent_unet.RecurrentConv(Layers(2, "none"), 1, 2)
    with torch.no_grad():
        block.forward_conv.weight.zero_()[..., 1, 1] = 2.0
        block.forward_conv.bias.zero_()
        block.recurrent_conv.weight.zero_()[..., 1, 1] = 0.5
    found = block(torch.ones(1, 1, 3, 3))  # 2, then 2 + 0.5 * 2, then 2 + 0.5 * 3
    assert torch.equal(found, torch.full((1, 1, 3, 3), 3.5))


def test_recurrent_steps_share_their_weights() -> None:
    one, four = (recurrent_unet.R2UNet(features=[4, 6], steps=steps) for steps in (1, 4))
    assert weights(one) == weights(four) > weights(recurrent_unet.R2UNet(features=[4, 6], steps=0))


# ConvLSTM


def test_lstm_s_steps_by_hand() -> None:
    cell = conv_lstm_unet.ConvLSTMCell(1, 1, 1)
    with torch.no_grad():
        cell.of_input.weight.copy_(torch.tensor([0.5, -1.0, 2.0, 1.0]).reshape(4, 1, 1, 1))
        cell.of_input.bias.copy_(torch.tensor([0.1, 0.2, -0.3, 0.4]))
        cell.of_state.weight.copy_(torch.tensor([1.0, 0.5, -0.5, 0.25]).reshape(4, 1, 1, 1))
        cell.of_cell.copy_(torch.tensor([0.3, -0.2, 0.6]).reshape(3, 1, 1, 1))
    state, hidden, memory = None, 0.0, 0.0
    for x in (0.7, -1.2):
        state = cell(cell.of_input(torch.full((1, 1, 1, 1), x)), state)
        gate = sigmoid(0.5 * x + 0.1 + 1.0 * hidden + 0.3 * memory)
        forget = sigmoid(-1.0 * x + 0.2 + 0.5 * hidden - 0.2 * memory)
        memory = forget * memory + gate * np.tanh(2.0 * x - 0.3 - 0.5 * hidden)
        hidden = sigmoid(1.0 * x + 0.4 + 0.25 * hidden + 0.6 * memory) * np.tanh(memory)
        assert [float(each) for each in state] == pytest.approx([hidden, memory], abs=1e-6)


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_slice_s_logits_depend_on_far_slices(bidirectional: bool) -> None:
    network = conv_lstm_unet.ConvLSTMUNet(features=[4, 6, 8], bidirectional=bidirectional).eval()
    image = torch.randn(1, 1, 9, 16, 16)
    first, last = image.clone(), image.clone()
    first[:, :, 0] += 1
    last[:, :, 8] += torch.randn(16, 16)
    first[:, :, 0] += torch.randn(16, 16)
    with torch.no_grad():
        scores = network(image)
        forward = (network(first) - scores)[:, :, 8].abs().max()
        backward = (network(last) - scores)[:, :, 0].abs().max()
    assert forward > 0
    assert (backward > 0) == bidirectional


# KiU-Net


@pytest.mark.parametrize("dimensions", [2, 3])
def test_over_complete_branch_grows(dimensions: int) -> None:
    network = ki_unet.KiUNet(dimensions=dimensions, features=[4, 6], stem_stride=1).eval()
    with torch.no_grad():
        found = network.encoded(torch.randn(1, 1, *[8] * dimensions))
    assert [tuple(low.shape[1:]) for low, _ in found] == [(4, *[4] * dimensions), (6, *[2] * dimensions)]
    assert [tuple(high.shape[1:]) for _, high in found] == [(4, *[16] * dimensions), (6, *[32] * dimensions)]


def test_branches_exchange_features() -> None:
    block = ki_unet.CrossResidual(Layers(2, "none"), 1, 4)
    with torch.no_grad():
        for side, factor in ((block.of_small, 2.0), (block.of_large, 3.0)):
            side[0].weight.zero_()[..., 1, 1] = factor
            side[0].bias.zero_()
    low, high = block(torch.full((1, 1, 2, 2), 1.0), torch.full((1, 1, 8, 8), 10.0))
    assert torch.equal(low, torch.full((1, 1, 2, 2), 1.0 + 3 * 10))
    assert torch.equal(high, torch.full((1, 1, 8, 8), 10.0 + 2 * 1))


def test_ki_unet_has_the_weights_that_the_authors_network_uses() -> None:
    unused = 2 * (64 * 64 * 9 + 64 + 2 * 64)  # their third block of the decoder: convolution and norm, twice
    found = weights(ki_unet.KiUNet(out_channels=2, norm="batch"))
    assert found + unused == pytest.approx(ki_unet.ARCHITECTURES[0].paper_parameters, rel=0.01)


# U-Net++


def test_nested_unet_has_the_paper_s_weights() -> None:
    with torch.device("meta"):
        network = nested_unet.NestedUNet(in_channels=3, out_channels=1, norm="none")
    assert weights(network) == pytest.approx(nested_unet.ARCHITECTURES[0].paper_parameters, rel=0.001)


@pytest.mark.parametrize("edges", [(16, 16), (19, 30)])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_pruned_network_gives_the_full_one_s_logits_at_that_depth(edges: Tuple[int, int], level: int) -> None:
    full = nested_unet.NestedUNet(features=[4, 6, 8, 10], deep_supervision=True)
    cut = nested_unet.pruned(full, level)
    assert weights(cut) < weights(full) or level == 3
    image = torch.randn(2, 1, *edges)
    with torch.no_grad():
        depths = full.train()(image)  # the deepest first
        found = cut.eval()(image)
    assert len(depths) == 3
    assert all(each.shape[2:] == edges for each in depths)
    torch.testing.assert_close(found, depths[3 - level], rtol=0, atol=0)


def test_network_is_not_pruned_to_a_depth_without_logits() -> None:
    network = nested_unet.NestedUNet(features=[4, 6, 8])
    with pytest.raises(ValueError, match="none at 1"):
        nested_unet.pruned(network, 1)
