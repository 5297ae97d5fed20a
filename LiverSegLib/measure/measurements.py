"""What is measured on a segmented scan, as data: organs, lesions, tumour burden; to and from dicts."""

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple

from ..errors import InputError
from ..images.modality import CT, MR
from ..sentences import Sentence, restored

Vector = Tuple[float, float, float]
"""A point in LPS mm."""
Line = Tuple[Vector, Vector]
"""The two ends of a line in LPS mm."""


def vector(values: Iterable[float]) -> Vector:
    """Return three numbers as a vector.

    Raises:
        ValueError: there are not three.
    """
    x, y, z = (float(value) for value in values)
    return x, y, z


FORMAT = "liverseg-measurements-1"
"""Name and version of the dict that :meth:`Measurements.to_dict` makes."""


@dataclass(frozen=True)
class Organ:
    """Measurements of one structure. Attenuations are None if it has no voxel, or the scan is an MR.

    Attributes:
        key, name: "liver" (parenchyma and tumours; attenuation of the parenchyma alone), "spleen" or
            "tumour".
        volume_ml: voxels times voxel volume.
        mean_hu, sd_hu, median_hu: attenuation; SD is that of the voxels themselves (divided by n, not n - 1).
        voxels: voxels in the volume.
        truncated: the structure reaches the border of what was scanned.
        touches: the borders it reaches: "superior", "inferior", "right", "left", "anterior", "posterior"
            border of the scan, or "field of view" where it meets the padding outside the reconstructed
            circle.
        reliable: the structure was found and nothing says that its volume is wrong.
        warnings: sentences on what makes these numbers doubtful.
        segmented: whether the model draws it at all; if not, and nobody drew it by hand, its 0 ml are no
            measurement, and JSON has null in their place.
    """

    key: str
    name: str
    volume_ml: float
    mean_hu: Optional[float] = None
    sd_hu: Optional[float] = None
    median_hu: Optional[float] = None
    voxels: int = 0
    truncated: bool = False
    touches: Tuple[str, ...] = ()
    reliable: bool = True
    warnings: Tuple[str, ...] = ()
    segmented: bool = True


