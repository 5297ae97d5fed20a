"""The scan as the scene holds it: what to tell of it and its DICOM header, can it be segmented, its grid."""

from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from LiverSegLib.errors import ImageGeometryError, InputError, NotCTError
from LiverSegLib.images.grid import Grid, are_thick_slices
from LiverSegLib.images.modality import CT, MODALITIES, said_modality

from .dicom_header import headerValue, positive

MINIMUM_SLICES = 3
"""Fewer slices than this along any axis are no volume; the core says the same."""
SHEAR_TOLERANCE = 1e-3
"""Largest cosine between two axes that counts as rounding of a header."""
SCALE_TOLERANCE = 1e-3
"""A transform that changes no length by more than this part is taken for rigid."""

_SAMPLES_AN_AXIS = 24
_NO_SCALARS = "vtkMRMLLabelMapVolumeNode"
_SEVERAL_VALUES = (
    "vtkMRMLVectorVolumeNode",
    "vtkMRMLTensorVolumeNode",
    "vtkMRMLDiffusionImageVolumeNode",
)
_MODALITY = "0008,0060"
_SERIES_UID = "0020,000E"
_SERIES_DESCRIPTION = "0008,103E"
_DATES = ("0008,0022", "0008,0021", "0008,0020")
"""Of acquisition, series and study."""
_SLICE_THICKNESS = "0018,0050"
_TO_LPS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class VolumeFacts:
    """What to tell of a volume before any work.

    Attributes:
        size: voxels along (i, j, k).
        text: size and spacing in one line.
        doubts: sentences on what makes the volume or its results doubtful.
        saidOfNumbers: those of them that stand at the numbers too, once the scan is measured.
    """

    size: Tuple[int, int, int]
    text: str
    doubts: Tuple[str, ...]
    saidOfNumbers: Tuple[str, ...] = ()


def describeVolume(volumeNode: Optional["slicer.vtkMRMLVolumeNode"], modality: str = CT) -> VolumeFacts:
    """Describe a volume without a pass over its voxels, as the "CT" or "MR" that it is. Odd volumes and None
    get a description too.
    """
    if volumeNode is None or not volumeNode.IsA("vtkMRMLVolumeNode"):
        return VolumeFacts((0, 0, 0), _("No volume is chosen."), ())
    if volumeNode.GetImageData() is None:
        return VolumeFacts((0, 0, 0), _("The volume holds no image."), ())
    size, spacing = volumeNode.GetImageData().GetDimensions(), volumeNode.GetSpacing()
    text = _("{size} voxels, {spacing} mm").format(
        size=" × ".join(map(str, size)), spacing=" × ".join(f"{value:.3g}" for value in spacing)
    )
    thick = _thickSlices(spacing)
    return VolumeFacts(size, text, (*thick, *_doubts(volumeNode, modality)), thick)


def checkVolume(volumeNode: Optional["slicer.vtkMRMLVolumeNode"]) -> None:
    """Refuse what cannot be segmented, as far as that shows without a pass over the voxels.

    Raises:
        InputError: no volume, no image data, or a non-linear transform. NotCTError: a label map, colour or
        other image with several values per voxel. ImageGeometryError: too few slices, or a position that is
        not a number or does not span space. All are InputErrors with one sentence.
    """
    if volumeNode is None or not volumeNode.IsA("vtkMRMLVolumeNode"):
        raise InputError(_("Choose a CT volume first."))
    if volumeNode.IsA(_NO_SCALARS):
        raise NotCTError(_("This volume is a label map; choose the CT that it was made of."))
    several = _("This volume has several values per voxel (color, vectors); a CT has one.")
    if any(volumeNode.IsA(name) for name in _SEVERAL_VALUES) or not volumeNode.IsA("vtkMRMLScalarVolumeNode"):
        raise NotCTError(several)
    imageData = volumeNode.GetImageData()
    if imageData is None or imageData.GetPointData().GetScalars() is None:
        raise InputError(_("This volume holds no image data; load the CT again."))
    if imageData.GetNumberOfScalarComponents() != 1:
        raise NotCTError(several)
    _checkGeometry(volumeNode)
    transformNode = volumeNode.GetParentTransformNode()
    if transformNode is not None and not transformNode.IsTransformToWorldLinear():
        text = _(
            "The volume lies under the non-linear transform {name}: harden it in the Transforms module, "
            "or take the volume out of it, then segment again."
        )
        raise InputError(text.format(name=transformNode.GetName()))


