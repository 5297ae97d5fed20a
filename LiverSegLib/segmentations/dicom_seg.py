"""A DICOM Segmentation: which segments it has, and the voxels of some of them.

Binary, fractional (half of the largest value and more is taken) and label-map segmentations, bit-packed or
compressed; segments may overlap, frames without a voxel be left out, several planes be in any order.
"""

import os
import warnings
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ..errors import InputError, UnreadableImageError, is_out_of_memory
from ..images.dicom import PARSE_ERRORS
from ..images.grid import Grid
from ..sentences import Sentence
from .belonging import Reference, uids
from .naming import Segment, coded
from .placing import Plane, lattice, resampled, stack_grid

CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""

Check = Callable[[], None]


@dataclass(frozen=True)
class Frame:
    """A frame: its place in the file, its segment (None in a label map, where pixels say it), its plane."""

    index: int
    segment: Optional[int]
    plane: Plane


@dataclass(frozen=True)
class SegFile:
    """A segmentation whose header was read."""

    name: str
    data: Any
    segments: Tuple[Segment, ...]
    frames: Tuple[Frame, ...]
    reference: Reference

    @property
    def is_fractional(self) -> bool:
        """Whether voxels have shares or probabilities instead of being in or out."""
        return str(getattr(self.data, "SegmentationType", "")) == "FRACTIONAL"


