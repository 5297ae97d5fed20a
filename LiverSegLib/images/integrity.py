"""Is an image file whole, and does its header agree with itself?

SimpleITK reads the files. It fills what a truncated or damaged ``.nii.gz`` lacks with zeros and says nothing,
takes one of two spacings without a word, refuses a sheared sform, and its older versions read a truncated
MetaImage; so these are looked at here.
"""

import gzip
import os
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Callable, Dict, Iterator, Optional, Sequence, Tuple, Union

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, UnreadableImageError
from ..sentences import Sentence

SHEAR_TOLERANCE = 1e-3
"""Largest cosine between two axes that counts as rounding of the header (0.06 degrees) and is made
orthonormal.
"""

SPACING_TOLERANCE = 0.005
"""Spacings that differ by less than this share are the same, rounded."""

_NIFTI_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
"""NIfTI datatype code -> numpy's name; colour, complex and 128-bit types are left to ITK."""
_NIFTI_LAYOUTS = (
    (348, 344, b"n+1", ("h", 70), ("8h", 40), ("8f", 76), ("f", 108), ("2f", 112), ("h", 254), ("12f", 280)),
    (540, 4, b"n+2", ("h", 12), ("8q", 16), ("8d", 104), ("q", 168), ("2d", 176), ("i", 348), ("12d", 400)),
)
"""NIfTI-1 and -2: size of the header, where its mark stands, the mark; then struct's format and the place of
datatype, dim, pixdim, vox_offset, slope with intercept, sform_code, srow."""

