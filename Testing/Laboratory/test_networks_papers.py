"""Networks of papers that are written here: what all of them must do."""

import inspect
import io
from typing import Any, Dict, Set, Tuple

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
from LiverSegLib.networks.architecture import Architecture

FAMILIES = (
    conv_lstm_unet, dense_unet, hybrid_dense_unet, ki_unet, modified_unet, nested_unet, recurrent_unet, vnet,
)  # fmt: skip
ALL: Dict[str, Architecture] = {each.name: each for family in FAMILIES for each in family.ARCHITECTURES}
DENSE: Dict[str, Any] = {"layers": [2, 2, 1], "growth": 4, "stem": 8}
HYBRID = {f"{name}_{axes}d": value for axes in (2, 3) for name, value in DENSE.items()}
SMALL: Dict[str, Tuple[str, Dict[str, Any]]] = {
    "mU-Net 2D": ("ModifiedUNet", {"dimensions": 2, "features": [4, 6, 8]}),
    "mU-Net 3D, large": ("ModifiedUNet", {"dimensions": 3, "features": [4, 6], "objects": "large"}),
    "mU-Net 2D, small": ("ModifiedUNet", {"dimensions": 2, "features": [4, 6], "objects": "small"}),
    "V-Net 3D": ("VNet", {
        "features": [4, 6, 8], "encoder_convolutions": [1, 2, 1], "decoder_convolutions": [2, 1],
        "kernel_sizes": [[4, 2, 2], [2, 2, 2]], "strides": [[1, 2, 2], [2, 2, 2]], "convolution_kernel": 3,
    }),
    "V-Net 2D": ("VNet", {
        "dimensions": 2, "features": [4, 6], "encoder_convolutions": [2, 2], "decoder_convolutions": [1],
        "in_channels": 2, "norm": "none", "activation": "elu",
    }),
    "DenseUNet-167 2D": ("DenseUNet167", {"dimensions": 2, "in_channels": 3, **DENSE}),
    "DenseUNet-65 3D": ("DenseUNet65", {"dimensions": 3, "in_channels": 1, **DENSE, "norm": "group"}),
    "H-DenseUNet": ("HybridDenseUNet", HYBRID),
    "R2U-Net 2D": ("R2UNet", {"dimensions": 2, "features": [4, 6, 8], "norm": "batch"}),
    "R2U-Net 3D": ("R2UNet", {"dimensions": 3, "features": [4, 6], "steps": 3}),
    "ConvLSTM": ("ConvLSTMUNet", {"features": [4, 6, 8]}),
    "ConvLSTM, skips": ("ConvLSTMUNet", {"features": [4, 6], "place": "skips", "bidirectional": False}),
    "KiU-Net 2D": ("KiUNet", {"dimensions": 2, "features": [4, 6]}),
    "KiU-Net 3D": ("KiUNet", {"dimensions": 3, "features": [4, 6]}),
    "U-Net++ 2D": ("NestedUNet", {"dimensions": 2, "features": [4, 6, 8]}),
    "U-Net++ 3D": ("NestedUNet", {"dimensions": 3, "features": [4, 6], "deep_supervision": True}),
}  # fmt: skip


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def small(case: str, **more: Any) -> nn.Module:
    """The case's network, with few channels."""
    name, arguments = SMALL[case]
    return ALL[name].build(out_channels=3, **{"dimensions": ALL[name].dimensions[0], **arguments, **more})


def image_for(case: str, edges: Tuple[int, int, int], batch: int = 1) -> torch.Tensor:
    """An image (batch, c, z, y, x), or without z, that the case's network takes."""
    name, arguments = SMALL[case]
    axes = arguments.get("dimensions", ALL[name].dimensions[0])
    return torch.randn(batch, arguments.get("in_channels", 1), *edges[-axes:])


