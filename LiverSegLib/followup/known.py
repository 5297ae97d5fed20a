"""Registrations that were found before: a comparison that is repeated, or gets one more date, waits for new
pairs of scans only."""

import hashlib
from collections import OrderedDict
from typing import Optional, Tuple

import numpy as np

from .livers import LiverView
from .registration import Registration

MOST_KEPT = 6
"""So many registrations are kept, some MB each: those used last."""

_Pair = Tuple[str, str]


class KnownRegistrations:
    """Registrations by what they were made from: two livers as registration sees them.

    Registration has one answer for a pair of livers, so a kept one is what would be found again.
    """

    def __init__(self) -> None:
        self._kept: "OrderedDict[_Pair, Registration]" = OrderedDict()

    def find(self, fixed: LiverView, moving: LiverView) -> Optional[Registration]:
        """Return the registration of two livers; None if it is not known."""
        pair = _pair(fixed, moving)
        if pair in self._kept:
            self._kept.move_to_end(pair)
        return self._kept.get(pair)

    def keep(self, fixed: LiverView, moving: LiverView, found: Registration) -> None:
        """Keep a registration; the one that was used longest ago goes."""
        self._kept[_pair(fixed, moving)] = found
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def _pair(fixed: LiverView, moving: LiverView) -> _Pair:
    return _digest(fixed), _digest(moving)


def _digest(view: LiverView) -> str:
    """A hash of all that registration looks at."""
    found = hashlib.sha256(repr((view.grid, view.truncated)).encode())
    for array in (view.liver, view.seen, view.picture):
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()
