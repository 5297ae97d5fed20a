"""The ``liverseg`` command: parsing, progress, printing. What it does is done by the rooms below.

``app`` holds the commands and turns every failure into a sentence and an exit code; ``segment``,
``steatosis``, ``agree``, ``mesh`` and ``lists`` carry them out; ``console`` speaks to the user or the calling
program; ``progress`` and ``interrupts`` are what their names say.
"""

from .app import EXIT_CODES, main

__all__ = ["EXIT_CODES", "main"]
