"""One way in for every kind of scan: file, DICOM folder, or image in memory."""

import os
from dataclasses import replace
from typing import List, Optional, Set, Tuple, Union

import SimpleITK as sitk

from ..errors import (
    ImageGeometryError,
    InputChangedError,
    NotCTError,
    OutOfMemoryError,
    UnreadableImageError,
    UsageError,
    is_out_of_memory,
)
from ..sentences import Sentence, key_of
from . import dicom, grouping, unpacking
from .checks import check_grid, modality_sentence
from .files import PICTURES, VOLUMES, as_checked, files_of, one_frame, read_volume, refuse_by_name
from .metadata import series_of_metadata
from .modality import CT, MODALITIES, MR, known_modality, said_modality
from .scan import FileState, Scan, SeriesInfo, file_state, fingerprint
from .series import Stack, choose, judge, others_of_series, wrong_kind
from .stack import StackGeometry, read_stack, stack_geometry

Source = Union[str, os.PathLike, sitk.Image]


def read_scan(
    source: Source,
    series: Optional[str] = None,
    *,
    modality: Optional[str] = None,
    check: Optional[dicom.Check] = None,
) -> Scan:
    """Read a scan and check that it is a CT, or an MR, that can be segmented.

    DICOM says itself what it is. Of other files only the user knows that they are MR.

    Args:
        source: a NIfTI, NRRD or MetaImage file, a DICOM folder (searched deeply), a zip archive of one, one
            DICOM file (its series is taken from its folder), or a SimpleITK image.
        series: for DICOM: series UID, number or description, where the folder holds several.
        modality: "CT" or "MR", by the user; None, or "auto", leaves it to the DICOM header, without which it
            is taken for CT.
        check: called before each file of a series and between the pieces of a NIfTI file; may raise to
            cancel.

    Returns:
        The scan on its own grid, int16 where its values allow it, else float32.

    Raises:
        UnreadableImageError, NotCTError, ImageGeometryError, SeriesChoiceError: With a sentence each.
        OutOfMemoryError: The scan does not fit into memory.
        OutputError: There is no room to unpack an archive.
        InputChangedError: The files changed while they were read.
        UsageError: The source is of another type, or there is no such modality.

    >>> scan = read_scan("Resources/SampleData/hcc013-portal.nii.gz")
    >>> scan.name, scan.image.GetPixelIDTypeAsString()
    ('hcc013-portal', '16-bit signed integer')
    """
    said = said_modality(modality)
    if isinstance(source, sitk.Image):
        return _from_memory(source, said)
    if not isinstance(source, (str, os.PathLike)):
        raise UsageError(Sentence("read.type", type=type(source).__name__))
    path = os.path.abspath(os.path.expanduser(os.fspath(source)))
    if not os.path.exists(path):
        raise UnreadableImageError(Sentence("read.missing", path=path))
    try:
        if dicom.is_directory(path):
            path = os.path.dirname(path)
        if os.path.isdir(path):
            return _from_dicom(path, dicom.walk(path), series, said, check)
        if unpacking.is_archive(path):
            return _from_archive(path, series, said, check)
        if _is_dicom_file(path):
            return _from_dicom_file(path, series, said, check)
        return _from_file(path, said, check)
    except PermissionError as error:
        text = Sentence("read.forbidden", path=os.fspath(error.filename or path))
        raise UnreadableImageError(text, str(error)) from error
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise _out_of_memory(path, error) from error
    except OSError as error:
        if is_out_of_memory(error):
            raise _out_of_memory(path, error) from error
        text = Sentence("read.failed", name=os.path.basename(path))
        raise UnreadableImageError(text, str(error)) from error


def _out_of_memory(path: str, error: BaseException) -> OutOfMemoryError:
    return OutOfMemoryError(Sentence("failed.memory-reading", name=os.path.basename(path)), str(error))


def list_series(folder: Union[str, os.PathLike]) -> List[SeriesInfo]:
    """All image series of a DICOM folder (searched deeply), or of a zip archive of one, suitable or not, by
    series number. The files of an archive are gone when this returns.

    Raises:
        UnreadableImageError: The folder does not exist or holds no DICOM image.
        OutputError: There is no room to unpack an archive.
    """
    path = os.path.abspath(os.path.expanduser(os.fspath(folder)))
    if os.path.isfile(path) and unpacking.is_archive(path):
        archive = unpacking.unpack(path)
        return [info for info, _ in _stacks(path, list(archive.files))[0]]
    if not os.path.isdir(path):
        raise UnreadableImageError(Sentence("read.no-folder", path=path))
    return [info for info, _ in _stacks(path, dicom.walk(path))[0]]


