"""The pieces of the U-Net whose pieces are chosen: what each does, by hand-computed values where few."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from LiverSegLib.networks import build_network
from LiverSegLib.networks.attention import (
    ATTENTION,
    CBAM,
    NON_LOCAL_VOXELS,
    AttentionGate,
    ChannelGate,
    NonLocal,
    SpatialGate,
    voxels_left,
)
from LiverSegLib.networks.blocks import BLOCKS, Dense, Inception, RecurrentLayer, Residual, Separable, Style
from LiverSegLib.networks.bottlenecks import BOTTLENECKS, HybridDilated, means_of_cells
from LiverSegLib.networks.residual_unet import InstanceNorm

FLAT, SOLID = Style(2, "instance"), Style(3, "instance")
PIECES = [{"block": name} for name in BLOCKS]
PIECES += [{"attention": name} for name in ATTENTION if name != "none"]
PIECES += [{"bottleneck": name} for name in BOTTLENECKS if name != "none"]
PIECES += [{"attention_gates": True}, {"norm": "batch"}, {"norm": "group"}, {"dropout": 0.2}]


def fill(module: nn.Module, value: float) -> None:
    with torch.no_grad():
        for weights in module.parameters():
            weights.fill_(value)


def seen_from(module: nn.Module, edge: int) -> torch.Tensor:
    """Which voxels of a row change the middle voxel of what a module makes of it (2D, one row tall)."""
    image = torch.randn(1, 4, 1, edge, requires_grad=True)
    module.double().eval()(image.double())[0, :, 0, edge // 2].square().sum().backward()
    return image.grad.abs().sum((0, 1, 2)) > 1e-12


def without_norm(module: nn.Module) -> nn.Module:
    """The module with norms that do nothing, so that voxels meet in convolutions alone."""
    for name, child in module.named_children():
        if type(child).__name__ in ("InstanceNorm", "GroupNorm"):
            setattr(module, name, nn.Identity())
        else:
            without_norm(child)
    return module


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: "-".join(f"{value}" for value in piece.values()))
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_unet_of_any_piece_learns_in_all_its_weights_and_takes_odd_sizes(piece, dimensions):
    torch.manual_seed(0)
    arguments = {"channels": [4, 6, 8], "dimensions": dimensions, "out_channels": 3, **piece}
    network = build_network("BlockUNet", arguments).train()
    for module in network.modules():
        if isinstance(module, NonLocal):
            nn.init.ones_(module.strength)
        if isinstance(module, ChannelGate):  # a ReLU of few units may be dead by chance
            nn.init.ones_(module.weigh[0].bias)
    image = torch.randn(2, 1, *(15, 18, 13)[:dimensions])
    scores = network(image)
    assert scores.shape == (2, 3, *image.shape[2:])
    scores.square().mean().backward()
    assert all(weights.grad is not None for weights in network.parameters())
    still = [key for key, weights in network.named_parameters() if not weights.grad.any()]
    assert still == []
    with torch.no_grad():
        assert network.eval()(image).shape == scores.shape


@pytest.mark.parametrize(("block", "attention"), [("residual", "cbam"), ("dense", "non_local")])
def test_pieces_can_be_mixed(block, attention):
    arguments = {
        "channels": [4, 8, 8], "block": block, "attention": attention, "bottleneck": "aspp", "norm": "group",
        "attention_gates": True, "deep_supervision": True,
    }  # fmt: skip
    levels = build_network("BlockUNet", arguments).train()(torch.randn(1, 1, 8, 8, 8))
    assert [tuple(level.shape[2:]) for level in levels] == [(8, 8, 8), (4, 4, 4)]


def test_strides_per_axis_keep_the_z_of_thick_slices():
    arguments = {"channels": [4, 8, 8], "strides": [[1, 2, 2], 2], "deep_supervision": True}
    network = build_network("BlockUNet", arguments)
    assert network.size_multiple == (2, 4, 4)
    levels = network.train()(torch.randn(1, 1, 4, 16, 16))
    assert [tuple(level.shape[2:]) for level in levels] == [(4, 16, 16), (4, 8, 8)]


@pytest.mark.parametrize("stride", [1, 3, 4, 8])
def test_any_stride_comes_back_to_the_grid(stride):
    network = build_network("BlockUNet", {"channels": [4, 8], "strides": [stride], "dimensions": 2})
    assert network(torch.randn(1, 1, 24, 17)).shape == (1, 2, 24, 17)


# --- blocks ------------------------------------------------------------------------------------------------


def test_a_residual_block_whose_convolutions_are_zero_passes_its_input_on():
    block, image = Residual(FLAT, 4, 4), torch.rand(1, 4, 5, 5)
    fill(block, 0)
    assert torch.allclose(block(image), image)
    assert isinstance(block.shortcut, nn.Identity) and not isinstance(
        Residual(FLAT, 4, 6).shortcut, nn.Identity
    )


def test_each_layer_of_a_dense_block_sees_all_before():
    block = Dense(FLAT, 5, 12)
    assert [layer[0].in_channels for layer in block.layers] == [5, 9, 13]
    assert block.transition[0].in_channels == 17 and block(torch.rand(1, 5, 6, 6)).shape == (1, 12, 6, 6)


def test_the_branches_of_an_inception_block_see_one_three_five_and_three_voxels():
    block = Inception(FLAT, 4, 8)
    reach = [int(seen_from(without_norm(branch), 11).sum()) for branch in block.branches]
    assert reach[:3] == [1, 3, 5] and 1 <= reach[3] <= 3  # a maximum's gradient reaches where it is


def test_a_separable_block_has_the_weights_of_depthwise_and_pointwise_convolutions():
    block = Separable(SOLID, 4, 6)
    weights = [module.weight.numel() for module in block if isinstance(module, nn.Conv3d)]
    assert weights == [4 * 27, 4 * 6, 6 * 27, 6 * 6]
    image = torch.zeros(1, 4, 3, 3, 3)
    image[0, 2] = 1
    assert block[0](image)[0].flatten(1).any(1).tolist() == [False, False, True, False]


def test_a_recurrent_layer_repeats_the_same_convolution():
    layer = RecurrentLayer(FLAT, 1, 1)
    layer.norms = nn.ModuleList(nn.Identity() for _ in layer.norms)
    fill(layer, 0)
    with torch.no_grad():
        layer.feedforward.weight[0, 0, 1, 1] = 1
        layer.recurrent.weight[0, 0, 1, 1] = 0.5
    # state 1: 2; then 2 + 0.5 * 2 = 3; then 2 + 0.5 * 3 = 3.5
    assert torch.allclose(layer(torch.full((1, 1, 3, 3), 2.0)), torch.full((1, 1, 3, 3), 3.5))


# --- attention ---------------------------------------------------------------------------------------------


def test_squeeze_and_excitation_scales_each_channel_by_one_number():
    torch.manual_seed(0)
    image = torch.rand(2, 8, 5, 6) + torch.rand(2, 8, 1, 1) * 4 + 0.5
    ratio = ATTENTION["squeeze_excitation"](FLAT, 8)(image) / image
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert ((ratio > 0) & (ratio < 1)).all() and ratio[0, :, 0, 0].std() > 0
    assert not torch.allclose(ratio[0, :, 0, 0], ratio[1, :, 0, 0])


def test_a_channel_gate_weighs_by_mean_and_maximum():
    gate = ChannelGate(FLAT, 1)
    fill(gate, 1)
    with torch.no_grad():
        gate.weigh[0].bias.zero_()
        gate.weigh[2].bias.zero_()
    image = torch.tensor([[[[0.0, 0.0], [0.0, 2.0]]]])  # mean 0.5, maximum 2
    hidden = len(gate.weigh[0].weight)  # each gives 0.5 and 2
    assert torch.allclose(gate(image), image * torch.sigmoid(torch.tensor(2.5 * hidden)))


def test_a_spatial_gate_scales_all_channels_of_a_voxel_alike():
    image = torch.rand(1, 6, 9, 9) + 0.5
    ratio = SpatialGate(FLAT, 6)(image) / image
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), atol=1e-6) and ratio[0, 0].std() > 0


def test_a_spatial_gate_sees_mean_and_maximum_of_the_channels():
    gate = SpatialGate(FLAT, 2)
    fill(gate, 0)
    with torch.no_grad():
        gate.conv.weight[0, :, 3, 3] = torch.tensor([1.0, 10.0])
    image = torch.tensor([0.1, 0.3]).reshape(1, 2, 1, 1)
    expected = image * torch.sigmoid(torch.tensor(0.2 + 10 * 0.3))
    assert torch.allclose(gate(image), expected)


def test_cbam_is_the_channel_gate_and_then_the_spatial_gate():
    cbam, image = CBAM(SOLID, 4), torch.rand(1, 4, 3, 4, 5)
    assert torch.equal(cbam(image), cbam[1](cbam[0](image)))
    assert isinstance(cbam[0], ChannelGate) and isinstance(cbam[1], SpatialGate)


def test_non_local_begins_as_the_identity_and_then_sees_far_voxels():
    torch.manual_seed(0)
    block, image = NonLocal(FLAT, 4), torch.randn(1, 4, 1, 64)
    assert torch.equal(block(image), image)
    nn.init.ones_(block.strength)
    far = image.clone()
    far[..., -1] += 5
    change = (block(far) - block(image))[..., 0].abs().max()
    assert change > 1e-4


def test_non_local_is_the_mean_of_values_where_all_voxels_are_alike():
    block = NonLocal(FLAT, 2)
    fill(block, 0)
    with torch.no_grad():
        block.value.weight[:] = 1  # value: sum over channels
        block.out.weight[:] = 1
        block.strength[:] = 1
    image = torch.arange(8.0).reshape(1, 2, 2, 2)
    # one pooled voxel: channel maxima 3 and 7, value 10
    assert torch.allclose(block(image), image + 10)


def test_non_local_compares_with_a_bounded_number_of_voxels():
    block = NonLocal(SOLID, 2)
    left = block._pooled(torch.empty(1, 2, 96, 128, 128, device="meta"))[0, 0].numel()
    assert left <= NON_LOCAL_VOXELS and voxels_left((1, 8, 8), 2) == 16


def test_an_attention_gate_is_a_number_from_0_to_1_for_each_voxel_of_the_skip():
    gate, skip = AttentionGate(FLAT, 4, 6), torch.rand(1, 4, 8, 8) + 0.5
    ratio = gate(skip, torch.randn(1, 6, 8, 8)) / skip
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), atol=1e-6)
    assert ((ratio > 0) & (ratio < 1)).all() and ratio[0, 0].std() > 0


# --- bottlenecks -------------------------------------------------------------------------------------------


def test_aspp_sees_6_voxels_to_either_side_by_its_rates():
    torch.manual_seed(0)
    seen = seen_from(without_norm(BOTTLENECKS["aspp"](FLAT, 4)), 21)
    assert (seen.nonzero().flatten() - 10).tolist() == [-6, -4, -2, 0, 2, 4, 6]


def test_aspp_needs_channels_that_can_be_shared_out():
    with pytest.raises(ValueError, match="multiple of 4"):
        BOTTLENECKS["aspp"](FLAT, 6)


def test_hybrid_dilation_sees_17_voxels_and_leaves_none_out():
    torch.manual_seed(0)
    seen = seen_from(without_norm(HybridDilated(FLAT, 4)), 31)
    assert (seen.nonzero().flatten() - 15).tolist() == list(range(-8, 9))


@pytest.mark.parametrize("cells", [(1, 1, 1), (2, 3, 1), (6, 6, 6)])
def test_means_of_cells_are_pytorchs_adaptive_pooling(cells):
    image = torch.randn(2, 3, 7, 9, 6)
    assert torch.allclose(
        means_of_cells(image, cells), functional.adaptive_avg_pool3d(image, cells), atol=1e-6
    )


def test_means_of_cells_by_hand():
    image = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]).reshape(1, 1, 1, 5)
    assert means_of_cells(image, (1, 2)).flatten().tolist() == pytest.approx([2.0, 4.0])


@pytest.mark.parametrize("name", ["pyramid_pooling", "residual_multi_kernel_pooling"])
def test_pooling_bottlenecks_see_beyond_a_convolution(name):
    torch.manual_seed(0)
    block = without_norm(BOTTLENECKS[name](FLAT, 4)).eval()
    image = torch.rand(1, 4, 12, 12)
    changed = image.clone()
    changed[..., 5, 5] += 10
    difference = (block(changed) - block(image)).abs().amax((0, 1))
    reach = {"pyramid_pooling": (0, 0), "residual_multi_kernel_pooling": (5, 0)}[name]
    assert difference[reach] > 0


def test_pooling_bottlenecks_take_a_single_voxel():
    for name in ("pyramid_pooling", "residual_multi_kernel_pooling"):
        block = BOTTLENECKS[name](Style(3, "group"), 4)
        assert block(torch.rand(1, 4, 1, 2, 1)).shape == (1, 4, 1, 2, 1)


@pytest.mark.parametrize("size", [(3, 4), (1, 1)])
def test_a_large_batch_is_normalised_image_by_image(size):
    norm, images = InstanceNorm(2), torch.randn(6, 2, *size)
    assert torch.allclose(norm(images), torch.cat([norm(image[None]) for image in images]), atol=1e-5)
