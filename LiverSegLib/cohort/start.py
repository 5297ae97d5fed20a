"""What Dask calls as a worker process on this computer starts."""

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C, which a terminal sends to all processes of a command, to the one that leads them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