def volumeGrid(volumeNode: "slicer.vtkMRMLVolumeNode") -> Grid:
    """Return the grid (LPS mm) of a volume that holds an image, without its parent transform.

    A result on this grid that hangs under the same transform lies in the same place of the world. Oblique,
    left-handed and sheared axes are kept as they are.
    """
    matrix = ijkToRas(volumeNode)
    steps = _TO_LPS @ matrix[:3, :3]
    spacing = np.linalg.norm(steps, axis=0)
    return Grid(
        size=tuple(volumeNode.GetImageData().GetDimensions()),
        origin=tuple(float(value) for value in _TO_LPS @ matrix[:3, 3]),
        spacing=tuple(float(value) for value in spacing),
        direction=tuple(float(value) for value in (steps / spacing).ravel()),
    )


def ijkToRas(volumeNode: "slicer.vtkMRMLVolumeNode") -> np.ndarray:
    """Return the 4 x 4 matrix from voxel indices (i, j, k) to RAS mm, without the parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def toWorld(node: "slicer.vtkMRMLTransformableNode") -> np.ndarray:
    """Return the 4 x 4 matrix from a node's own RAS mm to the world's; its transforms must be linear."""
    transformNode = node.GetParentTransformNode()
    matrix = vtk.vtkMatrix4x4()
    if transformNode is not None:
        transformNode.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def scanPoint(volumeNode: "slicer.vtkMRMLVolumeNode", ras: Sequence[float]) -> Tuple[float, float, float]:
    """Return a point of the world, RAS mm, as LPS mm of a volume, whose transform is taken off."""
    own = np.linalg.inv(toWorld(volumeNode)) @ np.array([*ras, 1.0])
    x, y, z = (_TO_LPS @ own[:3]).tolist()
    return x, y, z


def modalityOf(volumeNode: Optional["slicer.vtkMRMLVolumeNode"], said: Optional[str] = None) -> str:
    """Return "CT" or "MR": what DICOM says of a volume, else what the user says, else CT.

    Args:
        volumeNode: any volume; None counts as one without DICOM.
        said: "CT", "MR", or "auto" or None for nothing.
    """
    header = headerModality(volumeNode) if volumeNode is not None else ""
    return header if header in MODALITIES else said_modality(said) or CT


def headerModality(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the DICOM modality of a volume, also one that only the subject hierarchy knows; empty if it is
    not known.
    """
    return (headerValue(volumeNode, _MODALITY).strip() or _hierarchyModality(volumeNode)).upper()


def seriesOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the description of the series; the node's name if it is not known."""
    return headerValue(volumeNode, _SERIES_DESCRIPTION).strip() or volumeNode.GetName() or ""


def seriesUidOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the UID of the scan's DICOM series; empty if it is not known."""
    return headerValue(volumeNode, _SERIES_UID).strip()


def dateOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the date of the scan as YYYY-MM-DD; empty if it is not known."""
    found = (headerValue(volumeNode, tag).strip() for tag in _DATES)
    digits = next(
        (text for text in (*found, _studyDate(volumeNode)) if len(text) == 8 and text.isdigit()), ""
    )
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if digits else ""


def sliceThicknessOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> float:
    """Return the slice thickness in mm: the header's, else the distance between slices."""
    return positive(headerValue(volumeNode, _SLICE_THICKNESS)) or float(volumeNode.GetSpacing()[2])


