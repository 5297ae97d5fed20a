"""A digital patient for the fatty-liver benchmark: liver, spleen, vessels and lesions of known attenuation.

Edges are blurred over a voxel as partial volume does it, thick slices are means of thin ones, and noise is
white or blurred in the plane as reconstruction kernels do. Coordinates are LPS mm.
"""

from dataclasses import dataclass
from typing import Iterator, List, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR

THIN_MM = 1.25
"""Slices are means of slices of this thickness."""
LOW, HIGH = np.array([-150.0, -105.0, -95.0]), np.array([145.0, 110.0, 95.0])
"""Corners of the scan."""
LIVER_PARTS = (((-65, 0, -5), (66, 72, 74)), ((10, -42, 22), (66, 42, 36)))
"""Centres and radii of the ellipsoids that make up the liver: right and left lobe."""
SPLEEN_PART = ((102, 35, 10), (30, 45, 52))
LESIONS = (((-95, 10, -20), 14.0), ((-40, -45, -35), 10.0), ((-70, 25, 35), 8.0))
HILUM = np.array([-30.0, 5.0, -20.0])
CAVA = np.array([-20.0, 20.0, 65.0])
FAT_HU = -90.0
FINEST_VESSEL_MM = 4.0
"""Diameter of the finest vessels that are drawn: finer ones are part of what a reader takes for parenchyma.
"""


@dataclass(frozen=True)
class Tissue:
    """Attenuation in HU."""

    liver: float = 60.0
    spleen: float = 50.0
    blood: float = 40.0
    lesion: float = 30.0

    @property
    def ratio(self) -> float:
        """The true liver/spleen ratio."""
        return self.liver / self.spleen


@dataclass(frozen=True)
class Phantom:
    """A patient without noise.

    Attributes:
        hu: float32 (z, y, x).
        labels: its mask, uint8; vessels within the liver count as liver.
        blood: float32, share of each voxel within a vessel.
        tissue: what it is made of.
    """

    hu: np.ndarray
    labels: sitk.Image
    blood: np.ndarray
    tissue: Tissue

    def scan(self, noise_hu: float, seed: int, *, blur_mm: float = 0.0) -> sitk.Image:
        """Return a CT (int16) of the patient with Gaussian noise of SD ``noise_hu`` in each voxel.

        Args:
            blur_mm: SD of the Gaussian by which noise is blurred in the plane; the SD of a voxel stays the
                same.
        """
        noise = np.random.default_rng(seed).standard_normal(self.hu.shape, dtype=np.float32)
        if blur_mm > 0:
            sigmas = blur_mm / np.array(self.labels.GetSpacing()[1::-1])
            noise = ndimage.gaussian_filter(noise, (0, *sigmas), mode="wrap")
            noise /= noise.std()
        image = sitk.GetImageFromArray(np.rint(self.hu + np.float32(noise_hu) * noise).astype(np.int16))
        image.CopyInformation(self.labels)
        return image


def make_phantom(
    tissue: Tissue,
    *,
    pixel_mm: float = 0.8,
    slice_mm: float = 2.5,
    vessels: bool = True,
    lesions: bool = True,
    seed: int = 0,
) -> Phantom:
    """Return a patient.

    Args:
        tissue: attenuations.
        pixel_mm: voxel edge in the plane.
        slice_mm: thickness of the slices, rounded to a multiple of THIN_MM.
        vessels, lesions: whether there are any.
        seed: of the branching of the vessels.
    """
    per_slice = max(1, round(slice_mm / THIN_MM))
    spacing = np.array([pixel_mm, pixel_mm, THIN_MM])
    size = np.floor((HIGH - LOW) / spacing).astype(int)
    size[2] -= size[2] % per_slice
    axes = [LOW[axis] + spacing[axis] * (np.arange(size[axis]) + 0.5) for axis in range(3)]
    liver = np.zeros(size[::-1], np.float32)
    for centre, radii in LIVER_PARTS:
        np.maximum(liver, _ellipsoid(axes, centre, radii, pixel_mm), out=liver)
    spleen = _ellipsoid(axes, *SPLEEN_PART, pixel_mm)
    liver *= 1 - spleen
    lesion = np.zeros_like(liver)
    for centre, radius in LESIONS if lesions else ():
        np.maximum(lesion, _ellipsoid(axes, centre, (radius,) * 3, pixel_mm), out=lesion)
    blood = np.zeros_like(liver)
    if vessels:
        for start, stop, radius in _vessel_tree(np.random.default_rng(seed)):
            _draw_tube(blood, axes, start, stop, radius, pixel_mm)
    blood *= liver * (1 - lesion)
    lesion *= liver
    hu = np.full(liver.shape, FAT_HU, np.float32)
    hu += (tissue.liver - FAT_HU) * liver + (tissue.spleen - FAT_HU) * spleen
    hu += (tissue.blood - tissue.liver) * blood + (tissue.lesion - tissue.liver) * lesion
    hu, liver, spleen, lesion, blood = (_thick(v, per_slice) for v in (hu, liver, spleen, lesion, blood))
    labels = np.zeros(liver.shape, np.uint8)
    labels[liver > 0.5], labels[spleen > 0.5] = LIVER, SPLEEN
    labels[(lesion > 0.5) & (labels == LIVER)] = TUMOUR
    mask = sitk.GetImageFromArray(labels)
    thick = spacing * (1, 1, per_slice)
    mask.SetSpacing(thick.tolist())
    mask.SetOrigin((LOW + thick / 2).tolist())
    return Phantom(hu, mask, blood, tissue)


