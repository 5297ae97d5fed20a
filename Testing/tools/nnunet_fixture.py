#!/usr/bin/env python3
"""Write Testing/Data/nnunet-networks.json.gz: what the networks of dynamic_network_architectures give for
known weights.

    pip install --no-deps dynamic-network-architectures
    python Testing/tools/nnunet_fixture.py

For each network: the arguments, the names and shapes of its weights, and some numbers of its output for the
weights and the image of ``seeded_weights``. ``make test`` holds our networks against them; this library is
not installed there.
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

TESTING = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTING / "Core"))
from seeded_weights import seeded_image, seeded_tensor  # noqa: E402

CASES = [
    ("PlainConvUNet", 2, False), ("PlainConvUNet", 3, True),
    ("ResidualEncoderUNet", 2, True), ("ResidualEncoderUNet", 3, False),
]  # fmt: skip
"""Architecture, axes, anisotropic."""
SHOWN = 60
"""Numbers of the output that are kept."""


def arguments(axes, anisotropic):
    """What nnU-Net's plans would say, small."""
    flat, cube, one, two = [1, 3, 3][-axes:], [3] * axes, [1] * axes, [2] * axes
    step = [1, 2, 2][-axes:] if anisotropic else two
    return {
        "n_stages": 4, "features_per_stage": [4, 6, 8, 8],
        "kernel_sizes": [flat if anisotropic else cube, cube, cube, cube],
        "strides": [one, step, two, two], "blocks": [1, 2, 2, 1], "n_conv_per_stage_decoder": [1, 2, 1],
        "conv_bias": not anisotropic, "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
    }  # fmt: skip


def original(name, axes, given):
    """The network of the library, with seeded weights."""
    from dynamic_network_architectures.architectures import unet

    convolution, norm = (nn.Conv3d, nn.InstanceNorm3d) if axes == 3 else (nn.Conv2d, nn.InstanceNorm2d)
    known = {**given, "conv_op": convolution, "norm_op": norm, "nonlin": nn.LeakyReLU}
    known["n_conv_per_stage" if name == "PlainConvUNet" else "n_blocks_per_stage"] = known.pop("blocks")
    network = getattr(unet, name)(input_channels=2, num_classes=3, deep_supervision=False, **known).eval()
    with torch.no_grad():
        for weights, tensor in network.named_parameters():
            tensor.copy_(torch.from_numpy(seeded_tensor(weights, tuple(tensor.shape))))
    return network


def main():
    found = []
    for name, axes, anisotropic in CASES:
        given, shape = arguments(axes, anisotropic), (2, 2, *[16] * axes)
        network = original(name, axes, given)
        with torch.inference_mode():
            output = network(torch.from_numpy(seeded_image(shape))).numpy()
        places = np.linspace(0, output.size - 1, SHOWN).astype(int)
        found.append({
            "architecture": name, "axes": axes, "arguments": given, "image": shape, "output": output.shape,
            "weights": {key: list(tensor.shape) for key, tensor in network.state_dict().items()},
            "places": places.tolist(), "numbers": [round(float(v), 6) for v in output.ravel()[places]],
        })  # fmt: skip
    text = json.dumps({"made_by": "dynamic_network_architectures 0.4.4, PyTorch 2.13", "networks": found})
    packed = gzip.compress(text.encode("utf-8"), mtime=0)
    (TESTING / "Data" / "nnunet-networks.json.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