def _checkGeometry(volumeNode: "slicer.vtkMRMLVolumeNode") -> None:
    size = volumeNode.GetImageData().GetDimensions()
    if min(size) < MINIMUM_SLICES:
        what = _("a single slice") if min(size) == 1 else _("only {count} slices").format(count=min(size))
        text = _("This volume is {what}; at least {minimum} slices are needed.")
        raise ImageGeometryError(text.format(what=what, minimum=MINIMUM_SLICES))
    matrix = ijkToRas(volumeNode)
    if not np.isfinite(matrix).all():
        raise ImageGeometryError(
            _("The position or spacing of the volume is not a number; load the CT again.")
        )
    if abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise ImageGeometryError(_("The voxel axes of the volume do not span space; load the CT again."))


def _thickSlices(spacing: Tuple[float, ...]) -> Tuple[str, ...]:
    if not are_thick_slices(max(spacing)):
        return ()
    text = _("The slices are {spacing:.3g} mm apart: small lesions may be missed, volumes are less exact.")
    return (text.format(spacing=max(spacing)),)


def _doubts(volumeNode: "slicer.vtkMRMLVolumeNode", modality: str) -> List[str]:
    aboutValues = (_valueDoubt,) if modality == CT else ()
    questions = (_shearDoubt, _transformDoubt, _sequenceDoubt, *aboutValues)
    found = (question(volumeNode) for question in questions)
    return [doubt for doubt in found if doubt]


def _shearDoubt(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[str]:
    steps = ijkToRas(volumeNode)[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    if not np.isfinite(steps).all() or not lengths.all():
        return _("The position or spacing of the volume is not usable.")
    axes = steps / lengths
    shear = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if shear <= SHEAR_TOLERANCE:
        return None
    angle = float(np.degrees(np.arcsin(min(1.0, shear))))
    text = _("The axes of the volume are not perpendicular (by {angle:.1f}°): sizes may be less exact.")
    return text.format(angle=angle)


def _transformDoubt(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[str]:
    transformNode = volumeNode.GetParentTransformNode()
    if transformNode is None:
        return None
    if not transformNode.IsTransformToWorldLinear():
        text = _("The volume lies under the non-linear transform {name}: harden it before segmenting.")
        return text.format(name=transformNode.GetName())
    steps = toWorld(volumeNode)[:3, :3]
    if np.abs(steps.T @ steps - np.eye(3)).max() <= 2 * SCALE_TOLERANCE:
        return None
    text = _("The transform {name} changes sizes: all numbers are those of the volume without it.")
    return text.format(name=transformNode.GetName())


def _sequenceDoubt(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[str]:
    for browserNode in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        if browserNode.IsProxyNode(volumeNode.GetID()):
            text = _("The volume plays a sequence: frame {number} of {count}, shown now, is segmented.")
            return text.format(
                number=browserNode.GetSelectedItemNumber() + 1, count=browserNode.GetNumberOfItems()
            )
    return None


def _valueDoubt(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[str]:
    """Look at some thousand voxels only; the core judges all of them when the run begins."""
    imageData = volumeNode.GetImageData()
    scalars = imageData.GetPointData().GetScalars()
    if scalars is None or imageData.GetNumberOfScalarComponents() != 1:
        return None
    voxels = slicer.util.arrayFromVolume(volumeNode)
    sample = voxels[tuple(slice(None, None, max(1, count // _SAMPLES_AN_AXIS)) for count in voxels.shape)]
    low, high = float(sample.min()), float(sample.max())
    if low < -200 < 100 < high:
        return None
    text = _(
        "The values (about {low:g} to {high:g}) do not look like a CT in Hounsfield units. If this is an MR, "
        "say so under Advanced, Modality."
    )
    return text.format(low=low, high=high)


def _studyDate(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the date that the subject hierarchy keeps of the scan's study, also without the database."""
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchyNode is None:
        return ""
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    study = constants.GetDICOMLevelStudy()
    item = hierarchyNode.GetItemAncestorAtLevel(hierarchyNode.GetItemByDataNode(volumeNode), study)
    return hierarchyNode.GetItemAttribute(item, constants.GetDICOMStudyDateAttributeName()) if item else ""


def _hierarchyModality(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the modality that the subject hierarchy keeps of the scan, also without the database."""
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchyNode is None:
        return ""
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    item = hierarchyNode.GetItemByDataNode(volumeNode)
    return (hierarchyNode.GetItemAttribute(item, name) or "").strip() if item else ""
