"""Measurements as tables of text, rounded to what can be known, for screens and CSV files."""

import csv
import os
from typing import NamedTuple, Optional, Sequence, Tuple, Union

from ..errors import OutputError
from ..sentences import Sentence
from .measurements import Lesion, Measurements, Organ
from .structures import StructureVolume
from .warnings import NOT_SEGMENTED

Table = Tuple[Tuple[str, ...], Tuple[Tuple[str, ...], ...]]
"""Header and rows, all text; an unknown number is an empty text."""


class _Column(NamedTuple):
    """A column: its name in CSV files, its title on screens."""

    key: str
    title: str


_MEASUREMENT_COLUMNS = (
    _Column("structure", "Structure"),
    _Column("volume_ml", "Volume (ml)"),
    _Column("share_of_liver_percent", "Share of liver (%)"),
    _Column("mean_hu", "Mean (HU)"),
    _Column("sd_hu", "SD (HU)"),
    _Column("median_hu", "Median (HU)"),
    _Column("cut_off_at", "Cut off at"),
    _Column("warnings", "Warnings"),
)
_LESION_COLUMNS = (
    _Column("lesion", "Lesion"),
    _Column("volume_ml", "Volume (ml)"),
    _Column("longest_diameter_mm", "Longest diameter (mm)"),
    _Column("perpendicular_mm", "Perpendicular (mm)"),
    _Column("slice", "Slice"),
    _Column("mean_hu", "Mean (HU)"),
    _Column("sd_hu", "SD (HU)"),
    _Column("surface_distance_mm", "To surface (mm)"),
    _Column("probability", "Probability"),
    _Column("centre_x_lps_mm", "Center L (mm)"),
    _Column("centre_y_lps_mm", "Center P (mm)"),
    _Column("centre_z_lps_mm", "Center S (mm)"),
    _Column("warnings", "Warnings"),
)
_STRUCTURE_COLUMNS = (
    _Column("value", "Value"),
    _Column("key", "Key"),
    _Column("structure", "Structure"),
    _Column("volume_ml", "Volume (ml)"),
    _Column("share_of_liver_percent", "Share of liver (%)"),
    _Column("cut_off", "Cut off"),
)


def measurement_rows(measurements: Measurements) -> Table:
    """Return titles and rows for liver, its parenchyma, spleen and tumour.

    The share of the liver in the tumour's row is the tumour burden. The attenuation in the liver's row is
    left empty: it is the parenchyma's. Of a model that draws no tumours there is no parenchyma, and the
    attenuation is the liver's.
    """
    liver, spleen, tumour = (measurements.organ(key) for key in ("liver", "spleen", "tumour"))
    burden = measurements.tumour_burden_percent
    rest = None if burden is None else 100.0 - burden
    parenchyma = (
        ("Liver without tumors", _number(measurements.parenchyma_ml, 1), _number(rest, 2))
        + _attenuation(liver)
        + ("", "")
    )
    without_tumours = (parenchyma,) if tumour.segmented else ()
    of_liver = ("", "", "") if tumour.segmented else _attenuation(liver)
    rows = (
        ("Liver", _number(liver.volume_ml, 1), "" if burden is None else "100", *of_liver, *_doubts(liver)),
        *without_tumours,
        ("Spleen", _volume(spleen, 1), "", *_attenuation(spleen), *_doubts(spleen)),
        (
            tumour.name,
            _volume(tumour, 2),
            _number(burden, 2),
            *_attenuation(tumour),
            *_doubts(tumour, measurements.burden_warnings),
        ),
    )
    return tuple(column.title for column in _MEASUREMENT_COLUMNS), rows


def lesion_rows(measurements: Measurements) -> Table:
    """Return titles and one row per lesion. Slices are counted from 1, as in the report."""
    rows = tuple(_lesion_row(lesion) for lesion in measurements.lesions)
    return tuple(column.title for column in _LESION_COLUMNS), rows


def write_measurements_csv(path: Union[str, "os.PathLike[str]"], measurements: Measurements) -> None:
    """Write the organs' table as CSV (UTF-8, commas, units in the column names).

    Raises:
        OutputError: the file cannot be written.
    """
    _write(path, _MEASUREMENT_COLUMNS, measurement_rows(measurements)[1])


def write_lesions_csv(path: Union[str, "os.PathLike[str]"], measurements: Measurements) -> None:
    """Write the lesions' table as CSV; without lesions it holds the header alone.

    Raises:
        OutputError: the file cannot be written.
    """
    _write(path, _LESION_COLUMNS, lesion_rows(measurements)[1])


def structure_rows(volumes: Sequence[StructureVolume]) -> Table:
    """Return titles and one row per structure beyond liver, spleen and tumours, found or not."""
    rows = tuple(
        (
            str(volume.structure.value),
            volume.structure.key,
            volume.structure.name,
            _number(volume.volume_ml, 2),
            _number(volume.liver_percent, 2),
            "yes" if volume.truncated else "",
        )
        for volume in volumes
    )
    return tuple(column.title for column in _STRUCTURE_COLUMNS), rows


def write_structures_csv(path: Union[str, "os.PathLike[str]"], volumes: Sequence[StructureVolume]) -> None:
    """Write the table of further structures as CSV.

    Raises:
        OutputError: the file cannot be written.
    """
    _write(path, _STRUCTURE_COLUMNS, structure_rows(volumes)[1])


def _lesion_row(lesion: Lesion) -> Tuple[str, ...]:
    return (
        str(lesion.number),
        _number(lesion.volume_ml, 2),
        _number(lesion.longest_diameter_mm, 1),
        _number(lesion.perpendicular_mm, 1),
        str(lesion.slice_index + 1),
        _number(lesion.mean_hu, 0),
        _number(lesion.sd_hu, 0),
        _number(lesion.surface_distance_mm, 1),
        _number(lesion.probability, 2),
        *(_number(value, 1) for value in lesion.centre),
        " ".join(lesion.warnings),
    )


def _attenuation(organ: Organ) -> Tuple[str, ...]:
    return _number(organ.mean_hu, 1), _number(organ.sd_hu, 1), _number(organ.median_hu, 1)


def _volume(organ: Organ, digits: int) -> str:
    return _number(organ.volume_ml, digits) if organ.segmented else ""


def _doubts(organ: Organ, more: Sequence[str] = ()) -> Tuple[str, ...]:
    if not organ.segmented:
        return "", str(NOT_SEGMENTED)
    return ", ".join(organ.touches), " ".join(dict.fromkeys((*organ.warnings, *more)))


def _number(value: Optional[float], digits: int) -> str:
    if value is None:
        return ""
    text = f"{value:.{digits}f}"
    return text[1:] if text.startswith("-") and not text.strip("-0.") else text


def _write(
    path: Union[str, "os.PathLike[str]"], columns: Sequence[_Column], rows: Sequence[Sequence[str]]
) -> None:
    try:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([column.key for column in columns])
            writer.writerows(rows)
    except OSError as error:
        reason = str(error.strerror or error)
        raise OutputError(Sentence("write.table", path=os.fspath(path), reason=reason)) from error
