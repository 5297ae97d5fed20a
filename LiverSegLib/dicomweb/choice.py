"""Which of several series to fetch: the one that segmenting would choose, judged by the headers alone."""

from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence

from ..errors import SeriesChoiceError, ServerError
from ..images.dicom import Slice, slices_of
from ..images.grouping import stacks
from ..images.modality import CT, MODALITIES, MR
from ..images.scan import SeriesInfo
from ..images.series import choose, judge
from ..sentences import Sentence
from .client import Cancel, Client, Progress
from .connection import Connection
from .query import SeriesFound

MOST_JUDGED = 40
"""Series whose headers are looked at; of more the user should choose by what the list says."""


def choose_series(
    connection: Connection,
    found: Sequence[SeriesFound],
    *,
    progress: Optional[Progress] = None,
    cancel: Optional[Cancel] = None,
) -> SeriesFound:
    """Return the series to segment: the only one, or the only one that suits.

    The headers of all images of the CT series among them (of the MR series, where there is no CT) are
    fetched, without pixels, and judged like those of a folder (``images.series``).

    Args:
        connection: the server.
        found: what ``query_series`` returned.
        progress: called while the headers come.
        cancel: asked about every 50 ms; True cancels.

    Raises:
        ServerError: nothing was found, or the server failed.
        SeriesChoiceError: several suit, or none does; its ``series`` lists them.
        CancelledError: the user cancelled.
    """
    if not found:
        raise ServerError(Sentence("dicomweb.nothing", host=connection.host))
    if len(found) == 1:
        return found[0]
    kinds = {item.modality for item in found}
    modality = next((kind for kind in MODALITIES if kind in kinds), CT)
    images = [item for item in found if item.modality == modality]
    if not images:
        raise _choice("dicomweb.none-suits", [_info(item) for item in found])
    if len(images) > MOST_JUDGED:
        raise ServerError(Sentence("dicomweb.too-many-to-judge", count=len(images)))
    with Client(connection, cancel) as client:
        slices: List[Slice] = []
        for number, item in enumerate(images):
            if progress:
                progress(number / len(images), "judge", "Looking at the headers of the series")
            slices += _headers(client, item)
    return _chosen(images, slices, modality)


def _headers(client: Client, series: SeriesFound) -> List[Slice]:
    from pydicom import Dataset

    def fetch(web: Any) -> List[Slice]:
        found: List[Slice] = []
        for item in web.retrieve_series_metadata(series.study_uid, series.series_uid):
            item.pop("7FE00010", None)  # where the pixels could be fetched
            found += slices_of("", Dataset.from_json(item))
        return found

    return client.call(fetch, absent="dicomweb.gone")


def _chosen(found: Sequence[SeriesFound], slices: Sequence[Slice], modality: str) -> SeriesFound:
    by_uid: Dict[str, SeriesFound] = {item.series_uid: item for item in found}
    judged = judge(stacks(tuple(slices)), MR if modality == MR else CT)
    try:
        infos = [choose(judged)[0]]
    except SeriesChoiceError as error:
        infos = list(error.series)
        if not any(info.suitable for info in infos):
            raise _choice("dicomweb.none-suits", infos or [_info(item) for item in found]) from error
    uids = list(dict.fromkeys(info.uid.partition(":")[0] for info in infos))
    if len(uids) == 1 and uids[0] in by_uid:  # of several stacks in one series, the user chooses later
        return by_uid[uids[0]]
    raise _choice("dicomweb.several-suit", infos, count=len(uids))


def _info(found: SeriesFound) -> SeriesInfo:
    """A series on the server as the terminal lists those of a folder."""
    return SeriesInfo(
        uid=found.series_uid,
        description=found.description,
        modality=found.modality,
        size=(0, 0, found.images or 0),
        spacing=(0.0, 0.0, 0.0),
        files=(),
        number=found.number,
        date=found.date,
        suitable=False,
    )


def _choice(key: str, series: Sequence[SeriesInfo], **arguments: Any) -> SeriesChoiceError:
    listed = "; ".join(info.line() + (f" ({info.reason})" if info.reason else "") for info in series)
    plain = [replace(info, uid=info.uid.partition(":")[0]) for info in series]
    return SeriesChoiceError(Sentence(key, listed=listed, **arguments), plain)
