"""Processes that tests start and wait for."""

import os
from pathlib import Path


def process_exists(pid: int) -> bool:
    """Whether a process of that number runs here; one that has ended but was not reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in "ZX"
    except (ProcessLookupError, FileNotFoundError) as error:
        return isinstance(error, FileNotFoundError) and not Path("/proc/self").exists()
