"""Our Grad-CAM and guided backpropagation against MONAI's own.

MONAI's guided backpropagation replaces the modules that are called "relu"; where they have other names, as in
its own UNet, it gives the plain gradient without a word. So it is compared on networks that name them so.
"""

import pytest
import torch
from monai.networks.nets import DenseNet121, UNet
from monai.visualize import GradCAM, GuidedBackpropGrad
from torch import nn

from LiverSegLib.explain.methods import (
    choose_layer,
    grad_cam,
    guided_backpropagation,
    resized,
    run_once,
    score_over,
)

TOLERANCE = 1e-5


class Classifier(nn.Module):
    """Two convolutions with ReLUs, then a class for the whole image."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.relu1 = nn.Conv3d(1, 6, 3, stride=2, padding=1), nn.ReLU()
        self.second, self.relu2 = nn.Conv3d(6, 8, 3, stride=2, padding=1), nn.ReLU()
        self.last = nn.Linear(8, 3)

    def forward(self, image):
        features = self.relu2(self.second(self.relu1(self.first(image))))
        return self.last(features.mean((2, 3, 4)))


def image(*size):
    torch.manual_seed(1)
    return torch.randn(1, 1, *size)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_grad_cam_of_a_classifier_is_monais(channel):
    network, seen = Classifier().eval(), image(16, 18, 20)
    cam = GradCAM(nn_module=network, target_layers="relu2", postprocessing=lambda values: values)
    theirs = cam(x=seen, class_idx=channel)[0, 0]
    ours = grad_cam(network, seen, "relu2", lambda logits: logits[0, channel])
    assert theirs.shape == (16, 18, 20) and theirs.max() > 0
    assert (resized(ours, seen.shape[2:]) - theirs).abs().max() < TOLERANCE


def test_grad_cam_of_a_dense_network_in_two_dimensions_is_monais():
    torch.manual_seed(0)
    network, seen = DenseNet121(spatial_dims=2, in_channels=1, out_channels=2).eval(), image(48, 64)
    cam = GradCAM(
        nn_module=network, target_layers="features.denseblock3", postprocessing=lambda values: values
    )
    theirs = cam(x=seen, class_idx=1)[0, 0]
    ours = resized(
        grad_cam(network, seen, "features.denseblock3", lambda logits: logits[0, 1]), seen.shape[2:]
    )
    assert theirs.max() > 0 and (ours - theirs).abs().max() < TOLERANCE * max(
        1.0, float(theirs.detach().max())
    )


@pytest.mark.parametrize("channel", [0, 2])
def test_guided_backpropagation_is_monais(channel):
    network, seen = Classifier().eval(), image(16, 18, 20)
    theirs = GuidedBackpropGrad(network)(seen.clone(), index=channel)
    ours = guided_backpropagation(network, seen, lambda logits: logits[0, channel])
    assert theirs.abs().max() > 0 and (ours - theirs).abs().max() < TOLERANCE


def test_a_segmentation_network_explained_over_all_voxels_is_monais():
    torch.manual_seed(0)
    network = UNet(3, 1, 3, channels=(4, 8, 16), strides=(2, 2), num_res_units=1, act="relu").eval()
    seen = image(16, 16, 16)
    _, layers = run_once(network, seen)
    everywhere = score_over(2, torch.ones(16, 16, 16, dtype=torch.bool))
    for wanted in ("encoder", "decoder"):
        layer = choose_layer(layers, wanted)
        ours = resized(grad_cam(network, seen, layer, everywhere), (16, 16, 16))
        cam = GradCAM(nn_module=network, target_layers=layer, postprocessing=lambda values: values)
        theirs = cam(x=seen, class_idx=2)[0, 0]
        assert (ours - theirs).abs().max() < TOLERANCE * max(1.0, float(theirs.detach().max()))
    assert next(item.size for item in layers if item.name == choose_layer(layers, "encoder")) == (4, 4, 4)
