"""What every object says of itself: who made it, its series, and names as DICOM takes them."""

import re
from typing import Any, Dict

import LiverSegLib

from ..review import ACCEPTED, EDITED, GIVEN, Review
from .codes import OWN_SCHEME
from .tracking import derived_uid

FIRST_SERIES_NUMBER, SERIES_NUMBERS = 100_000, 899_999
"""Series numbers of six digits: scanners and workstations number up to five."""

STATE_WORDS = {GIVEN: "given, not reviewed", EDITED: "edited, not accepted", ACCEPTED: "accepted"}
"""State of a result -> how a series' description says it; else it is automatic."""


def equipment(series_uid: str, review: Review, content: str) -> Dict[str, Any]:
    """Return the arguments for highdicom on the maker of an object and its series.

    Args:
        series_uid: of the object's new series; its number follows from it.
        review: who had the last word on the result.
        content: "segmentation" or "measurements".
    """
    from highdicom.coding_schemes import CodingSchemeIdentificationItem

    state = STATE_WORDS.get(review.state, "automatic")
    return {
        "series_number": series_number(series_uid),
        "series_description": f"LiverSeg {content}, {state}",
        "manufacturer": "LiverSeg",
        "manufacturer_model_name": "LiverSeg (research use only)",
        "software_versions": LiverSegLib.__version__,
        "device_serial_number": "none",
        "coding_schemes": [
            CodingSchemeIdentificationItem(
                designator=OWN_SCHEME, name="LiverSeg", responsible_organization="LiverSeg"
            )
        ],
    }


def series_number(series_uid: str) -> int:
    """Return a number for a new series: six digits that follow from its UID."""
    return FIRST_SERIES_NUMBER + int(derived_uid(series_uid)[5:]) % SERIES_NUMBERS


def person_name(name: str) -> str:
    """Return a reader's name as a DICOM person name of one component, at most 64 characters.

    >>> person_name("Dr. Anna Weber")
    'Dr. Anna Weber'
    """
    return " ".join(re.sub(r"[\\^=\x00-\x1f\x7f]", " ", name).split())[:64]
