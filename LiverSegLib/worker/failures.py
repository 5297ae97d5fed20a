"""An error as the message that tells of it."""

import json
from typing import Any, Dict, Optional

from ..errors import LiverSegError, SeriesChoiceError
from ..sentences import with_identity
from .messages import Failure


def failure(request_id: Optional[str], error: LiverSegError) -> Failure:
    """Return the answer to a request that failed; ``request_id`` None if there is none."""
    series = (
        tuple(_series_facts(item) for item in error.series) if isinstance(error, SeriesChoiceError) else ()
    )
    sentence = with_identity(error.sentence)
    return Failure(
        request_id,
        error.code,
        str(error),
        error.details,
        series,
        sentence=sentence if isinstance(sentence, dict) else None,
    )


def _series_facts(series: object) -> Dict[str, Any]:
    """A ``SeriesInfo`` as a JSON object, without its lists of files and frames, which may be thousands."""
    facts = dict(vars(series)) if hasattr(series, "__dict__") else {"description": str(series)}
    facts.pop("files", None)
    facts.pop("frames", None)
    return json.loads(json.dumps(facts, default=str))
