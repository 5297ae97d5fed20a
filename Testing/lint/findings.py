"""What the lint says, and the comments that let a finding pass."""

import re
from typing import Dict, Iterable, Iterator, List, NamedTuple, Tuple

_COMMENT = re.compile(r"#\s*lint:\s*allow\s+([a-z0-9]+)[ \t]*(.*)")


class Finding(NamedTuple):
    """One mistake: the file, its line (1-based), the code and a sentence."""

    path: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code}: {self.message}"


class Allowance(NamedTuple):
    """A comment that lets findings of one code pass on some lines."""

    line: int
    lines: Tuple[int, ...]
    code: str
    reason: str


def allowances(text: str) -> List[Allowance]:
    """The allowing comments of a Python file; one that stands alone counts for the next line of code."""
    found = []
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        match = _COMMENT.search(line)
        if match:
            target = number
            while target < len(lines) and lines[target - 1].lstrip().startswith("#"):
                target += 1
            found.append(Allowance(number, (number, target), match.group(1), match.group(2).strip()))
    return found


def without_allowed(path: str, text: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings that no comment allows, and those about the comments themselves."""
    comments = allowances(text)
    by_place: Dict[Tuple[int, str], Allowance] = {
        (line, comment.code): comment for comment in comments for line in comment.lines
    }
    used = set()
    for finding in findings:
        comment = by_place.get((finding.line, finding.code))
        if comment is None:
            yield finding
        else:
            used.add(comment)
    for comment in comments:
        if not comment.reason:
            yield Finding(path, comment.line, "allow", f"say why {comment.code} is allowed here")
        elif comment not in used:
            yield Finding(path, comment.line, "allow", f"there is no finding of {comment.code} to allow here")