@dataclass(frozen=True)
class Lesion:
    """One liver lesion: a 26-connected component of the tumour label.

    Attributes:
        number: from 1, by descending volume.
        volume_ml: voxels times voxel volume.
        longest_diameter_mm, perpendicular_mm: longest axial diameter (RECIST 1.1) and the longest line at
            right angles to it in the same slice.
        longest_ends, perpendicular_ends: LPS mm.
        slice_index: index of the slice of the diameters along the grid's axial axis (Measurements.axial_axis;
            z in axial scans).
        centre: centre of mass, LPS mm.
        mean_hu, sd_hu: attenuation; SD divided by n. None if the scan is an MR.
        surface_distance_mm: shortest way between the lesion and the outer surface of the liver; 0 if it
            reaches it; None if the scan shows no surface.
        probability: mean probability that the network gave its voxels, 0..1, if known.
        voxels: voxels of the lesion.
        truncated: it reaches the border of what was scanned.
        warnings: sentences on what makes these numbers doubtful.
    """

    number: int
    volume_ml: float
    longest_diameter_mm: float
    perpendicular_mm: float
    longest_ends: Line
    perpendicular_ends: Line
    slice_index: int
    centre: Vector
    mean_hu: Optional[float]
    sd_hu: Optional[float]
    surface_distance_mm: Optional[float] = None
    probability: Optional[float] = None
    voxels: int = 0
    truncated: bool = False
    warnings: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Measurements:
    """All measurements of a scan.

    Attributes:
        organs: liver, spleen, tumour, in this order; an absent one has 0 ml.
        lesions: by descending volume.
        rejected: lesions that a reader rejected, as they were measured when they still counted; they are in
            no other number.
        tumour_burden_percent: 100 * tumour / (liver with tumours), by volume; None without a liver, and if
            tumours were not segmented.
        parenchyma_ml: the liver without its tumours; None if those were not segmented.
        liver_spleen_ratio: mean HU of the parenchyma / mean HU of the spleen; None if either is absent or the
            spleen's mean is not positive.
        liver_minus_spleen_hu: difference of the same means.
        phase: contrast phase as it was given: "unenhanced", "arterial", "portal", "late", "unknown", or None.
        warnings: all sentences on the scan, the organs, burden and ratio, each once; the lesions keep their
            own.
        burden_warnings, liver_spleen_warnings: the sentences to show beside these numbers.
        axial_axis: the grid axis (0 x, 1 y, 2 z) across the axial slices, which Lesion.slice_index counts
            along.
        voxel_ml: volume of a voxel.
        modality: "CT" or "MR".
    """

    organs: Tuple[Organ, ...]
    lesions: Tuple[Lesion, ...] = ()
    tumour_burden_percent: Optional[float] = None
    parenchyma_ml: Optional[float] = 0.0
    liver_spleen_ratio: Optional[float] = None
    liver_minus_spleen_hu: Optional[float] = None
    phase: Optional[str] = None
    warnings: Tuple[str, ...] = ()
    burden_warnings: Tuple[str, ...] = ()
    liver_spleen_warnings: Tuple[str, ...] = ()
    axial_axis: int = 2
    voxel_ml: Optional[float] = None
    rejected: Tuple[Lesion, ...] = ()
    modality: str = CT

    @property
    def note(self) -> Optional[str]:
        """The sentence that says why there is no attenuation; None where there is."""
        return None if self.modality == CT else Sentence("volume.no-hu", modality=self.modality)

    def organ(self, key: str) -> Organ:
        """Return the organ with this key.

        Raises:
            KeyError: no such organ.
        """
        for organ in self.organs:
            if organ.key == key:
                return organ
        raise KeyError(f"No organ {key!r}. Available: {[organ.key for organ in self.organs]}")

    def to_dict(self) -> Dict[str, Any]:
        """Return plain dicts, lists, numbers and strings, unrounded, with units in the keys.

        Of MR there are two more: "modality", and "note", the sentence why attenuations are null.
        """
        more = {} if self.note is None else {"modality": self.modality, "note": self.note}
        return {
            "format": FORMAT,
            **more,
            "phase": self.phase,
            "organs": [_organ_to_dict(organ) for organ in self.organs],
            "parenchyma_ml": self.parenchyma_ml,
            "tumour_burden_percent": self.tumour_burden_percent,
            "tumour_burden_warnings": list(self.burden_warnings),
            "liver_spleen_ratio": self.liver_spleen_ratio,
            "liver_minus_spleen_hu": self.liver_minus_spleen_hu,
            "liver_spleen_warnings": list(self.liver_spleen_warnings),
            "lesions": [_lesion_to_dict(lesion) for lesion in self.lesions],
            "rejected_lesions": [_lesion_to_dict(lesion) for lesion in self.rejected],
            "axial_axis": self.axial_axis,
            "voxel_ml": self.voxel_ml,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Measurements":
        """Return the measurements that :meth:`to_dict` wrote.

        Raises:
            InputError: the dict was written by something else.
        """
        if data.get("format") != FORMAT:
            formats = {"expected": FORMAT, "found": data.get("format")}
            raise InputError(Sentence("result.measurements-format", **formats))
        try:
            data = restored(data)
            return cls(
                organs=tuple(_organ_from_dict(item) for item in data["organs"]),
                lesions=tuple(_lesion_from_dict(item) for item in data["lesions"]),
                tumour_burden_percent=data["tumour_burden_percent"],
                parenchyma_ml=data["parenchyma_ml"],
                liver_spleen_ratio=data["liver_spleen_ratio"],
                liver_minus_spleen_hu=data["liver_minus_spleen_hu"],
                phase=data["phase"],
                warnings=tuple(data["warnings"]),
                burden_warnings=tuple(data["tumour_burden_warnings"]),
                liver_spleen_warnings=tuple(data["liver_spleen_warnings"]),
                axial_axis=data["axial_axis"],
                voxel_ml=data["voxel_ml"],
                modality=MR if data.get("modality") == MR else CT,
                rejected=tuple(_lesion_from_dict(item) for item in data.get("rejected_lesions", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(Sentence("result.measurements-incomplete"), details=repr(error)) from error


def _organ_to_dict(organ: Organ) -> Dict[str, Any]:
    data = {**vars(organ), "touches": list(organ.touches), "warnings": list(organ.warnings)}
    if data.pop("segmented"):
        return data
    return {**data, "volume_ml": None, "segmented": False}


def _organ_from_dict(data: Mapping[str, Any]) -> Organ:
    plain = {**data, "volume_ml": data["volume_ml"] or 0.0}
    return Organ(**{**plain, "touches": tuple(data["touches"]), "warnings": tuple(data["warnings"])})


def _lesion_to_dict(lesion: Lesion) -> Dict[str, Any]:
    return {
        "number": lesion.number,
        "volume_ml": lesion.volume_ml,
        "longest_diameter_mm": lesion.longest_diameter_mm,
        "perpendicular_mm": lesion.perpendicular_mm,
        "longest_ends_lps_mm": [list(end) for end in lesion.longest_ends],
        "perpendicular_ends_lps_mm": [list(end) for end in lesion.perpendicular_ends],
        "slice_index": lesion.slice_index,
        "centre_lps_mm": list(lesion.centre),
        "mean_hu": lesion.mean_hu,
        "sd_hu": lesion.sd_hu,
        "surface_distance_mm": lesion.surface_distance_mm,
        "probability": lesion.probability,
        "voxels": lesion.voxels,
        "truncated": lesion.truncated,
        "warnings": list(lesion.warnings),
    }


def _lesion_from_dict(data: Mapping[str, Any]) -> Lesion:
    plain = dict(data)
    return Lesion(
        centre=vector(plain.pop("centre_lps_mm")),
        longest_ends=_line(plain.pop("longest_ends_lps_mm")),
        perpendicular_ends=_line(plain.pop("perpendicular_ends_lps_mm")),
        warnings=tuple(plain.pop("warnings")),
        **plain,
    )


def _line(ends: Iterable[Iterable[float]]) -> Line:
    start, stop = ends
    return vector(start), vector(stop)
