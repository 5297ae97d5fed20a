"""Every network of the laboratory can learn one crop of a real CT by heart."""

import importlib.util

import numpy as np
import pytest
import SimpleITK as sitk
import small_networks
import torch
from conftest import ROOT
from scipy import ndimage
from torch.nn import functional

from LiverSegLib.networks import LABORATORY, build_network

DENSE_HU = 150
"""Smoothed voxels above it are bone and contrast medium: something a network can see."""
CROP = (slice(32, 48), slice(144, 176), slice(96, 128))
"""(z, y, x) of the sample where a third of the voxels is that dense."""
STEPS = 200
LEARNING_RATE = 0.01
SLOWER = {"UNETR": 0.002, "SwinUNETR": 0.002, "VNetMONAI": 0.003, "ConvLSTMUNet": 0.005}
"""Learning rates of networks that 0.01 is too much for."""


@pytest.fixture(scope="module")
def crop():
    """Image and label of the crop, (1, 1, z, y, x) and (1, z, y, x)."""
    scan = sitk.ReadImage(str(ROOT / "Resources" / "SampleData" / "hcc013-portal.nii.gz"))
    hounsfield = sitk.GetArrayFromImage(scan).astype(np.float32)
    label = ndimage.gaussian_filter(hounsfield, 1.0)[CROP] > DENSE_HU
    assert 0.2 < label.mean() < 0.4
    image = np.clip(hounsfield[CROP] / 200, -2, 2)
    return torch.from_numpy(image)[None, None], torch.from_numpy(label.astype(np.int64))[None]


def dice_of(scores, label):
    found = scores.argmax(1) == 1
    return float(2 * (found & (label == 1)).sum() / (found.sum() + (label == 1).sum()))


@pytest.mark.slow
@pytest.mark.timeout(1200)  # minutes, where the processors are shared
@pytest.mark.parametrize("name", list(LABORATORY))
def test_a_network_learns_one_real_crop_by_heart(name, crop):
    if name in ("UNETR", "SwinUNETR") and importlib.util.find_spec("einops") is None:
        pytest.skip("MONAI's transformers need einops (extra train)")
    dimensions = LABORATORY[name].dimensions[0]
    image, label = crop if dimensions == 3 else (crop[0][:, :, 8], crop[1][:, 8])
    torch.manual_seed(0)
    arguments = {**small_networks.SMALL[name], "dimensions": dimensions}
    if name == "UNETR":
        arguments["image_size"] = [16, 32, 32]
    network = build_network(name, arguments).train()
    optimizer = torch.optim.Adam(network.parameters(), SLOWER.get(name, LEARNING_RATE))
    reached = []
    for step in range(STEPS):
        scores = network(image)
        finest = scores if torch.is_tensor(scores) else scores[0]
        optimizer.zero_grad()
        functional.cross_entropy(finest, label).backward()
        optimizer.step()
        if step % 20 == 19:
            with torch.no_grad():
                reached.append(dice_of(network.eval()(image), label))
            network.train()
            if reached[-1] > 0.9:
                break
    assert reached[-1] > 0.9, f"Dice after each 20 steps: {reached}"
