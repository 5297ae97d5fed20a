"""Many scans: found, computed by worker processes of Dask, collected as tables and one page.

``find`` and ``case_list`` say which cases there are, ``ledger`` which of them are done, ``work`` is what a
worker process does with one case, ``cluster`` has the workers, ``run`` gives them the cases. ``rows``,
``tables`` and ``overview`` make of the results what a study needs. The folder of results is the only
memory: whatever is killed, the same command goes on with what is missing.
"""

from .case import Case, Options
from .ledger import Ledger
from .sources import find_cases

__all__ = ["Case", "Ledger", "Options", "find_cases"]