_META_BYTES = {"CHAR": 1, "SHORT": 2, "INT": 4, "LONG": 4, "LONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True)
class NiftiHeader:
    """What is checked of a NIfTI header.

    ``shape`` is (x, y, z, t, ...) without trailing ones. ``affine`` is the sform, the 4 x 4 index-to-RAS
    matrix (mm), None when there is none. ``spacing`` is pixdim, mm (x, y, z). ``dtype`` is None for kinds of
    numbers that no CT has.
    """

    dtype: Optional[np.dtype]
    shape: Tuple[int, ...]
    offset: int
    scale: Tuple[float, float]
    affine: Optional[np.ndarray]
    spacing: Tuple[float, ...]

    @property
    def voxel_bytes(self) -> int:
        """Bytes of voxels that must follow ``offset``."""
        return int(np.prod(self.shape, dtype=np.int64)) * (self.dtype.itemsize if self.dtype else 0)

    @property
    def is_sheared(self) -> bool:
        """Whether the axes of the sform are not perpendicular beyond rounding: ITK refuses or replaces it."""
        if self.affine is None:
            return False
        scales = np.linalg.norm(self.affine[:3, :3], axis=0)
        return bool((scales > 0).all()) and shear(self.affine[:3, :3] / scales) > SHEAR_TOLERANCE

    @property
    def has_two_spacings(self) -> bool:
        """Whether sform and pixdim state different ones. The sform counts; ITK would silently take pixdim."""
        if self.affine is None:
            return False
        scales = np.linalg.norm(self.affine[:3, :3], axis=0)
        return not np.allclose(scales, np.abs(self.spacing), rtol=SPACING_TOLERANCE)


def shear(direction: np.ndarray) -> float:
    """Largest absolute cosine between two axes of a 3 x 3 direction with unit columns: 0 if they are
    perpendicular.
    """
    return float(np.abs(direction.T @ direction - np.eye(3)).max())


def read_header(path: str) -> NiftiHeader:
    """The header of a ``.nii`` or ``.nii.gz`` file.

    Raises:
        UnreadableImageError: It is no NIfTI header, or a damaged one.
    """
    name = os.path.basename(path)
    head = b"".join(_pieces(path, 540))[:540]
    for size, mark_at, mark, *fields in _NIFTI_LAYOUTS:
        for order in "<>":
            if head[mark_at : mark_at + 3] != mark or len(head) < size:
                continue
            if struct.unpack_from(order + "i", head)[0] == size:
                values = [struct.unpack_from(order + kind, head, where) for kind, where in fields]
                return _header(name, order, size, values)
    raise UnreadableImageError(Sentence("read.no-nifti", name=name))


def check_nifti(path: str, header: NiftiHeader, check: Optional[Callable[[], None]] = None) -> None:
    """Read a compressed file to its end, where its checksum is, and count its voxels.

    ``check`` is called between pieces; it may raise to cancel.

    Raises:
        UnreadableImageError: The file ends early or its checksum is wrong.
    """
    length = 0 if _is_gzip(path) else os.path.getsize(path)
    for piece in _pieces(path) if not length else ():
        if check:
            check()
        length += len(piece)
    found = max(0, length - header.offset)
    if found < header.voxel_bytes:
        share = {"name": os.path.basename(path), "percent": 100 * found // header.voxel_bytes}
        details = f"{found} of {header.voxel_bytes} bytes of voxels"
        raise UnreadableImageError(Sentence("read.incomplete-share", **share), details)


def read_as_stated(path: str, header: NiftiHeader) -> sitk.Image:
    """A NIfTI image whose sform ITK refuses: sheared. Masks are to lie voxel for voxel on it."""
    data = b"".join(_pieces(path))[header.offset : header.offset + header.voxel_bytes]
    array = np.frombuffer(data, header.dtype).reshape((header.shape + (1,) * (3 - len(header.shape)))[::-1])
    slope, intercept = header.scale
    if header.scale == (1.0, 0.0):
        array = array.astype(array.dtype.newbyteorder("="))
    else:
        array = array.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    image = sitk.GetImageFromArray(array)
    place(image, header)
    return image


def place(image: sitk.Image, header: NiftiHeader) -> None:
    """Give ``image`` (3-D) the header's sform, in LPS mm, sheared if it is sheared.

    Axes that are perpendicular up to rounding become exactly orthonormal.

    Raises:
        ImageGeometryError: The sform is not finite or is singular.
    """
    assert header.affine is not None
    columns = np.diag([-1.0, -1.0, 1.0]) @ header.affine[:3, :3]
    spacing = np.linalg.norm(columns, axis=0)
    usable = np.isfinite(header.affine).all() and (spacing > 0).all()
    if not usable or abs(np.linalg.det(columns / spacing)) < 1e-3:
        raise ImageGeometryError(Sentence("read.orientation"))
    direction = columns / spacing
    if shear(direction) <= SHEAR_TOLERANCE:
        u, _, vt = np.linalg.svd(direction)
        direction = u @ vt
    image.SetSpacing([float(s) for s in spacing])
    image.SetOrigin([float(v) for v in header.affine[:3, 3] * (-1, -1, 1)])
    image.SetDirection([float(v) for v in direction.ravel()])


def check_metaimage(path: str, data_path: str) -> None:
    """Compare the size of the voxel data with what the header promises.

    Args:
        path: The .mha or .mhd file.
        data_path: The file that holds the voxels, ``path`` itself for .mha.

    Raises:
        UnreadableImageError: There is less data than promised, or the header cannot be understood.
    """
    fields, start = _meta_header(path)
    if fields.get("ELEMENTDATAFILE", "").upper().startswith("LIST") or "%" in data_path:
        return  # a list of files is left to ITK
    try:
        if fields.get("COMPRESSEDDATA", "False").upper() == "TRUE":
            expected = int(fields.get("COMPRESSEDDATASIZE") or 0)  # not stated: left to ITK
        else:
            kind = fields["ELEMENTTYPE"].upper().replace("MET_", "").replace("_ARRAY", "")
            expected = _META_BYTES[kind[1:] if kind.startswith("U") else kind]
            for count in (fields.get("ELEMENTNUMBEROFCHANNELS", "1"), *fields["DIMSIZE"].split()):
                expected *= int(count)
        if not os.path.samefile(path, data_path):
            start = max(0, int(fields.get("HEADERSIZE", "0")))
    except (KeyError, ValueError) as error:
        text = Sentence("read.damaged-header", name=os.path.basename(path))
        raise UnreadableImageError(text, repr(error)) from error
    if os.path.getsize(data_path) - start < expected:
        raise UnreadableImageError(Sentence("read.incomplete-voxels", name=os.path.basename(data_path)))


def _header(name: str, order: str, size: int, values: Sequence[Tuple[Any, ...]]) -> NiftiHeader:
    """The header from its fields as struct unpacks them."""
    code, dim, pixdim, offset, scale, sform_code, srow = values
    if not 1 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise UnreadableImageError(Sentence("read.nifti-dimensions"), f"dim = {dim}")
    if not np.isfinite(offset[0]):
        raise UnreadableImageError(Sentence("read.damaged-header", name=name), f"vox_offset = {offset}")
    shape = list(dim[1 : dim[0] + 1])
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    affine = np.vstack([np.reshape(srow, (3, 4)), [0, 0, 0, 1]]).astype(float) if sform_code[0] > 0 else None
    dtype = np.dtype(order + _NIFTI_TYPES[code[0]]) if code[0] in _NIFTI_TYPES else None
    scaled = np.isfinite(scale).all() and scale[0] != 0
    start = max(size, int(offset[0]))
    return NiftiHeader(dtype, tuple(shape), start, scale if scaled else (1.0, 0.0), affine, pixdim[1:4])


def _is_gzip(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _pieces(path: str, most: int = -1) -> Iterator[bytes]:
    """The uncompressed bytes of a plain or gzip file, up to ``most`` of them."""
    name = os.path.basename(path)
    opened: Union[gzip.GzipFile, BinaryIO] = gzip.open(path) if _is_gzip(path) else open(path, "rb")
    with opened as file:
        try:
            if most >= 0:
                yield file.read(most)
            else:
                yield from iter(lambda: file.read(1 << 20), b"")
        except EOFError as error:
            text = Sentence("read.incomplete-compressed", name=name)
            raise UnreadableImageError(text, str(error)) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            text = Sentence("read.damaged-compressed", name=name)
            raise UnreadableImageError(text, str(error)) from error


def _meta_header(path: str) -> Tuple[Dict[str, str], int]:
    """Fields by upper-case name, and where the header ends."""
    fields: Dict[str, str] = {}
    end = 0
    with open(path, "rb") as file:
        for line in file.read(1 << 16).splitlines(keepends=True):
            end += len(line)
            key, _, value = line.decode("latin-1").partition("=")
            fields[key.strip().upper()] = value.strip()
            if key.strip().upper() == "ELEMENTDATAFILE":
                break
    return fields, end
