"""Which of several processes of one run this is."""

import os

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
"""Environment variables with a process's number: of torchrun, of Lightning's own processes, of Slurm."""


def is_first_process() -> bool:
    """Whether this process alone writes the run's files and speaks: it is the only one, or number 0."""
    return int(next((os.environ[name] for name in RANKS if name in os.environ), "0")) == 0
