"""A made-up patient with a fatty liver, and readings of it, for the tests of what is shown and written."""

from dataclasses import replace
from typing import Any, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.steatosis.assess import Assessment, Conditions, assess
from LiverSegLib.steatosis.roi import Roi, RoiValues
from LiverSegLib.steatosis.roi_statistics import RoiMeter

SPACING, ORIGIN = (2.5, 2.5, 4.0), (-150.0, -110.0, 0.0)


def fatty_scan(
    liver: float = 30.0, spleen: float = 50.0, noise: float = 8.0
) -> Tuple[sitk.Image, sitk.Image]:
    """An unenhanced CT (int16 HU) with its mask: liver with a tumour, and spleen; LPS grid."""
    z, y, x = np.ogrid[:30, :90, :120]
    labels = np.zeros((30, 90, 120), np.uint8)
    labels[((x - 38) / 30) ** 2 + ((y - 42) / 32) ** 2 + ((z - 15) / 13) ** 2 < 1] = 1
    labels[((x - 95) / 16) ** 2 + ((y - 55) / 18) ** 2 + ((z - 15) / 11) ** 2 < 1] = 2
    labels[14:18, 38:44, 30:36] = 3
    voxels = np.full(labels.shape, -90.0)
    voxels[(((x - 60) / 58) ** 2 + ((y - 45) / 43) ** 2 + 0 * z) > 1] = -1000
    for label, value in ((1, liver), (2, spleen), (3, 20.0)):
        voxels[labels == label] = value
    voxels += np.random.default_rng(0).normal(0, noise, voxels.shape)
    return tuple(_image(array) for array in (np.round(voxels).clip(-1000).astype(np.int16), labels))


def _image(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    return image


def reading(
    name: str, centre: Tuple[float, float, float], mean: float, **changes: Any
) -> Tuple[Roi, RoiValues]:
    """An ROI of 10 mm, centre LPS mm, with its values."""
    organ = "liver" if name.startswith("L") else "spleen"
    flags = tuple(changes.pop("flags", ()))
    roi = Roi(name, organ, centre, (10.0, 10.0, 10.0))
    return replace(roi, **changes), RoiValues(mean, 7.5, 64.0, 1.0, 0.0, flags)


LIVER = (
    reading("L1", (-80.0, -5.0, 40.0), 29.0),
    reading("L2", (-40.0, -5.0, 60.0), 31.0),
    reading("L3", (-60.0, 20.0, 80.0), 30.0),
)
SPLEEN = (
    reading("S1", (85.0, 25.0, 60.0), 51.0),
    reading("S2", (90.0, 40.0, 60.0), 49.0),
    reading("S3", (80.0, 20.0, 76.0), 50.0),
)


def assessed(liver: Any = LIVER, spleen: Any = SPLEEN, **options: Any) -> Assessment:
    """The assessment of these readings: unenhanced, 120 kVp unless ``phase``, ``kvp`` say otherwise."""
    known = {"phase": options.pop("phase", "unenhanced"), "kvp": options.pop("kvp", 120.0)}
    return assess(liver, spleen, conditions=Conditions(**known), **options)


def medians(image: sitk.Image, labels: sitk.Image) -> Any:
    """Statistics of the whole organs."""
    meter = RoiMeter.of(image, labels)
    return {key: meter.statistics(key) for key in ("liver", "spleen")}