def _thick(thin: np.ndarray, per_slice: int) -> np.ndarray:
    return thin.reshape(-1, per_slice, *thin.shape[1:]).mean(axis=1)


def _ellipsoid(axes: List[np.ndarray], centre: Tuple, radii: Tuple, edge_mm: float) -> np.ndarray:
    """Return the share (z, y, x) of each voxel within an ellipsoid."""
    x, y, z = ((axes[i] - centre[i]) / radii[i] for i in range(3))
    scaled = np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2).astype(np.float32)
    return np.clip(0.5 + (1 - scaled) * (min(radii) / edge_mm), 0, 1)


def _vessel_tree(random: np.random.Generator) -> Iterator[Tuple[np.ndarray, np.ndarray, float]]:
    """Yield start, stop and radius (mm) of the portal vein's branches and of the hepatic veins."""
    yield from _branches(random, HILUM, np.array([-1.0, -0.1, 0.3]), 42.0, 6.5)
    yield from _branches(random, HILUM, np.array([0.6, -0.8, 0.6]), 40.0, 5.5)
    for way in ((-1.0, -0.2, -0.7), (-0.5, -0.8, -0.6), (0.6, -0.7, -0.4)):
        yield from _branches(random, CAVA, np.array(way), 45.0, 5.0)


def _branches(
    random: np.random.Generator, start: np.ndarray, way: np.ndarray, length: float, radius: float
) -> Iterator[Tuple[np.ndarray, np.ndarray, float]]:
    way = way / np.linalg.norm(way)
    stop = start + length * way
    yield start, stop, radius
    if radius * 0.75 < FINEST_VESSEL_MM / 2:
        return
    # Each vessel gives a side branch half-way and forks at its end.
    for origin in (start + 0.5 * length * way, stop, stop):
        turn = way + 0.8 * random.standard_normal(3)
        yield from _branches(random, origin, turn, length * 0.75, radius * 0.75)


def _draw_tube(
    share: np.ndarray,
    axes: List[np.ndarray],
    start: np.ndarray,
    stop: np.ndarray,
    radius: float,
    edge_mm: float,
) -> None:
    """Set the share (z, y, x) of voxels within a round tube."""
    reach = radius + edge_mm
    box = [
        slice(
            *np.searchsorted(
                axes[i], (min(start[i], stop[i]) - reach, max(start[i], stop[i]) + reach)
            ).tolist()
        )
        for i in range(3)
    ]
    x, y, z = (axes[i][box[i]] for i in range(3))
    if not (len(x) and len(y) and len(z)):
        return
    part = share[box[2], box[1], box[0]]
    along = stop - start
    offsets = (x[None, None, :] - start[0], y[None, :, None] - start[1], z[:, None, None] - start[2])
    position = sum(o * a for o, a in zip(offsets, along)) / (along @ along)
    position = np.clip(position, 0, 1)
    distance = np.sqrt(sum((o - position * a) ** 2 for o, a in zip(offsets, along)))
    np.maximum(part, np.clip(0.5 + (radius - distance) / edge_mm, 0, 1), out=part)
