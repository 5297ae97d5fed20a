"""The order in which runs are computed: who sends many scans does not keep others waiting for all of them.

Self-clocked fair queueing (S. J. Golestani, A self-clocked fair queueing scheme for broadband applications,
IEEE INFOCOM 1994, doi:10.1109/INFCOM.1994.337677), with runs of equal weight: each run gets a number one
above the larger of its owner's last number and the number of the run that is being computed; the smallest
number is next.
"""

from typing import Dict, Generic, List, Optional, Tuple, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Waiting runs, each of an owner.

    >>> queue = FairQueue()
    >>> for owner, run in [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1")]:
    ...     queue.put(owner, run)
    >>> queue.order()
    ['a1', 'b1', 'a2', 'a3']
    """

    def __init__(self) -> None:
        self._waiting: List[Tuple[int, int, Item]] = []
        self._last: Dict[str, int] = {}
        self._now = 0
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, owner: str, item: Item) -> None:
        """Add a run of an owner."""
        number = max(self._now, self._last.get(owner, 0)) + 1
        self._last[owner] = number
        self._arrivals += 1
        self._waiting.append((number, self._arrivals, item))
        self._waiting.sort(key=lambda entry: entry[:2])

    def take(self) -> Optional[Item]:
        """Take out the next run; None if none waits."""
        if not self._waiting:
            return None
        self._now, _, item = self._waiting.pop(0)
        self._last = {owner: number for owner, number in self._last.items() if number > self._now}
        return item

    def remove(self, item: Item) -> None:
        """Take out a run wherever it is; nothing happens if it is not there."""
        self._waiting = [entry for entry in self._waiting if entry[2] is not item]

    def order(self) -> List[Item]:
        """The runs in the order in which they would be taken out now."""
        return [item for _, _, item in self._waiting]
