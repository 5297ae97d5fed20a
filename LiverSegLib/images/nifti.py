"""NIfTI voxels, read by ourselves.

ITK's NIfTI reader fills what a truncated or damaged ``.nii.gz`` lacks with zeros and says nothing, turns
int16 with an intercept into float32, and refuses a sheared sform. So ITK tells the geometry where it accepts
it, and the voxels are read here: one pass over the file, with the checksum of the compressed stream verified.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO, Callable, Iterator, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from ..errors import ImageGeometryError, UnreadableImageError
from ..sentences import Sentence

_DTYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
"""NIfTI datatype code -> numpy kind; colour, complex and 128-bit types are left to ITK."""

_CHUNK = 1 << 20

SHEAR_TOLERANCE = 1e-3
"""Largest cosine between two axes that counts as rounding of the header (0.06 degrees) and is made
orthonormal.
"""

SPACING_TOLERANCE = 0.005
"""Spacings that differ by less than this share are the same, rounded."""


@dataclass(frozen=True)
class NiftiHeader:
    """The part of a NIfTI-1 or -2 header needed to read voxels and place them.

    ``shape`` is (x, y, z, t, ...) without trailing ones. ``affine`` is the 4 x 4 index-to-RAS matrix (mm) by
    the standard's preference sform, qform; ``None`` when the file states neither. ``spacing`` is pixdim,
    mm (x, y, z).
    """

    dtype: Optional[np.dtype]
    shape: Tuple[int, ...]
    offset: int
    slope: float
    intercept: float
    affine: Optional[np.ndarray]
    from_sform: bool
    spacing: Tuple[float, ...]

    @property
    def voxel_bytes(self) -> int:
        """Bytes of voxel data that must follow ``offset``."""
        return int(np.prod(self.shape, dtype=np.int64)) * (self.dtype.itemsize if self.dtype else 0)


def read_header(path: str) -> Optional[NiftiHeader]:
    """Parse the header of a ``.nii`` or ``.nii.gz`` file; ``None`` if it is no NIfTI header.

    Raises:
        UnreadableImageError: The compressed stream is damaged.
    """
    chunks = _chunks(path)
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 540:
            break
    chunks.close()
    for order in "<>":
        if len(head) >= 348 and struct.unpack_from(order + "i", head)[0] == 348 and head[344:347] == b"n+1":
            return _parse(head, order, version=1)
        if len(head) >= 540 and struct.unpack_from(order + "i", head)[0] == 540 and head[4:7] == b"n+2":
            return _parse(head, order, version=2)
    return None


def read_voxels(path: str, header: NiftiHeader, check: Optional[Callable[[], None]] = None) -> np.ndarray:
    """The voxels as they are on disk, scaled by slope and intercept, shape reversed to (..., z, y, x).

    Integers stay integers (int16 where the result fits) unless slope or intercept have a fraction; then
    float32. ``check`` is called between pieces; it may raise to cancel.

    Raises:
        UnreadableImageError: The file ends early or its checksum is wrong.
    """
    array = np.empty(header.shape[::-1], header.dtype)
    target = memoryview(array.reshape(-1).view(np.uint8))
    skip, filled = header.offset, 0
    for chunk in _chunks(path):
        if check:
            check()
        part = memoryview(chunk)[skip:]
        skip = max(0, skip - len(chunk))
        part = part[: len(target) - filled]  # extensions or padding may follow the voxels
        target[filled : filled + len(part)] = part
        filled += len(part)
    if filled < len(target):
        share = {"name": os.path.basename(path), "percent": 100 * filled // len(target)}
        details = f"{filled} of {len(target)} bytes of voxels"
        raise UnreadableImageError(Sentence("read.incomplete-share", **share), details)
    if not array.dtype.isnative:
        array = array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))
    return _scale(array, header.slope, header.intercept)


def place(image: sitk.Image, header: NiftiHeader) -> None:
    """Give ``image`` (3-D) the header's own affine, in LPS mm, sheared if it is sheared.

    Axes that are perpendicular up to rounding become exactly orthonormal. A truly sheared affine is kept as
    it is: SimpleITK images may carry a non-orthonormal direction (its NIfTI reader just refuses to make one),
    so masks lie voxel for voxel on the input.

    Raises:
        ImageGeometryError: The affine is not finite or is singular.
    """
    columns = np.diag([-1.0, -1.0, 1.0]) @ header.affine[:3, :3]
    spacing = np.linalg.norm(columns, axis=0)
    if (
        not np.isfinite(header.affine).all()
        or (spacing <= 0).any()
        or abs(np.linalg.det(columns / spacing)) < 1e-3
    ):
        raise ImageGeometryError(Sentence("read.orientation"))
    direction = columns / spacing
    if shear(direction) <= SHEAR_TOLERANCE:
        u, _, vt = np.linalg.svd(direction)
        direction = u @ vt
    image.SetSpacing([float(s) for s in spacing])
    image.SetOrigin([float(v) for v in header.affine[:3, 3] * (-1, -1, 1)])
    image.SetDirection([float(v) for v in direction.ravel()])


def is_sheared(header: NiftiHeader) -> bool:
    """Whether the axes of the sform are not perpendicular beyond rounding: ITK refuses or replaces it."""
    if header.affine is None or not header.from_sform:
        return False
    spacing = _scales(header)
    return bool((spacing > 0).all()) and shear(header.affine[:3, :3] / spacing) > SHEAR_TOLERANCE


def contradicts_itself(header: NiftiHeader) -> bool:
    """Whether sform and pixdim state different spacings. The sform counts; ITK would silently take pixdim."""
    if header.affine is None or not header.from_sform:
        return False
    return not np.allclose(_scales(header), np.abs(header.spacing), rtol=SPACING_TOLERANCE)


def _scales(header: NiftiHeader) -> np.ndarray:
    return np.linalg.norm(header.affine[:3, :3], axis=0)


def shear(direction: np.ndarray) -> float:
    """Largest absolute cosine between two axes of a 3 x 3 direction with unit columns: 0 if they are
    perpendicular.
    """
    return float(np.abs(direction.T @ direction - np.eye(3)).max())


def _parse(head: bytes, order: str, version: int) -> NiftiHeader:
    def get(kind: str, where: int) -> tuple:
        return struct.unpack_from(order + kind, head, where)

    if version == 1:
        dim, code, pixdim = get("8h", 40), get("h", 70)[0], get("8f", 76)
        offset, slope, intercept = get("3f", 108)
        qcode, scode = get("2h", 252)
        quatern, srows = get("6f", 256), get("12f", 280)
    else:
        dim, code, pixdim = get("8q", 16), get("h", 12)[0], get("8d", 104)
        offset, (slope, intercept) = get("q", 168)[0], get("2d", 176)
        qcode, scode = get("2i", 344)
        quatern, srows = get("6d", 352), get("12d", 400)
    if not 1 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise UnreadableImageError(Sentence("read.nifti-dimensions"), f"dim = {dim}")
    shape = list(dim[1 : dim[0] + 1])
    while len(shape) > 1 and shape[-1] == 1:
        shape.pop()
    affine = None
    if scode > 0:
        affine = np.vstack([np.reshape(srows, (3, 4)), [0, 0, 0, 1]]).astype(float)
    elif qcode > 0:
        affine = _quaternion_affine(quatern, pixdim)
    if not (np.isfinite(slope) and np.isfinite(intercept)) or slope == 0:
        slope, intercept = 1.0, 0.0
    dtype = np.dtype(order + _DTYPES[code]) if code in _DTYPES else None
    return NiftiHeader(
        dtype, tuple(shape), max(0, int(offset)), slope, intercept, affine, scode > 0, tuple(pixdim[1:4])
    )


def _quaternion_affine(quatern: tuple, pixdim: tuple) -> np.ndarray:
    """Method 2 of the NIfTI standard (nifti1.h)."""
    b, c, d = quatern[:3]
    a = np.sqrt(max(0.0, 1.0 - (b * b + c * c + d * d)))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    scale = np.array([pixdim[1], pixdim[2], pixdim[3] * (-1 if pixdim[0] < 0 else 1)])
    affine = np.eye(4)
    affine[:3, :3] = rotation * scale
    affine[:3, 3] = quatern[3:]
    return affine


def _scale(array: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    if slope == 1 and intercept == 0:
        return array
    if array.dtype.kind in "iu" and float(slope).is_integer() and float(intercept).is_integer():
        ends = [
            int(array.min()) * int(slope) + int(intercept),
            int(array.max()) * int(slope) + int(intercept),
        ]
        if min(ends) >= -32768 and max(ends) <= 32767:
            result = np.empty(array.shape, np.int16)
            for source, target in zip(array, result):  # slice by slice: no wide copy of the whole
                target[...] = source.astype(np.int64) * int(slope) + int(intercept)
            return result
    result = array.astype(np.float32)
    result *= np.float32(slope)
    result += np.float32(intercept)
    return result


def _chunks(path: str) -> Iterator[bytes]:
    """The uncompressed bytes of a plain or gzip file (any number of members), piece by piece."""
    with open(path, "rb") as file:
        first = file.read(2)
        file.seek(0)
        yield from (
            _inflated(file, os.path.basename(path))
            if first == b"\x1f\x8b"
            else iter(lambda: file.read(_CHUNK), b"")
        )


def _inflated(file: BinaryIO, name: str) -> Iterator[bytes]:
    stream = zlib.decompressobj(31)
    pending = b""
    while True:
        block = pending or file.read(_CHUNK)
        if not block:
            break
        try:
            yield stream.decompress(block)
        except zlib.error as error:
            text = Sentence("read.damaged-compressed", name=name)
            raise UnreadableImageError(text, str(error)) from error
        pending = stream.unused_data
        if stream.eof:
            pending = (pending or file.read(_CHUNK)).lstrip(b"\0")  # zero padding after a member is allowed
            if not pending[:2] == b"\x1f\x8b":
                return
            stream = zlib.decompressobj(31)
    raise UnreadableImageError(Sentence("read.incomplete-compressed", name=name))
