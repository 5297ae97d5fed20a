"""What the laboratory's commands have in common: packages that must be there."""

import importlib.util
from typing import Sequence

from ..errors import LiverSegError


def require_packages(names: Sequence[str], extra: str = "train", *, what: str = "This") -> None:
    """Do nothing if all packages are installed.

    Args:
        names: packages, named as Python imports them.
        extra: LiverSeg's extra that brings them.
        what: what needs them, the beginning of the sentence.

    Raises:
        LiverSegError: one is missing; the sentence says how to get it.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise LiverSegError(
            f"{what} needs the Python package{'s' * (len(missing) > 1)} {', '.join(missing)}: "
            f'pip install "liverseg[{extra}]".'
        )