def _from_memory(image: sitk.Image, said: Optional[str]) -> Scan:
    header = image.GetMetaData("0008|0060").strip() if image.HasMetaDataKey("0008|0060") else None
    modality = known_modality(header, said)
    # A SimpleITK copy shares the voxels until one side writes, so the caller may go on changing the original.
    series = series_of_metadata(image)
    checked, warnings = as_checked(one_frame(sitk.Image(image)), modality)
    return Scan(checked, None, "scan", modality, series, warnings, fingerprint(checked))


def _from_file(path: str, said: Optional[str], check: Optional[dicom.Check]) -> Scan:
    name = os.path.basename(path)
    refuse_by_name(path)
    state = file_state(files_of(path))
    if any(size < 0 for _, size, _ in state):
        missing = os.path.basename(next(item for item, size, _ in state if size < 0))
        raise UnreadableImageError(Sentence("read.lacks-data", name=name, data=missing))
    image, found = read_volume(path, state[-1][0], check)
    image, warnings = as_checked(image, said)
    return _scan(image, path, _stem(name), said, None, found + warnings, state)


def _from_dicom_file(
    path: str, series: Optional[str], said: Optional[str], check: Optional[dicom.Check]
) -> Scan:
    own = dicom.read_headers([path])
    if not own.slices:
        raise UnreadableImageError(Sentence("dicom.no-image", name=os.path.basename(path)))
    folder = os.path.dirname(path)
    files = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    uid = own.slices[0].uid
    candidates, warnings = _stacks(
        folder, [item for item in files if os.path.isfile(item)], said or own.slices[0].modality, check
    )
    same = [pair for pair in candidates if pair[1][0].uid == uid]
    holding = [pair for pair in same if path in pair[0].files]
    stack = choose(same, series) if series else (holding or same)[0]
    warnings += _not_read(candidates, stack)
    return _scan_of_stack(path, _stem(os.path.basename(path)), stack, warnings, said, check)


def _from_dicom(
    path: str, files: List[str], series: Optional[str], said: Optional[str], check: Optional[dicom.Check]
) -> Scan:
    name = os.path.basename(path) or "scan"
    return _chosen_scan(path, name, files, None, series, said, check)


def _from_archive(
    path: str, series: Optional[str], said: Optional[str], check: Optional[dicom.Check]
) -> Scan:
    state = file_state(path)
    archive = unpacking.unpack(path, check)
    name = _stem(os.path.basename(path))
    scan = _chosen_scan(path, name, list(archive.files), state, series, said, check)
    return replace(scan, kept=archive)


def _chosen_scan(
    path: str,
    name: str,
    files: List[str],
    state: Optional[Tuple[FileState, ...]],
    series: Optional[str],
    said: Optional[str],
    check: Optional[dicom.Check],
) -> Scan:
    """The scan of one series of the files; ``state`` is that of the archive they came from."""
    candidates, warnings = _stacks(path, files, said, check)
    stack = _choose(candidates, series, said)
    warnings += _not_read(candidates, stack)
    return _scan_of_stack(path, name, stack, warnings, said, check, state)


def _not_read(candidates: List[Stack], chosen: Stack) -> List[str]:
    """A warning of what else the chosen series holds."""
    others = [info.line() for info in others_of_series(candidates, chosen)]
    if not others:
        return []
    if len(others) == 1:
        return [Sentence("scan.other-stack", other=others[0])]
    return [Sentence("scan.other-stacks", count=len(others), others="; ".join(others))]


