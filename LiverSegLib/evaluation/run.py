"""All cases of an evaluation, one in memory at a time."""

import multiprocessing
import signal
from dataclasses import dataclass
from typing import Callable, Iterator, List, Optional, Sequence, Tuple, Union

from ..errors import InputError, LiverSegError
from .case_files import CaseFile, Matched
from .label_images import on_grid, read_labels
from .score import CaseScore, Settings, score_case

Progress = Callable[[int, int, str], None]
"""Is told of each case, when it begins or, with several at a time, when it is done: cases done, cases in all,
name of the case."""


@dataclass(frozen=True)
class Failure:
    """A case that could not be scored, and a sentence why."""

    case: str
    reason: str


@dataclass(frozen=True)
class Evaluation:
    """Scores of all cases.

    Attributes:
        settings: how they were scored.
        cases: in the order of their names.
        failed: cases that could not be scored.
        missing: references without a prediction.
        extra: predictions without a reference.
    """

    settings: Settings
    cases: Tuple[CaseScore, ...]
    failed: Tuple[Failure, ...] = ()
    missing: Tuple[str, ...] = ()
    extra: Tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every reference and every prediction took part."""
        return not (self.failed or self.missing or self.extra)


def evaluate(
    matched: Matched, settings: Settings, *, progress: Optional[Progress] = None, jobs: int = 1
) -> Evaluation:
    """Score all cases; one that cannot be scored is named and the others go on.

    Args:
        matched: which files belong together.
        settings: how to score.
        progress: is told of each case.
        jobs: processes at a time, each with one case in memory.

    Raises:
        InputError: no case could be scored.
    """
    tell = progress or (lambda done, count, case: None)
    scored: List[CaseScore] = []
    failed: List[Failure] = []
    pairs = sorted(matched.pairs, key=lambda pair: pair[0].case)
    for result in _results(pairs, settings, tell, jobs):
        if isinstance(result, Failure):
            failed.append(result)
        else:
            scored.append(result)
    if not scored:
        raise InputError(f'No case could be scored. "{failed[0].case}": {failed[0].reason}')
    return Evaluation(settings, tuple(scored), tuple(failed), matched.missing, matched.extra)


def score_files(pair: Tuple[CaseFile, CaseFile], settings: Settings) -> Union[CaseScore, Failure]:
    """Read and score one case; whatever is wrong with its files becomes a ``Failure``.

    Args:
        pair: reference and prediction.
        settings: how to score.
    """
    reference, prediction = pair
    try:
        return _scored(reference, prediction, settings)
    except LiverSegError as error:
        return Failure(reference.case, str(error))


def _scored(reference: CaseFile, prediction: CaseFile, settings: Settings) -> CaseScore:
    truth = read_labels(reference.path)
    found, note = on_grid(read_labels(prediction.path), truth.grid)
    notes = [] if note is None else [note]
    if truth.is_sheared:
        notes.append("The axes of the grid are not perpendicular: distances are approximate.")
    if reference.annotated is not None:
        left_out = [item.name for item in settings.structures if item.name not in reference.annotated]
        if len(left_out) == len(settings.structures):
            raise InputError(f"The reference annotates none of {', '.join(left_out)}.")
        if left_out:
            notes.append(f"Not annotated, so not scored: {', '.join(left_out)}.")
    return score_case(
        reference.case,
        truth.array,
        found.array,
        truth.grid,
        settings,
        annotated=reference.annotated,
        notes=notes,
    )


def _results(
    pairs: Sequence[Tuple[CaseFile, CaseFile]], settings: Settings, tell: Progress, jobs: int
) -> Iterator[Union[CaseScore, Failure]]:
    if jobs <= 1 or len(pairs) <= 1:
        for done, pair in enumerate(pairs):
            tell(done, len(pairs), pair[0].case)
            yield score_files(pair, settings)
        return
    # Leaving the block ends the processes, also when the user cancels.
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(pairs)), _leave_interrupts) as pool:
        for done, result in enumerate(pool.imap(_Scorer(settings), pairs), 1):
            tell(done, len(pairs), result.case)
            yield result


@dataclass(frozen=True)
class _Scorer:
    """``score_files`` with settings, as another process can be given it."""

    settings: Settings

    def __call__(self, pair: Tuple[CaseFile, CaseFile]) -> Union[CaseScore, Failure]:
        return score_files(pair, self.settings)


def _leave_interrupts() -> None:
    """Ctrl-C in a terminal reaches every process of a command; the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