def weights(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def parameters(name: str) -> Set[str]:
    """The arguments that a network takes."""
    network = {"DenseUNet167": dense_unet.DenseUNet, "DenseUNet65": dense_unet.DenseUNet}.get(
        name, ALL[name].build
    )
    return set(inspect.signature(network).parameters)


# What all must do


@pytest.mark.parametrize("case", SMALL)
@pytest.mark.parametrize("edges", [(8, 32, 16), (7, 37, 23), (3, 9, 5)])
def test_logits_have_the_image_s_size(case: str, edges: Tuple[int, int, int]) -> None:
    network, image = small(case).eval(), image_for(case, edges, batch=2)
    with torch.no_grad():
        scores = network(image)
    assert scores.shape == (2, 3, *image.shape[2:])
    assert torch.isfinite(scores).all()
    assert isinstance(network.size_multiple, int)
    assert network.out_channels == 3


@pytest.mark.parametrize("case", SMALL)
def test_gradients_reach_every_weight(case: str) -> None:
    network = small(case).train()
    scores = network(image_for(case, (8, 32, 32)))
    levels = scores if isinstance(scores, list) else [scores]
    sum((level * torch.randn_like(level)).sum() for level in levels).backward()
    without = [name for name, weight in network.named_parameters() if weight.grad is None]
    still = [name for name, weight in network.named_parameters() if not weight.grad.abs().sum() > 0]
    assert (without, still) == ([], [])


@pytest.mark.parametrize("case", SMALL)
def test_onnx_gives_the_same_logits(case: str) -> None:
    import onnxruntime

    z = 8 if case.startswith("KiU-Net") else 4  # a graph has a multiple of the network's
    network, image = small(case).eval(), image_for(case, (z, 32, 32))
    axes = {0: "tiles", image.dim() - 2: "y", image.dim() - 1: "x"}
    file = io.BytesIO()
    torch.onnx.export(
        network, (image,), file, dynamo=False, opset_version=17, input_names=["image"],
        output_names=["logits"], dynamic_axes={"image": axes, "logits": axes},
    )  # fmt: skip
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    for other in (image, image_for(case, (z, 64, 32), batch=2)):
        with torch.no_grad():
            expected = network(other).numpy()
        found = session.run(None, {"image": other.numpy()})[0]
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ALL)
def test_absurd_arguments_are_refused(name: str) -> None:
    build, axes = ALL[name].build, ALL[name].dimensions[0]
    with pytest.raises(ValueError, match="out_channels"):
        build(out_channels=10**6, dimensions=axes)
    with pytest.raises(ValueError, match="in_channels"):
        build(in_channels=0, dimensions=axes)
    with pytest.raises(ValueError, match="dimensions"):
        build(dimensions=4)
    with pytest.raises(ValueError, match="norm"):
        build(dimensions=axes, norm="layer")
    lists = [key for key in ("features", "layers", "layers_2d") if key in parameters(name)]
    for key in lists:
        with pytest.raises(ValueError, match="list|number"):
            build(dimensions=axes, **{key: [10**9] * 3})
        with pytest.raises(ValueError, match="list|number"):
            build(dimensions=axes, **{key: [4] * 100})
    assert lists


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ModifiedUNet", {"objects": "huge"}),
        ("ModifiedUNet", {"skip_convolutions": 1000}),
        ("VNet", {"convolution_kernel": 4}),
        ("VNet", {"convolution_kernel": 10**6 + 1}),
        ("VNet", {"strides": [[2, 2, 2]]}),
        ("VNet", {"kernel_sizes": [[1, 1, 1]] * 4}),
        ("VNet", {"kernel_sizes": [[2, 2]] * 4}),
        ("VNet", {"dropout": 1.0}),
        ("VNet", {"activation": "tanh"}),
        ("DenseUNet167", {"growth": 4096}),
        ("DenseUNet65", {"layers": [64] * 9, "growth": 1024}),
        ("HybridDenseUNet", {"neighbours": 2}),
        ("R2UNet", {"steps": 1000}),
        ("ConvLSTMUNet", {"place": "roof"}),
        ("ConvLSTMUNet", {"hidden": 10**9}),
        ("ConvLSTMUNet", {"kernel": 2}),
        ("KiUNet", {"features": [4] * 5}),
        ("KiUNet", {"stem_stride": 3}),
        ("NestedUNet", {"pruned_level": 5}),
        ("NestedUNet", {"pruned_level": 0}),
    ],
)
def test_arguments_that_make_no_such_network_are_refused(name: str, arguments: Dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        ALL[name].build(**arguments)


def test_any_norm_can_be_trained_with_a_batch_of_one() -> None:
    for norm in ("instance", "batch", "group", "none"):
        network = ALL["R2UNet"].build(features=[4, 6], norm=norm).train()
        assert torch.isfinite(network(torch.randn(1, 1, 16, 16))).all()
