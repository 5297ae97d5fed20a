"""Where the host writes down what real Slicer would only print: a test reads it at its end and fails."""

import sys
import traceback
from typing import List


class Recorder:
    """Problems met since the last `take`, as texts: exceptions in slots and observers, and broken rules of
    PythonQt.
    """

    def __init__(self) -> None:
        self.problems: List[str] = []

    def violation(self, text: str) -> None:
        """Notes something that Slicer would refuse, or silently not do, without an exception for the
        caller.
        """
        place = "".join(traceback.format_list(_frames_of_the_module()))
        self.note(f"HOST VIOLATION {text}\n{place}".rstrip())

    def exception(self, where: str) -> None:
        """Notes the exception being handled: Slicer prints it and goes on."""
        self.note(f"EXCEPTION IN {where}\n{traceback.format_exc()}")

    def take(self) -> List[str]:
        """The problems so far; forgets them."""
        found, self.problems = self.problems, []
        return found

    def note(self, text: str) -> None:
        """Notes a problem as it is."""
        self.problems.append(text)
        print(text, file=sys.stderr)


def _frames_of_the_module() -> List[traceback.FrameSummary]:
    """The last two lines of code outside this package that led here."""
    folder = __file__.rsplit("/", 1)[0]
    return [frame for frame in traceback.extract_stack() if not frame.filename.startswith(folder)][-2:]


recorder = Recorder()
"""The one recorder of the session."""
