"""Two or more dates of one patient: livers registered, lesions matched, sizes and response over time.

    from LiverSegLib.followup import Visit, compare
    found = compare([Visit(first, "2026-03-01"), Visit(second, "2026-06-01")])
    found.courses, found.responses, found.warnings

``visits`` puts scans in order, ``livers`` and ``registration`` bring them together, ``carrying`` and
``matching`` say which lesion is which, ``courses`` and ``recist`` what became of them; ``reading`` takes
scans and earlier results, ``page`` and ``files`` show and write the comparison.
"""

from .comparison import FollowUp, compare
from .courses import AtDate, Course
from .recist import Response
from .visits import Visit, visit_of

__all__ = ["AtDate", "Course", "FollowUp", "Response", "Visit", "compare", "visit_of"]
