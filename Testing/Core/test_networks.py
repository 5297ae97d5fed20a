"""The residual U-Net and how a manifest asks for it."""

import pytest
import torch
from torch.nn import functional

from LiverSegLib.errors import ModelError
from LiverSegLib.networks import build_network
from LiverSegLib.networks.residual_unet import InstanceNorm, ResidualUNet, fold_voxels, unfold_voxels


@pytest.mark.parametrize("fold", [1, 2])
@pytest.mark.parametrize("batch", [1, 2])
def test_logits_lie_on_the_grid_of_the_image(fold, batch):
    network = ResidualUNet(fold=fold, channels=[4, 6, 8], blocks=[1, 2, 1], out_channels=3)
    size = [network.size_multiple * n for n in (2, 3, 1)]
    assert network(torch.randn(batch, 1, *size)).shape == (batch, 3, *size)


def test_unfolding_undoes_folding():
    image = torch.randn(2, 3, 4, 6, 8)
    folded = fold_voxels(image, 2)
    assert folded.shape == (2, 3 * 2**3, 2, 3, 4)
    assert torch.equal(unfold_voxels(folded, 2), image)


def test_folding_keeps_neighbours_together():
    image = torch.arange(64.0).reshape(1, 1, 4, 4, 4)
    assert fold_voxels(image, 2)[0, :, 0, 0, 0].tolist() == [0, 1, 4, 5, 16, 17, 20, 21]


@pytest.mark.parametrize("batch", [1, 3])
def test_the_norm_is_instance_normalisation(batch):
    norm, image = InstanceNorm(5), torch.randn(batch, 5, 4, 6, 8) * 3 + 2
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
    expected = functional.instance_norm(image, weight=norm.weight, bias=norm.bias, eps=1e-5)
    assert torch.allclose(norm(image), expected, atol=1e-4)


def test_the_norm_survives_a_single_voxel():
    assert torch.isfinite(InstanceNorm(3)(torch.ones(1, 3, 1, 1, 1))).all()


def test_a_sample_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    network, images = ResidualUNet(channels=[4, 8], fold=1).eval(), torch.randn(2, 1, 8, 8, 8)
    assert torch.allclose(network(images)[1], network(images[1:])[0], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"dimensions": 4}, "dimensions"), ({"dimensions": 2}, "dimensions"), ({"fold": 3}, "fold"),
     ({"channels": []}, "channels"), ({"channels": [4, 8], "blocks": [1]}, "blocks"),
     ({"colour": 1}, "colour")],
)  # fmt: skip
def test_impossible_arguments_are_refused_with_their_name(arguments, word):
    with pytest.raises(ModelError) as caught:
        build_network("ResidualUNet", arguments)
    assert word in caught.value.details


def test_an_unknown_network_is_refused_and_the_known_are_named():
    with pytest.raises(ModelError, match="NoSuchNet") as caught:
        build_network("NoSuchNet", {})
    assert "ResidualUNet" in caught.value.details