def read_seg(path: str) -> SegFile:
    """Read a segmentation's header and keep its pixels as they are stored.

    Raises:
        UnreadableImageError: it is damaged or incomplete. InputError: frames do not say where they lie.
    """
    import pydicom

    name = os.path.basename(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = pydicom.dcmread(path, force=True)
            segments = tuple(_segment(item) for item in getattr(data, "SegmentSequence", None) or [])
            frames = tuple(_frames(data, name))
            _check_length(data, name)
    except PARSE_ERRORS as error:
        if is_out_of_memory(error):
            raise
        raise UnreadableImageError(Sentence("segmentation.damaged", name=name), repr(error)) from error
    return SegFile(name, data, segments, frames, _reference(data))


def onto(
    seg: SegFile, labels: Dict[int, int], grid: Grid, check: Check
) -> Tuple[Dict[int, np.ndarray], int, int, bool]:
    """Return the voxels of some segments on a scan's grid.

    Args:
        labels: segment number -> label.
        check: called for each frame; may raise to cancel.

    Returns:
        Label -> bool (z, y, x); how many pixels were set in the file, how many of them lie outside the scan;
        whether anything lay between voxels and was resampled.
    """
    planes = {frame.index: lattice(frame.plane, grid) for frame in seg.frames}
    if any(place is None for place in planes.values()):
        return _resampled_onto(seg, labels, grid, check)
    masks = {label: np.zeros(grid.shape, bool) for label in set(labels.values())}
    total = outside = 0
    for frame, label, pixels in _pixels(seg, labels, check):
        place = planes[frame.index]
        assert place is not None
        found, beyond = place.put(pixels, masks[label])
        total, outside = total + found, outside + beyond
    return masks, total, outside, False


def alone(seg: SegFile, labels: Dict[int, int], check: Check) -> Tuple[Grid, Dict[int, np.ndarray]]:
    """Return some segments on the grid of the segmentation's own planes: label -> bool (z, y, x).

    Raises:
        InputError: its planes are no regular stack.
    """
    grid, slices = stack_grid([frame.plane for frame in seg.frames], seg.name)
    slice_of = {frame.index: slices[place] for place, frame in enumerate(seg.frames)}
    masks = {label: np.zeros(grid.shape, bool) for label in set(labels.values())}
    for frame, label, pixels in _pixels(seg, labels, check):
        masks[label][slice_of[frame.index]] |= pixels
    return grid, masks


def _resampled_onto(
    seg: SegFile, labels: Dict[int, int], grid: Grid, check: Check
) -> Tuple[Dict[int, np.ndarray], int, int, bool]:
    own, masks = alone(seg, labels, check)
    total = sum(int(np.count_nonzero(mask)) for mask in masks.values())
    found: Dict[int, np.ndarray] = {}
    ml = 0.0
    for label, mask in masks.items():
        check()
        found[label] = resampled(mask, own, grid)
        ml += float(np.count_nonzero(found[label])) * grid.voxel_ml
    beyond = max(0, total - int(round(ml / own.voxel_ml)))
    return found, total, beyond if beyond > 0.05 * total else 0, True


def _pixels(seg: SegFile, labels: Dict[int, int], check: Check) -> Iterator[Tuple[Frame, int, np.ndarray]]:
    """Each frame of a wanted segment: the frame, the label, bool (rows, columns)."""
    decoder = _Decoder(seg)
    for frame in seg.frames:
        check()
        if frame.segment is None:
            values = decoder.frame(frame.index)
            for number, label in labels.items():
                yield frame, label, values == number
        elif frame.segment in labels:
            yield frame, labels[frame.segment], decoder.frame(frame.index) >= decoder.least


class _Decoder:
    """Frames of a segmentation, one by one: bit-packed ones are never unpacked together.

    Raises:
        UnreadableImageError: the pixels are compressed in a way that nothing here decodes, or damaged.
    """

    def __init__(self, seg: SegFile) -> None:
        data = seg.data
        self._shape = int(data.Rows), int(data.Columns)
        self._count = self._shape[0] * self._shape[1]
        self._bits = int(data.BitsAllocated)
        most = int(getattr(data, "MaximumFractionalValue", 255) or 255) if seg.is_fractional else 1
        self.least = max(1, (most + 1) // 2)
        self._whole: Optional[np.ndarray] = None
        syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
        self._bytes = np.frombuffer(data.PixelData, np.uint8)
        if syntax is not None and syntax.is_compressed and not syntax.is_deflated:
            try:
                self._whole = np.reshape(data.pixel_array, (-1, *self._shape))
            except Exception as error:  # noqa: BLE001 (each decoder that may be installed has errors of its own)
                if is_out_of_memory(error):
                    raise
                text = Sentence("segmentation.compression", name=seg.name)
                raise UnreadableImageError(text, repr(error)) from error

    def frame(self, index: int) -> np.ndarray:
        """Return a frame as it is stored, (rows, columns)."""
        if self._whole is not None:
            return np.asarray(self._whole[index])
        if self._bits > 1:
            kind = np.dtype("<u2" if self._bits == 16 else np.uint8)
            size = self._count * kind.itemsize
            return self._bytes[index * size : (index + 1) * size].view(kind).reshape(self._shape)
        first, last = index * self._count, (index + 1) * self._count
        bits = np.unpackbits(self._bytes[first // 8 : -(-last // 8)], bitorder="little")
        return bits[first % 8 : first % 8 + self._count].reshape(self._shape)


def _check_length(data: Any, name: str) -> None:
    """Raise UnreadableImageError if uncompressed pixels end too early."""
    if "PixelData" not in data:
        raise UnreadableImageError(Sentence("segmentation.damaged", name=name), "no Pixel Data")
    syntax = getattr(getattr(data, "file_meta", None), "TransferSyntaxUID", None)
    if syntax is not None and syntax.is_compressed and not syntax.is_deflated:
        return
    count = int(getattr(data, "NumberOfFrames", None) or 1)
    bits = count * int(data.Rows) * int(data.Columns) * int(data.BitsAllocated)
    if len(data.PixelData) * 8 < bits:
        raise UnreadableImageError(Sentence("dicom.incomplete", name=name))


def _segment(item: Any) -> Segment:
    name = str(getattr(item, "SegmentLabel", "") or getattr(item, "SegmentDescription", "") or "")
    kind, region = (
        _code(getattr(item, keyword, None))
        for keyword in ("SegmentedPropertyTypeCodeSequence", "AnatomicRegionSequence")
    )
    return Segment(int(item.SegmentNumber), name.strip(), kind, region)


def _code(items: Optional[Sequence[Any]]) -> Tuple[str, str]:
    if not items:
        return "", ""
    value = getattr(items[0], "CodeValue", None) or getattr(items[0], "LongCodeValue", None) or ""
    return coded(str(getattr(items[0], "CodingSchemeDesignator", "")), str(value))


def _frames(data: Any, name: str) -> Iterator[Frame]:
    shared = (getattr(data, "SharedFunctionalGroupsSequence", None) or [None])[0]
    per_frame = getattr(data, "PerFrameFunctionalGroupsSequence", None) or []
    size = int(data.Columns), int(data.Rows)
    is_label_map = str(getattr(data, "SegmentationType", "")) == "LABELMAP"
    for index in range(int(getattr(data, "NumberOfFrames", None) or 1)):
        own = per_frame[index] if index < len(per_frame) else None
        groups = [group for group in (own, shared) if group is not None]
        measures = _group(groups, "PixelMeasuresSequence")
        position = getattr(_group(groups, "PlanePositionSequence"), "ImagePositionPatient", None)
        orientation = getattr(_group(groups, "PlaneOrientationSequence"), "ImageOrientationPatient", None)
        if position is None or orientation is None or getattr(measures, "PixelSpacing", None) is None:
            raise InputError(Sentence("segmentation.no-places", name=name))
        row, column = (float(value) for value in measures.PixelSpacing)
        thickness = getattr(measures, "SpacingBetweenSlices", None)
        identity = _group(groups, "SegmentIdentificationSequence")
        number = None if is_label_map else int(identity.ReferencedSegmentNumber)
        place = tuple(float(value) for value in position)
        axes = tuple(float(value) for value in orientation)
        between = abs(float(thickness)) if thickness else None
        yield Frame(index, number, Plane(size, (column, row), place, axes, between))


def _group(groups: List[Any], keyword: str) -> Any:
    for group in groups:
        items = getattr(group, keyword, None)
        if items:
            return items[0]
    return None


def _reference(data: Any) -> Reference:
    frame = str(getattr(data, "FrameOfReferenceUID", "") or "")
    series = uids(getattr(data, "ReferencedSeriesSequence", None), "SeriesInstanceUID")
    for study in getattr(data, "StudiesContainingOtherReferencedInstancesSequence", None) or []:
        series += uids(getattr(study, "ReferencedSeriesSequence", None), "SeriesInstanceUID")
    return Reference(frozenset({frame} - {""}), frozenset(series))
