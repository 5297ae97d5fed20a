"""A made-up patient and a made-up network, so that the whole pipeline can be tested exactly and in moments.

The patient is a body of fat with a liver, a spleen and a tumour of known shapes in LPS mm. The network tells
tissues apart by their attenuation alone, so what it should find on any grid is known.
"""

from pathlib import Path
from typing import Any, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
import torch
from torch import nn

from LiverSegLib.models import write_model

HU = {"air": -1000.0, "fat": -90.0, "liver": 60.0, "spleen": 130.0, "tumour": 95.0}
LIVER_CENTRE, LIVER_RADII = np.array([-50.0, 0.0, 0.0]), np.array([75.0, 60.0, 55.0])
SPLEEN_CENTRE, SPLEEN_RADII = np.array([85.0, 35.0, 10.0]), np.array([25.0, 32.0, 36.0])
TUMOUR_CENTRE, TUMOUR_RADIUS = np.array([-60.0, -5.0, 5.0]), 16.0
BODY_RADII = (150.0, 105.0)


class ByAttenuation(nn.Module):
    """Logits from the distance of a voxel's value to what each class is expected to have."""

    size_multiple = 4

    def __init__(self, means: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("means", torch.tensor(means))
        self.out_channels = len(means)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(1, 1, z, y, x) in -1..1 -> (1, classes, z, y, x)."""
        return -40 * (image - self.means.reshape(1, -1, 1, 1, 1)).abs()


def write_phantom_model(folder: Path, **more: Any) -> Path:
    """A model whose two stages are :class:`ByAttenuation`; register that as "ByAttenuation" to build it.

    Args:
        more: further entries of its manifest.
    """
    means = [(HU[t] - 40) / 200 for t in ("fat", "liver", "spleen", "tumour")]
    stage = {
        "network": {"name": "ByAttenuation", "arguments": {"means": means}},
        "intensity": {"scheme": "window", "window": [-160, 240], "scale": [-1, 1]},
        "output": {
            "activation": "softmax",
            "channels": {"0": "background", "1": "liver", "2": "spleen", "3": "liver tumour"},
            "labels": {"liver": 1, "spleen": 2, "liver tumour": 3},
        },
    }
    stages = [
        {**stage, "name": "locate", "spacing": [6, 6, 6], "patch": [32, 48, 64], "mirror_axes": []},
        {**stage, "name": "segment", "spacing": [2, 2, 2], "patch": [48, 64, 64], "mirror_axes": [2]},
    ]
    manifest = {
        "format_version": 1, "name": "phantom", "version": "1", "description": "tells tissues by attenuation",
        "licence": "none", "stages": stages, **more,
    }  # fmt: skip
    weights = {"means": np.asarray(means, np.float32)}
    write_model(folder, manifest, {"locate": weights, "segment": weights})
    return folder


def tissues(points: np.ndarray, *, liver: bool = True) -> np.ndarray:
    """Label at LPS mm ``points`` (..., 3): 0 air, 1 liver, 2 spleen, 3 tumour, 4 fat."""
    labels = np.zeros(points.shape[:-1], np.uint8)
    labels[((points[..., :2] / BODY_RADII) ** 2).sum(-1) < 1] = 4
    if not liver:
        return labels
    labels[(((points - LIVER_CENTRE) / LIVER_RADII) ** 2).sum(-1) < 1] = 1
    labels[(((points - SPLEEN_CENTRE) / SPLEEN_RADII) ** 2).sum(-1) < 1] = 2
    labels[((points - TUMOUR_CENTRE) ** 2).sum(-1) < TUMOUR_RADIUS**2] = 3
    return labels


def patient(
    size: Tuple[int, int, int] = (160, 116, 36),
    spacing: Tuple[float, float, float] = (2.0, 2.0, 5.0),
    direction: Sequence[float] = tuple(np.eye(3).ravel()),
    *,
    liver: bool = True,
    centre: Sequence[float] = (0.0, 0.0, 0.0),
) -> Tuple[sitk.Image, np.ndarray]:
    """Return a CT (int16 HU) of the patient on any grid, its middle at ``centre`` (LPS mm), and the true
    labels (z, y, x).
    """
    matrix = np.reshape(direction, (3, 3)) * np.asarray(spacing)
    origin = np.asarray(centre) - matrix @ ((np.asarray(size) - 1) / 2)
    indices = np.stack(np.meshgrid(*(np.arange(n) for n in size[::-1]), indexing="ij"), -1)[..., ::-1]
    labels = tissues(indices @ matrix.T + origin, liver=liver)
    hu = np.choose(labels, [HU["air"], HU["liver"], HU["spleen"], HU["tumour"], HU["fat"]]).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 3, hu.shape)
    image = sitk.GetImageFromArray(np.round(hu + np.where(labels > 0, noise, 0)).astype(np.int16))
    image.SetSpacing(spacing)
    image.SetDirection([float(v) for v in direction])
    image.SetOrigin(origin.tolist())
    labels[labels == 4] = 0
    return image, labels
