"""A case that failed: its row of the tables, and a page with the sentence and, if possible, a picture."""

import os
from html import escape
from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from ..errors import InputError, LiverSegError, OutOfMemoryError, WorkerError
from ..sentences import Sentence
from .case import Case, Options
from .guard import TookTooLongError

PAGE, PICTURE = "failure.html", "scan.jpg"
"""Files of a failed case's folder."""

WITHOUT_PICTURE = (InputError, OutOfMemoryError, TookTooLongError, WorkerError)
"""Failures after which the scan is not read again: it cannot be, or would take time and memory again."""


def failure_row(error: LiverSegError, case: Case, options: Options) -> Dict[str, Any]:
    """The columns of a failed case: state, code and sentence."""
    sentence = without_names(error.sentence, case) if options.anonymous else str(error)
    return {"state": "failed", "error_code": error.code, "error": sentence}


def without_names(sentence: str, case: Case) -> str:
    """A sentence about a case with the case's name in place of files, folders and identifiers.

    >>> case = Case("case-1", "/data/Doe_John/ct.nii.gz")
    >>> without_names("ct.nii.gz is damaged.", case)
    'case-1 is damaged.'
    >>> without_names(Sentence("read.lacks-data", name="ct.mhd", data="Doe_John.raw"), case)
    'case-1 refers to case-1, which is not there.'
    """
    if isinstance(sentence, Sentence):
        known = {
            key: case.name if type(value) is str and _may_name(value, case) else value
            for key, value in sentence.arguments.items()
        }
        return str(Sentence(sentence.key, **known))
    base = os.path.basename(case.source.rstrip("/\\"))
    names = (case.source, os.path.dirname(case.source), base, base.split(".")[0], case.series or "")
    for name in sorted({name for name in names if len(name) > 1}, key=len, reverse=True):
        sentence = sentence.replace(name, case.name)
    return sentence


def _may_name(value: str, case: Case) -> bool:
    """Whether an argument of a sentence may be a path, the name of a file, or a part of the case's path."""
    return any(sign in value for sign in "/\\.") or (len(value) > 1 and value in case.source)


def write_failure_page(
    folder: Path, row: Mapping[str, Any], error: LiverSegError, case: Case, options: Options
) -> None:
    """Write the page of a failed case, and a picture of its scan where the scan itself is whole.

    Raises:
        OSError: they cannot be written.
    """
    import LiverSegLib

    from ..evaluation.html import definitions_table, page, section

    pictured = not isinstance(error, WITHOUT_PICTURE) and _draw(folder, case, options)
    shown = f'<figure><img src="{PICTURE}" alt="Middle slices of the scan"></figure>' if pictured else ""
    facts = {key: str(row[key]) for key in ("source", "series", "error_code") if row.get(key)}
    details = "" if options.anonymous else error.details or ""
    text = page(
        title=case.name,
        kind="case that failed",
        facts=("part of a cohort",),
        version=LiverSegLib.__version__,
        sections=(
            f'<section class="warnings"><h2>No result</h2><p>{escape(str(row["error"]))}</p></section>',
            section("The scan", shown, definitions_table(facts)),
            section("For developers", f"<pre>{escape(details)}</pre>") if details else "",
            section("The cohort", '<p><a href="../../cohort.html">All cases</a></p>'),
        ),
    )
    text = text.replace("img-src data:", "img-src 'self' data: file:", 1)
    (folder / PAGE).write_text(text, encoding="utf-8", errors="replace")


def _draw(folder: Path, case: Case, options: Options) -> bool:
    """Draw the scan's middle slices; whether that was possible."""
    from .pictures import scan_picture

    try:
        scan_picture(case, options).save(folder / PICTURE, "JPEG", quality=85)
    except (LiverSegError, ImportError, ValueError, RuntimeError, MemoryError):
        return False  # what made the case fail may come again
    return True


def picture_of_failure(folder: Path) -> Optional[Path]:
    """The picture of a failed case, if it has one."""
    return folder / PICTURE if (folder / PICTURE).is_file() else None
