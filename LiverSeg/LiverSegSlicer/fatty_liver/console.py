"""Fatty liver for scripts and the Python console: the same as in the panel, in one call."""

from dataclasses import replace
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from slicer.i18n import tr as _

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.steatosis.roi import PlacementSettings

from ..scene import parts
from ..work.turns import doAtOnce
from . import assess as fatty_liver
from .meters import Meters
from .reading import keepReading, loginName, readingOf
from .rois import roiNodes

CutOffsLike = Union[Mapping[str, float], Tuple[float, float, float], Any]


def assessSteatosis(
    meters: Meters,
    volumeNode: Any,
    segmentationNode: Any,
    *,
    count: Optional[int] = None,
    sideMm: Optional[float] = None,
    marginMm: Optional[float] = None,
    lesionMarginMm: Optional[float] = None,
    seed: Optional[int] = None,
    cutOffs: Optional[CutOffsLike] = None,
    kvp: Optional[float] = None,
    gradeAnyway: Optional[bool] = None,
) -> Any:
    """Assess fatty liver; see ``Logic.assessSteatosis``."""
    if volumeNode is None or segmentationNode is None:
        raise InputError(_("A scan and its segmentation are needed to judge liver fat."))
    given = {
        "count": count,
        "side_mm": sideMm,
        "margin_mm": marginMm,
        "lesion_margin_mm": lesionMarginMm,
        "seed": seed,
    }
    wanted = {key: value for key, value in given.items() if value is not None}
    earlier = readingOf(segmentationNode)
    settings = PlacementSettings(**{**(earlier.settings if earlier else {}), **wanted})
    borders = None if cutOffs is None else _cutOffs(cutOffs)
    meter = doAtOnce(meters.make(volumeNode, segmentationNode))
    if parts.volumeOf(segmentationNode) is None:
        segmentationNode.SetNodeReferenceID(parts.VOLUME, volumeNode.GetID())
    reading = earlier or fatty_liver.newReading(volumeNode, segmentationNode, meter)
    choices = {"cutOffs": borders, "kvp": kvp, "gradeAnyway": gradeAnyway}
    reading = replace(reading, **{key: value for key, value in choices.items() if value is not None})
    if wanted or not roiNodes(segmentationNode):
        doAtOnce(fatty_liver.placeRois(volumeNode, segmentationNode, meter, reading, settings))
    else:
        keepReading(segmentationNode, reading)
    return fatty_liver.assess(volumeNode, segmentationNode, meter)[0]


def acceptSteatosis(segmentationNode: Any, by: str = "") -> Dict[str, Any]:
    """Accept the reading of a result; see ``Logic.acceptSteatosis``."""
    reading = readingOf(segmentationNode)
    if reading is None or reading.assessment is None:
        raise UsageError(_("There is no reading of fatty liver to accept: assess it first."))
    name = by.strip() or loginName()
    if not name:
        raise UsageError(_("Say who accepts the reading."))
    return dict(fatty_liver.acceptReading(segmentationNode, name).accepted or {})


def _cutOffs(given: CutOffsLike) -> Dict[str, float]:
    """Return cut-offs by the core's names, from a ``CutOffs``, a dict or (normal, moderate, severe)."""
    from LiverSegLib.steatosis.assessment import CutOffs

    if isinstance(given, CutOffs):
        return given.to_dict()
    return (CutOffs(**given) if isinstance(given, Mapping) else CutOffs(*given)).to_dict()
