"""Class scores on the network's grid to labels at the scan's own voxels, plane by plane.

Between samples that agree, scores need not be interpolated. Linear interpolation keeps a class on top where
it is on top at all samples around a voxel, and the odds against it never rise above the largest of those
samples. So where all of them give one class with a probability that rounds to 255 in 8 bits, the voxel gets
that class and 255: exactly what interpolating every class would give. Only the other voxels, near borders,
are interpolated in all classes.
"""

from dataclasses import dataclass
from typing import Callable, Dict, Iterable, Iterator, Optional, Tuple

import numpy as np

from LiverSegLib.inference.foreign.image import Resampling

SURE_ODDS = 1 / 510
"""A probability above 1 minus this rounds to 255 of 255."""
UNSURE = 65535
"""Code of a sample whose class is not beyond doubt."""
CHUNK_SCORES = 500_000
"""Scores interpolated at a time: what stays in a processor's cache."""

SOFTMAX, SIGMOID = "softmax", "sigmoid"
Check = Callable[[], None]


@dataclass(frozen=True)
class Decision:
    """How scores become a label.

    Attributes:
        activation: "softmax": the class with the highest score. "sigmoid": the last channel, in their order,
            whose probability is above one half; background if there is none.
        values: label value of each channel.
        before: probabilities are interpolated (MONAI), not scores, which are rounded to half precision then
            (nnU-Net).
    """

    activation: str
    values: Tuple[int, ...]
    before: bool = False

    @property
    def dtype(self) -> "np.dtype":
        """Of an array of labels."""
        return np.dtype(np.uint8 if max(self.values) <= 255 else np.uint16)

    def prepared(self, plane: np.ndarray) -> np.ndarray:
        """What is interpolated of a plane of scores (classes, ...)."""
        return self._probabilities(plane) if self.before else plane

    def decide(self, scores: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Channel (-1: background that has none) and probability of a label, of interpolated scores
        (classes, ...)."""
        if not self.before:
            scores = scores.astype(np.float16).astype(np.float32)
        if self.activation == SOFTMAX:
            channel = scores.argmax(0)
            if self.before:
                return channel, np.take_along_axis(scores, channel[None], 0)[0]
            return channel, 1 / np.exp(scores - scores.max(0)).sum(0)
        probability = scores if self.before else self._probabilities(scores)
        channel = np.full(scores.shape[1:], -1)
        chosen = 1 - probability.max(0)
        for index, one in enumerate(probability):
            above = one > 0.5
            channel[above] = index
            chosen[above] = one[above]
        return channel, chosen

    def codes(self, prepared: np.ndarray) -> np.ndarray:
        """Label value (uint16) of samples (classes, ...) that are beyond doubt, UNSURE of others."""
        channel, probability = self.decide(prepared)
        sure: np.ndarray = probability > 1 - SURE_ODDS
        if self.activation == SIGMOID:  # no other channel may turn up between two samples either
            each = prepared if self.before else self._probabilities(prepared)
            sure = np.all(np.abs(each - 0.5) > 0.5 - SURE_ODDS, axis=0)
        return np.where(sure, self.labels(channel).astype(np.uint16), np.uint16(UNSURE))

    def labels(self, channel: np.ndarray) -> np.ndarray:
        """Label values of channels, of which -1 is the background."""
        return np.array((*self.values, 0), self.dtype)[channel]

    def _probabilities(self, scores: np.ndarray) -> np.ndarray:
        if self.activation == SIGMOID:
            return 1 / (1 + np.exp(-np.clip(scores, -60, 60)))
        odds = np.exp(scores - scores.max(0))
        return odds / odds.sum(0)


def write_labels(
    planes: Iterable[np.ndarray],
    way: Resampling,
    decision: Decision,
    labels: np.ndarray,
    probability: Optional[np.ndarray],
    check: Check,
) -> None:
    """Classify the voxels of a scan.

    Args:
        planes: scores (classes, b, c) of each plane of the network's grid, in order.
        way: from the network's grid to the scan's; orders 0 and 1 only.
        decision: what scores mean.
        labels: (a, b, c) of the scan's grid, written.
        probability: the same in uint8, 255 times the label's, written; or None.
        check: called for each plane of the scan; raises to cancel.
    """
    along = way.maps[0]
    low, high, share = along.neighbours
    window = _Window(planes, decision)
    across = _Across(way, decision)
    for index in range(along.after):
        check()
        a, b, weight = int(low[index]), int(high[index]), float(share[index])
        window.hold(a, b)
        codes = window.codes[a]
        if weight > 0:
            codes = np.where(codes == window.codes[b], codes, np.uint16(UNSURE))
        scores = window.scores[a]
        if weight > 0:
            scores = scores + np.float32(weight) * (window.scores[b] - scores)
        plane, sure = across.label(codes, scores)
        labels[index] = plane
        if probability is not None:
            probability[index] = sure
    window.exhaust()


class _Window:
    """The planes that voxels of the scan lie between, and the codes of their samples."""

    def __init__(self, planes: Iterable[np.ndarray], decision: Decision) -> None:
        self._planes: Iterator[np.ndarray] = iter(planes)
        self._decision, self._read = decision, 0
        self.scores: Dict[int, np.ndarray] = {}
        self.codes: Dict[int, np.ndarray] = {}

    def hold(self, first: int, last: int) -> None:
        """Read on until both planes are there, and forget the ones before them."""
        for index in [index for index in self.scores if index < first]:
            del self.scores[index], self.codes[index]
        while self._read <= last:
            plane = next(self._planes)
            if self._read >= first:
                plane = self._decision.prepared(plane)
                self.scores[self._read], self.codes[self._read] = plane, self._decision.codes(plane)
            self._read += 1

    def exhaust(self) -> None:
        """Read the planes that no voxel lies at, which ends the tiles."""
        for _ in self._planes:
            pass


class _Across:
    """Labels of a plane of the scan from a plane of scores of the network's grid."""

    def __init__(self, way: Resampling, decision: Decision) -> None:
        self._decision = decision
        self._b, self._c = (axis.neighbours for axis in way.maps[1:])
        self._width = way.before[2]
        self._identity = all(axis.is_identity for axis in way.maps[1:])

    def label(self, codes: np.ndarray, scores: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Labels and probability (uint8), both (b, c) of the scan, of codes and scores (classes, b, c)."""
        if not self._identity:
            for axis, (low, high, _) in enumerate((self._b, self._c)):
                one, other = codes.take(low, axis), codes.take(high, axis)
                codes = np.where(one == other, one, np.uint16(UNSURE))
        places = np.flatnonzero(codes == UNSURE)
        plane = codes.astype(self._decision.dtype).ravel()
        sure = np.full(plane.size, 255, np.uint8)
        flat = scores.reshape(len(scores), -1)
        step = max(1, CHUNK_SCORES // len(scores))
        for start in range(0, places.size, step):
            part = places[start : start + step]
            channel, probability = self._decision.decide(self._at(flat, part, codes.shape[1]))
            plane[part] = self._decision.labels(channel)
            sure[part] = np.rint(probability * 255).astype(np.uint8)
        return plane.reshape(codes.shape), sure.reshape(codes.shape)

    def _at(self, flat: np.ndarray, places: np.ndarray, columns: int) -> np.ndarray:
        """Scores (classes, n), interpolated, at voxels of the scan's plane."""
        if self._identity:
            return flat[:, places]
        b, c = np.divmod(places, columns)
        rows = [self._b[0][b] * self._width, self._b[1][b] * self._width]
        low, high = self._c[0][c], self._c[1][c]
        share = self._c[2][c].astype(np.float32)
        lines = []
        for row in rows:
            first = flat.take(row + low, 1)
            lines.append(first + share * (flat.take(row + high, 1) - first))
        return lines[0] + self._b[2][b].astype(np.float32) * (lines[1] - lines[0])