def _choose(candidates: List[Stack], series: Optional[str], said: Optional[str]) -> Stack:
    """Choose; what the folder holds besides one CT, or instead of it, needs no list to choose from.

    A folder's only CT is taken even if it is low, thick or not axial: its own checks speak then. The same
    holds for MR in a folder without CT, or if the user says that it is MR.
    """
    if series is not None:
        return choose(candidates, series)
    kinds = {info.modality for info, _ in candidates}
    kind = _kind_wanted(kinds, said)
    if kind not in kinds:
        listed = ", ".join(sorted(found or "unknown" for found in kinds))
        raise NotCTError(Sentence("dicom.no-mr" if said == MR else "dicom.no-ct", kinds=listed))
    suitable = [pair for pair in candidates if pair[0].suitable]
    usable = [pair for pair in candidates if not wrong_kind(pair[1], kind)]
    if not suitable and len(usable) == 1:
        return usable[0]
    if not usable and len(candidates) == 1:
        raise NotCTError(Sentence("dicom.only-series", reason=wrong_kind(candidates[0][1], kind)))
    return choose(candidates)


def _kind_wanted(kinds: Set[str], said: Optional[str]) -> str:
    """Which of the modalities in a folder is read: what the user says, else CT if there is any, else MR."""
    return said or (MR if MR in kinds and CT not in kinds else CT)


def _stacks(
    path: str, files: List[str], modality: Optional[str] = None, check: Optional[dicom.Check] = None
) -> Tuple[List[Stack], List[str]]:
    """The stacks in files, judged as ``modality`` or, without it, as what they are."""
    found = dicom.read_headers(files, check)
    if not found.slices:
        raise UnreadableImageError(_nothing_found(path, files, len(found.damaged)))
    warnings: List[str] = []
    if found.damaged:
        warnings.append(Sentence("scan.damaged-files", count=len(found.damaged)))
    copies = grouping.copies(found.slices)
    if copies:
        warnings.append(Sentence("scan.copies", count=copies))
    wanted = modality if modality in MODALITIES else None
    kind = _kind_wanted({item.modality for item in found.slices}, wanted)
    return judge(grouping.stacks(found.slices), kind), warnings


def _nothing_found(path: str, files: List[str], damaged: int) -> str:
    name = os.path.basename(path) or path
    volumes = [os.path.basename(item) for item in files if item.lower().endswith(VOLUMES)]
    if volumes:
        return Sentence("dicom.nothing-but-volume", name=name, volume=volumes[0])
    return Sentence("dicom.all-damaged" if damaged else "dicom.nothing", name=name)


def _scan_of_stack(
    path: str,
    name: str,
    stack: Stack,
    warnings: List[str],
    said: Optional[str],
    check: Optional[dicom.Check],
    state: Optional[Tuple[FileState, ...]] = None,
) -> Scan:
    """``state`` is that of what the user gave, if it is not the slices' files themselves."""
    info, slices = stack
    if info.modality not in MODALITIES:
        raise NotCTError(modality_sentence(info.modality))
    known_modality(info.modality, said)
    state = state or file_state(info.files)
    geometry = _geometry(slices, warnings)
    grid = geometry.grid
    check_grid(grid.size, grid.spacing, grid.origin, grid.direction)
    image, more = as_checked(read_stack(slices, geometry, check), info.modality)
    said_of_it = tuple(warnings) + geometry.warnings + more
    scan = _scan(image, path, name, info.modality, info, said_of_it, state)
    return replace(scan, lean=geometry.lean)


def _geometry(slices: List[dicom.Slice], warnings: List[str]) -> StackGeometry:
    """Where the stack lies; files that could not be read are named where slices are missing."""
    try:
        return stack_geometry(slices)
    except ImageGeometryError as error:
        damaged = [text for text in warnings if key_of(text) == "scan.damaged-files"]
        if not damaged:
            raise
        raise ImageGeometryError(
            Sentence("dicom.perhaps-damaged", why=error.sentence, damaged=damaged[0]), error.details
        ) from error


def _scan(
    image: sitk.Image,
    path: str,
    name: str,
    modality: Optional[str],
    series: Optional[SeriesInfo],
    warnings: Tuple[str, ...],
    state: Tuple[FileState, ...],
) -> Scan:
    scan = Scan(image, path, name, modality, series, warnings, fingerprint(image), state)
    if file_state(item[0] for item in state) != state:
        raise InputChangedError(Sentence("read.changed", name=name))
    return scan


def _is_dicom_file(path: str) -> bool:
    return (
        not path.lower().endswith(VOLUMES + PICTURES) and os.path.getsize(path) > 0 and dicom.is_dicom(path)
    )


def _stem(name: str) -> str:
    for extension in VOLUMES:
        if name.lower().endswith(extension):
            return name[: -len(extension)] or "scan"
    return os.path.splitext(name)[0] or "scan"
