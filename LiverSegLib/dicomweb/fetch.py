"""A series from a server into a folder (WADO-RS): all of its images or none."""

from io import BytesIO
from pathlib import Path
from typing import Any, Optional, Sequence, Tuple

from ..errors import OutputError, ServerError, write_failure
from ..images.pixels import has_all_pixels
from ..outputs.atomic import PathLike, check_room, reserve
from ..sentences import Sentence
from .client import Cancel, Client, Progress
from .connection import Connection
from .failures import DamagedImage
from .query import SeriesFound, image_uids

AS_STORED = (("application/dicom", "*"),)
"""Images are fetched in the coding in which the server keeps them: nothing is recompressed on the way."""


def fetch_series(
    connection: Connection,
    found: SeriesFound,
    folder: PathLike,
    *,
    progress: Optional[Progress] = None,
    cancel: Optional[Cancel] = None,
) -> Tuple[Path, ...]:
    """Fetch all images of a series into a folder, one DICOM file each, named by their SOP Instance UID.

    They appear in the folder together, once all have come and each is an image of this series, as many as
    the server announced. A folder that holds the series already gets it anew.

    Args:
        connection: the server.
        found: the series, as ``query_series`` returned it.
        folder: where to; made if missing. It may hold nothing but this series.
        progress: called for each image.
        cancel: asked about every 50 ms; True cancels.

    Returns:
        The files, in the order of the server's list.

    Raises:
        ServerError: the server cannot be reached, refuses, or sends something else.
        OutputError: the folder cannot be written to, or holds other files.
        CancelledError: the user cancelled. As with every error, the folder is as it was before.
    """
    with reserve(folder) as reservation, Client(connection, cancel) as client:
        uids = image_uids(client, found)
        if found.images is not None and len(uids) != found.images:
            sizes = {"announced": found.images, "sent": len(uids)}
            raise ServerError(Sentence("dicomweb.count", host=connection.host, **sizes))
        names = [f"{uid}.dcm" for uid in uids]
        _refuse_other_files(reservation.folder, names)
        for number, uid in enumerate(uids):
            if progress:
                text = f"Fetching {len(uids)} images from {connection.host}"
                progress(number / len(uids), "fetch", text)
            size = _fetch_image(client, found, uid, reservation.staging / names[number])
            if number == 0:
                check_room(reservation, size * (len(uids) - 1))
        client.check()
        reservation.commit(names)
        return tuple(reservation.folder / name for name in names)


def _fetch_image(client: Client, series: SeriesFound, uid: str, path: Path) -> int:
    """Fetch one image into a file; return its size in bytes.

    Raises:
        ServerError: it did not come, or is another one.
        OutputError: it cannot be written.
    """
    content = client.call(
        lambda web: _image(web, series, uid), absent="dicomweb.gone", strange="dicomweb.wrong-image"
    )
    if content is None:
        raise ServerError(Sentence("dicomweb.wrong-image", host=client.connection.host), f"asked for {uid}")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise write_failure(error, path.parent.parent) from error
    return len(content)


def _image(web: Any, series: SeriesFound, uid: str) -> Optional[bytes]:
    """An image as a DICOM file; None if it is not the one asked for.

    Raises:
        DamagedImage: its pixels are not all there.
    """
    import pydicom

    data = web.retrieve_instance(series.study_uid, series.series_uid, uid, media_types=AS_STORED)
    expected = {
        "StudyInstanceUID": series.study_uid,
        "SeriesInstanceUID": series.series_uid,
        "SOPInstanceUID": uid,
        "PatientID": series.patient_id,
    }
    if any(value and str(data.get(keyword, "")).strip() != value for keyword, value in expected.items()):
        return None
    file = BytesIO()
    pydicom.dcmwrite(file, data)
    file.seek(0)
    other_pixels = "FloatPixelData" in data or "DoubleFloatPixelData" in data
    if "Rows" in data and not other_pixels and not has_all_pixels(file):
        raise DamagedImage(uid)
    return file.getvalue()


def _refuse_other_files(folder: Path, names: Sequence[str]) -> None:
    """Raise OutputError if the folder holds anything but these files, and what is hidden."""
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    other = sorted(there - set(names))
    if other:
        raise OutputError(Sentence("dicomweb.folder", folder=str(folder), name=other[0]))
