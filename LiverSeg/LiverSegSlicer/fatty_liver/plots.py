"""The numbers of a fatty-liver reading as plain nodes: a table of the ROIs, and plots of their means and of
the ratio of every pair with the cut-offs. The plots follow the ROIs for as long as they exist.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.labels import LABELS
from LiverSegLib.steatosis.roi import LIVER_KEY, SPLEEN_KEY

from ..scene import parts
from ..scene.folders import fileInSubfolder
from ..scene.tables import Column, fillTable
from ..sentences import sentences

KEY = "LiverSeg.Plot"
"""Attribute of each node here: what it is for."""
FOLDER = "LiverSeg.PlotFolder"
LAYOUT_BEFORE = "LiverSeg.LayoutBefore"
"""Attribute of the charts: the number of the layout that was there before one of them was shown."""

MEANS, RATIOS = "means", "ratios"
"""The two charts."""
MARKER_POINTS = 9.0
LINE_POINTS = 2.0
_LIVER_COLOUR = (0.80, 0.40, 0.0)
_SPLEEN_COLOUR = (0.0, 0.45, 0.70)
_RATIO_COLOUR = (0.2, 0.2, 0.2)
_CUT_OFF_COLOURS = ((68, 119, 170), (204, 187, 68), (136, 34, 85))
"""Dark enough for the plots' white ground; the cut-offs have the colour of the grade beyond them."""


class Series(NamedTuple):
    """One series of a chart: its key, the chart, its name, whether it is a line, its colour."""

    key: str
    chart: str
    name: str
    isLine: bool
    colour: Tuple[float, float, float]


