"""What nnU-Net makes of small inputs, piece by piece, kept in Testing/Data/nnunet-pieces.npz.

    python Testing/Core/nnunet_pieces.py        # in the environment of `make test-models`: write it anew

The inputs are made here, from seeds; the file holds what nnunetv2 2.8.1 (with batchgenerators 0.25.5 and
scikit-image) gives for them: the tests hold every piece against the original where it is not installed.
"""

from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

STORED = Path(__file__).resolve().parents[1] / "Data" / "nnunet-pieces.npz"

IMAGES: Dict[str, Tuple[Tuple[int, ...], Tuple[int, ...], int, Any, int]] = {
    "finer": ((5, 9, 11), (7, 12, 8), 3, None, 0),
    "coarser": ((11, 12, 9), (4, 5, 9), 3, None, 0),
    "thick slices": ((4, 9, 10), (6, 13, 7), 3, 0, 0),
    "thick slices along the last axis": ((9, 10, 4), (13, 7, 6), 3, 2, 0),
    "linear across": ((4, 9, 10), (9, 6, 13), 1, 1, 1),
    "one slice": ((1, 8, 9), (1, 13, 6), 3, None, 0),
}
"""Shape, new shape, order of the spline, the axis that goes by itself, the order along that axis."""
SCORES = {
    "finer": ((5, 7, 8), (9, 12, 11), None),
    "coarser": ((9, 8, 10), (5, 7, 6), None),
    "thick slices": ((4, 7, 8), (9, 12, 11), 0),
    "same": ((4, 6, 7), (4, 6, 7), None),
}
"""Shape, new shape, the axis that goes by itself."""
STEPS = ((110, 64, 0.5), (64, 64, 0.5), (65, 64, 0.5), (341, 128, 0.5), (17, 5, 0.3), (300, 96, 1.0))
TILES = ((5, 6, 8), (16, 9), (7, 12, 20))
MODELS: Dict[str, Dict[str, Any]] = {
    "mirrored": {"mirror": True},
    "folds": {"folds": ("0", "1"), "architecture": "ResidualEncoderUNet"},
    "2d": {"configuration": "2d", "mirror_axes": (0, 1)},
    "regions": {"labels": {"background": 0, "liver": [1, 2], "tumor": [2]}},
    "cascade": {"cascade": True},
    "turned": {"plans_changes": {"transpose_forward": [1, 0, 2], "transpose_backward": [1, 0, 2]}},
}
"""Options of ``nnunet_models.make_trained``."""


def noise(seed: int, shape: Tuple[int, ...], blur: float = 0.0) -> np.ndarray:
    """Noise of deviation 1 where it is not blurred."""
    values = np.random.default_rng(seed).normal(size=shape)
    return ndimage.gaussian_filter(values, (0,) * (len(shape) - 3) + (blur,) * 3) if blur else values


def image(name: str) -> np.ndarray:
    """The image of a case of IMAGES, float32."""
    return (noise(1, IMAGES[name][0]) * 50).astype(np.float32)


def scores(name: str) -> np.ndarray:
    """Class scores (4, a, b, c) of a case of SCORES in half precision, near ties as well as sure."""
    return (noise(2, (4, *SCORES[name][0]), 1.0) * 30).astype(np.float16)


def labels(name: str) -> np.ndarray:
    """Labels -1 to 3 (a, b, c) of a case of SCORES, int16."""
    return np.clip(noise(3, SCORES[name][0], 1.2) * 12, -1, 3).astype(np.int16)


def scan() -> sitk.Image:
    """A small scan with a body in air, an oblique direction, zeros around it."""
    values = noise(4, (14, 30, 28), 1.5) * 600 + 60
    values[:, :4] = -1000
    values[:, :, -3:] = 0
    values[:1] = 0
    image = sitk.GetImageFromArray(np.rint(values).astype(np.int16))
    image.SetSpacing((1.7, 1.6, 2.6))
    turn = sitk.VersorTransform((0.1, 0.2, 1.0), 0.2)
    image.SetDirection(turn.GetMatrix())
    return image


def trained(name: str, folder: Path) -> Path:
    """The trained model of a case of MODELS; that of a cascade is its second."""
    from nnunet_models import make_cascade, make_trained

    options = {key: value for key, value in MODELS[name].items() if key not in ("mirror", "cascade")}
    make = make_cascade if MODELS[name].get("cascade") else make_trained
    return make(folder, **options)


def _write() -> None:
    import tempfile

    import torch
    from nnunet_original import predict
    from nnunetv2.inference.sliding_window_prediction import (
        compute_gaussian,
        compute_steps_for_sliding_window,
    )
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg

    found: Dict[str, np.ndarray] = {}
    for name, (_, new, order, axis, order_z) in IMAGES.items():
        data = resample_data_or_seg(image(name)[None], new, False, axis, order, axis is not None, order_z)
        found[f"image {name}"] = data[0].astype(np.float32)
    for name, (_, new, axis) in SCORES.items():
        data = resample_data_or_seg(scores(name), new, False, axis, 1, axis is not None, 0)
        found[f"scores {name}"] = data.astype(np.float32).argmax(0).astype(np.uint8)
        data = resample_data_or_seg(labels(name)[None], new, True, axis, 1, axis is not None, 0)
        found[f"labels {name}"] = data[0].astype(np.int8)
    for size in TILES:
        found[f"tile {size}"] = compute_gaussian(size, 1 / 8, 10, device=torch.device("cpu")).numpy()
    for length, tile, step in STEPS:
        starts = compute_steps_for_sliding_window((length,), (tile,), step)[0]
        found[f"steps {length} {tile} {step}"] = np.array(starts, np.int16)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scan.nii.gz"
        sitk.WriteImage(scan(), str(file))
        for name, options in MODELS.items():
            model, before = trained(name, Path(folder) / name), None
            if options.get("cascade"):
                before = Path(folder) / "before.nii.gz"
                predict(model.parent / model.name.replace("cascade_fullres", "lowres"), file, before)
            out = Path(folder) / "out.nii.gz"
            predict(model, file, out, mirror=options.get("mirror", False), previous=before)
            found[f"model {name}"] = sitk.GetArrayFromImage(sitk.ReadImage(str(out))).astype(np.uint8)
    np.savez_compressed(STORED, **found)
    print(f"{STORED}: {STORED.stat().st_size} bytes")
    print({name: np.unique(part, return_counts=True) for name, part in found.items() if "model" in name})


if __name__ == "__main__":
    _write()
