"""What a SimpleITK image carries of a DICOM header: tube voltage, contrast agent, description of the series.

SimpleITK puts the header of a DICOM file into the metadata of the image that it reads, under keys such as
"0018|0060"; who has an image in memory can set them.
"""

import math
from typing import Optional

import SimpleITK as sitk

from .modality import CT
from .phase_words import phase_in_words
from .scan import SeriesInfo

KVP, CONTRAST_AGENT, DESCRIPTION = "0018|0060", "0018|0010", "0008|103e"


def with_header(
    image: sitk.Image, kvp: Optional[float], contrast_agent: Optional[str], description: Optional[str]
) -> sitk.Image:
    """Return the image, which now carries what of this is not None."""
    values = {KVP: kvp, CONTRAST_AGENT: contrast_agent, DESCRIPTION: description}
    for key, value in values.items():
        if value is not None:
            image.SetMetaData(key, f"{value:g}" if isinstance(value, float) else value)
    return image


def series_of_metadata(image: sitk.Image) -> Optional[SeriesInfo]:
    """What the metadata of an image says of its series; None if it says none of these three."""
    kvp, agent, description = (_value(image, key) for key in (KVP, CONTRAST_AGENT, DESCRIPTION))
    if not (kvp or agent or description) or image.GetDimension() != 3:
        return None
    x, y, z = image.GetSize()
    return SeriesInfo(
        uid="",
        description=description,
        modality=_value(image, "0008|0060").upper() or CT,
        size=(x, y, z),
        spacing=image.GetSpacing(),
        files=(),
        phase_hint=phase_in_words(description),
        kvp=_positive(kvp),
        contrast=agent,
    )


def _value(image: sitk.Image, key: str) -> str:
    return image.GetMetaData(key).strip() if image.HasMetaDataKey(key) else ""


def _positive(text: str) -> Optional[float]:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