def writeNumbers(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", assessment: Any, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write the table of the ROIs, made where it is missing, and renew the plots if there are any.

    Args:
        assessment: the core's ``Assessment``.
        rows: of ``assess``, one for each ROI.
    """
    tableNode = parts.makePart(
        segmentationNode,
        parts.ROIS_TABLE,
        "vtkMRMLTableNode",
        _("{volume} fatty liver ROI values"),
        lambda _node: parts.fileParts(segmentationNode),
    )
    _fillRoisTable(tableNode, rows)
    _refreshPlots(segmentationNode, assessment)


def showPlot(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", assessment: Any, chart: str
) -> "slicer.vtkMRMLPlotChartNode":
    """Make the plots of a result, if need be, and show one of them beside the slices.

    Args:
        assessment: the core's ``Assessment``.
        chart: ``MEANS`` or ``RATIOS``.

    Returns:
        The chart's node.
    """
    nodes = _nodes(segmentationNode)
    if len(nodes) < _complete():
        for node in nodes.values():
            slicer.mrmlScene.RemoveNode(node)
        _make(segmentationNode)
    _refreshPlots(segmentationNode, assessment)
    chartNode = _nodes(segmentationNode)[chart]
    if slicer.app.layoutManager() is not None:
        _rememberLayout(_nodes(segmentationNode))
        slicer.modules.plots.logic().ShowChartInLayout(chartNode)
    return chartNode


def _rememberLayout(nodes: Dict[str, "slicer.vtkMRMLNode"]) -> None:
    """Note the layout on the charts, unless it shows a plot already."""
    layout = slicer.app.layoutManager().layout
    if layout != slicer.modules.plots.logic().GetLayoutWithPlot(layout):
        for chart in (MEANS, RATIOS):
            nodes[chart].SetAttribute(LAYOUT_BEFORE, str(layout))


def _layoutBefore(chartNode: "slicer.vtkMRMLPlotChartNode", layout: int) -> int:
    """Return the layout that was there before a chart was shown, the present one if that is not known."""
    text = chartNode.GetAttribute(LAYOUT_BEFORE) or ""
    layoutNode = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    isKnown = text.isdigit() and layoutNode.IsLayoutDescription(int(text))
    return int(text) if isKnown else layout


def hidePlot(segmentationNode: "slicer.vtkMRMLSegmentationNode", chart: str) -> bool:
    """Bring the layout back that was there before if a plot of a result is shown; returns whether it was."""
    layoutManager, chartNode = slicer.app.layoutManager(), _nodes(segmentationNode).get(chart)
    logic = slicer.modules.plots.logic()
    if layoutManager is None or chartNode is None:
        return False
    if layoutManager.layout != logic.GetLayoutWithPlot(layoutManager.layout):
        return False
    viewNodes = slicer.util.getNodesByClass("vtkMRMLPlotViewNode")
    if not any(viewNode.GetPlotChartNodeID() == chartNode.GetID() for viewNode in viewNodes):
        return False
    layoutManager.setLayout(_layoutBefore(chartNode, layoutManager.layout))
    return True


def _fillRoisTable(tableNode: "slicer.vtkMRMLTableNode", rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one row per ROI; centre in RAS mm, as in Slicer's views. What was not measured is NaN."""
    names = {info.key: info.name for info in LABELS.values()}
    columns = (
        Column("roi", _("ROI"), "", None, lambda row: row["name"]),
        Column("organ", _("Organ"), "", None, lambda row: names[row["organ"]]),
        Column("accepted", _("Accepted"), "", 0),
        Column("automatic", _("Automatic"), "", 0),
        Column("mean_hu", _("Mean (HU)"), "HU", 1),
        Column("sd_hu", _("SD (HU)"), "HU", 1),
        Column("centre_r_mm", _("Center R (mm)"), "mm", 1, lambda row: _centre(row, 0, -1)),
        Column("centre_a_mm", _("Center A (mm)"), "mm", 1, lambda row: _centre(row, 1, -1)),
        Column("centre_s_mm", _("Center S (mm)"), "mm", 1, lambda row: _centre(row, 2, 1)),
        Column("remarks", _("Warnings"), "", None, lambda row: " ".join(sentences(row["flags"]))),
    )
    fillTable(tableNode, columns, rows)


def _centre(row: Mapping[str, Any], axis: int, sign: int) -> Any:
    return sign * row["centre_lps_mm"][axis] if "centre_lps_mm" in row else None


def _refreshPlots(segmentationNode: "slicer.vtkMRMLSegmentationNode", assessment: Any) -> None:
    """Write the numbers of an assessment into the plots of a result, if it has any."""
    nodes = _nodes(segmentationNode)
    if len(nodes) < _complete():
        return
    ratios = np.sort(assessment.pair_ratios().ravel())
    ratios = ratios[np.isfinite(ratios)]
    values: Dict[str, Sequence[float]] = {
        organ: [found.mean_hu for _roi, found in assessment.rois_of(organ) if found.mean_hu is not None]
        for organ in (LIVER_KEY, SPLEEN_KEY)
    }
    values["pairs"] = ratios.tolist()
    for key, border in assessment.cut_offs.to_dict().items():
        values[key] = [border, border]
    for series in _series():
        points = values[series.key]
        last = max(2, len(ratios))
        at = [1, last] if series.isLine else range(1, len(points) + 1)
        _fillPoints(nodes[f"{series.key} table"], [{"number": n, "value": v} for n, v in zip(at, points)])


def _series() -> List[Series]:
    return [
        Series(LIVER_KEY, MEANS, _("Liver"), False, _LIVER_COLOUR),
        Series(SPLEEN_KEY, MEANS, _("Spleen"), False, _SPLEEN_COLOUR),
        Series("pairs", RATIOS, _("Liver / spleen"), False, _RATIO_COLOUR),
        Series("normal_above", RATIOS, _("Normal above"), True, _border(0)),
        Series("moderate_below", RATIOS, _("Moderate below"), True, _border(1)),
        Series("severe_below", RATIOS, _("Severe below"), True, _border(2)),
    ]


def _border(number: int) -> Tuple[float, float, float]:
    red, green, blue = _CUT_OFF_COLOURS[number]
    return red / 255, green / 255, blue / 255


def _complete() -> int:
    """How many nodes there are: two charts, and a table and a series node for each series."""
    return 2 + 2 * len(_series())


def _nodes(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Dict[str, "slicer.vtkMRMLNode"]:
    nodes = parts.partsIn(segmentationNode, parts.PLOTS)
    return {node.GetAttribute(KEY): node for node in nodes if node.GetAttribute(KEY)}


def _make(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    scan = parts.scanName(segmentationNode)
    titles = {
        MEANS: (_("{volume} ROI means"), _("ROI"), _("Mean (HU)")),
        RATIOS: (_("{volume} ratios of ROI pairs"), _("Pair, by ratio"), _("Liver / spleen")),
    }
    nodes = []
    for chart, (title, acrossTitle, upTitle) in titles.items():
        chartNode = _add(segmentationNode, "vtkMRMLPlotChartNode", chart, title.format(volume=scan))
        chartNode.SetTitle(title.format(volume=scan))
        chartNode.SetXAxisTitle(acrossTitle)
        chartNode.SetYAxisTitle(upTitle)
        nodes.append(chartNode)
        for series in _series():
            if series.chart == chart:
                nodes += _makeSeries(segmentationNode, chartNode, series, scan)
    fileInSubfolder(segmentationNode, nodes, _("{volume} fatty liver plots").format(volume=scan), FOLDER)


def _makeSeries(
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    chartNode: "slicer.vtkMRMLPlotChartNode",
    series: Series,
    scan: str,
) -> List["slicer.vtkMRMLNode"]:
    name = f"{scan} {series.name}"
    tableNode = _add(segmentationNode, "vtkMRMLTableNode", f"{series.key} table", name)
    _fillPoints(tableNode, [])
    seriesNode = _add(segmentationNode, "vtkMRMLPlotSeriesNode", series.key, name)
    seriesNode.SetName(series.name)  # the legend shows it
    seriesNode.SetAndObserveTableNodeID(tableNode.GetID())
    seriesNode.SetXColumnName("number")
    seriesNode.SetYColumnName("value")
    seriesNode.SetPlotType(seriesNode.PlotTypeScatter)
    isLine = series.isLine
    seriesNode.SetLineStyle(seriesNode.LineStyleSolid if isLine else seriesNode.LineStyleNone)
    seriesNode.SetMarkerStyle(seriesNode.MarkerStyleNone if isLine else seriesNode.MarkerStyleCircle)
    seriesNode.SetMarkerSize(MARKER_POINTS)
    seriesNode.SetLineWidth(LINE_POINTS)
    seriesNode.SetColor(*series.colour)
    chartNode.AddAndObservePlotSeriesNodeID(seriesNode.GetID())
    return [tableNode, seriesNode]


def _add(segmentationNode: "slicer.vtkMRMLSegmentationNode", className: str, key: str, name: str) -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass(className, slicer.mrmlScene.GenerateUniqueName(name))
    node.SetAttribute(KEY, key)
    parts.addPart(segmentationNode, parts.PLOTS, node)
    return node


def _fillPoints(tableNode: "slicer.vtkMRMLTableNode", points: List[Dict[str, float]]) -> None:
    columns = (
        Column("number", _("Number"), "", 3),
        Column("value", _("Value"), "", 3),
    )
    fillTable(tableNode, columns, points)
