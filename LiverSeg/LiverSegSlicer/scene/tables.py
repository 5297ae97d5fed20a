"""Measurements as table nodes: typed columns, units, decimals that mean something.

They read the summary's plain dict (``LiverSegLib.measure.Measurements.to_dict``) and not the class:
importing it costs half a second of scipy in Slicer's own process.
"""

import math
import operator
from typing import Any, Callable, Mapping, NamedTuple, Optional, Sequence, Tuple

import slicer
import vtk
from slicer.i18n import tr as _

from LiverSegLib.labels import LABELS, LIVER
from LiverSegLib.sentences import Sentence

from ..sentences import borderWords, sentences
from .structures import volumeRows

Row = Mapping[str, Any]


class Column(NamedTuple):
    """One column: name for programs (that of the core's CSV files), title for people, unit, decimals
    (None: text, 0: whole numbers), value of a row (None: what the row has under the name).
    """

    name: str
    title: str
    unit: str
    decimals: Optional[int]
    value: Optional[Callable[[Row], Any]] = None


def fillVolumesTable(tableNode: "slicer.vtkMRMLTableNode", summary: Mapping[str, Any]) -> None:
    """Write liver, liver without tumours, spleen and tumour, as in the core's CSV file, and what else a
    model found.

    The tumour's share of the liver is the tumour burden. What is not known is NaN, as in Slicer's own
    tables; attenuation stands beside the parenchyma, not beside the liver with its tumours. Organs have one
    decimal of ml, the tumours, which may be small, two.
    """
    columns = (
        Column("structure", _("Structure"), "", None, lambda row: row["name"]),
        Column("volume_ml", _("Volume (ml)"), "ml", 2),
        Column("share_of_liver_percent", _("Share of liver (%)"), "%", 2, lambda row: row.get("share")),
        Column("mean_hu", _("Mean (HU)"), "HU", 1),
        Column("sd_hu", _("SD (HU)"), "HU", 1),
        Column("median_hu", _("Median (HU)"), "HU", 1),
        Column("cut_off_at", _("Cut off at"), "", None, lambda row: borderWords(row.get("touches", ()))),
        Column("warnings", _("Warnings"), "", None, lambda row: " ".join(sentences(row.get("warnings", ())))),
    )
    fillTable(tableNode, columns, (*_volumeRows(summary["measurements"]), *volumeRows(summary)))


def fillLesionsTable(tableNode: "slicer.vtkMRMLTableNode", summary: Mapping[str, Any]) -> None:
    """Write one row per lesion, the largest first. The centre is in RAS mm, as in Slicer's views."""
    columns = (
        Column("lesion", _("Lesion"), "", 0, lambda row: row["number"]),
        Column("volume_ml", _("Volume (ml)"), "ml", 2),
        Column("longest_diameter_mm", _("Longest diameter (mm)"), "mm", 1),
        Column("perpendicular_mm", _("Perpendicular (mm)"), "mm", 1),
        Column("mean_hu", _("Mean (HU)"), "HU", 1),
        Column("sd_hu", _("SD (HU)"), "HU", 1),
        Column("surface_distance_mm", _("To surface (mm)"), "mm", 1),
        Column("probability", _("Probability"), "", 2),
        Column("centre_r_mm", _("Center R (mm)"), "mm", 1, lambda row: -row["centre_lps_mm"][0]),
        Column("centre_a_mm", _("Center A (mm)"), "mm", 1, lambda row: -row["centre_lps_mm"][1]),
        Column("centre_s_mm", _("Center S (mm)"), "mm", 1, lambda row: row["centre_lps_mm"][2]),
        Column("warnings", _("Warnings"), "", None, lambda row: " ".join(sentences(row["warnings"]))),
    )
    fillTable(tableNode, columns, summary["measurements"]["lesions"])


def _volumeRows(measurements: Mapping[str, Any]) -> Tuple[Row, ...]:
    organs = {organ["key"]: organ for organ in measurements["organs"]}
    burden = measurements["tumour_burden_percent"]
    liver, spleen, tumour = (organs[key] for key in ("liver", "spleen", "tumour"))
    attenuation = {key: liver[key] for key in ("mean_hu", "sd_hu", "median_hu")}
    hasTumors = isSegmented(tumour)
    whole = {
        "name": LABELS[LIVER].name,
        "volume_ml": _rounded(liver["volume_ml"], 1),
        "share": None if burden is None else 100.0,
        "touches": liver["touches"],
        "warnings": liver["warnings"],
        **({} if hasTumors else attenuation),
    }
    parenchyma = {
        "name": _("Liver without tumors"),
        "volume_ml": _rounded(measurements["parenchyma_ml"], 1),
        "share": None if burden is None else 100.0 - burden,
        **attenuation,
    }
    return (
        whole,
        *((parenchyma,) if hasTumors else ()),
        {**spleen, "volume_ml": _rounded(spleen["volume_ml"], 1), "warnings": _said(spleen)},
        {
            **tumour,
            "share": burden,
            "warnings": [*_said(tumour), *measurements["tumour_burden_warnings"]],
        },
    )


def isSegmented(organ: Row) -> bool:
    """Whether the model of a result draws this organ, or somebody drew it by hand."""
    return bool(organ.get("segmented", True))


def _said(organ: Row) -> Sequence[str]:
    """The warnings of an organ, or that it was not segmented."""
    return organ["warnings"] if isSegmented(organ) else [Sentence("volume.not-segmented")]


def fillTable(tableNode: "slicer.vtkMRMLTableNode", columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Replace all of a table, one row of it for each of ``rows``, in one modification."""
    with slicer.util.NodeModify(tableNode):
        tableNode.RemoveAllColumns()
        tableNode.SetUseColumnTitleAsColumnHeader(True)
        tableNode.SetLocked(True)
        for column in columns:
            value = column.value or operator.methodcaller("get", column.name)
            tableNode.AddColumn(_array(column, [value(row) for row in rows]))
            tableNode.SetColumnTitle(column.name, column.title)
            if column.unit:
                tableNode.SetColumnUnitLabel(column.name, column.unit)


def _array(column: Column, values: Sequence[Any]) -> "vtk.vtkAbstractArray":
    if column.decimals is None:
        array, cells = vtk.vtkStringArray(), [str(value) for value in values]
    elif column.decimals == 0:
        array, cells = vtk.vtkIntArray(), [int(value) for value in values]
    else:
        array, cells = vtk.vtkDoubleArray(), [_rounded(value, column.decimals) for value in values]
    array.SetName(column.name)
    for cell in cells:
        array.InsertNextValue(cell)
    return array


def _rounded(value: Optional[float], decimals: int) -> float:
    """Round for the eye (the summary keeps every digit); adding 0.0 turns -0.0 into 0.0."""
    return math.nan if value is None else round(float(value), decimals) + 0.0
