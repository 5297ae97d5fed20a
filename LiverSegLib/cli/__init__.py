"""The ``liverseg`` command: parsing, progress, printing. What it does is done by the rooms below.

``app`` puts the commands together and turns every failure into a sentence and an exit code. Each command has
a file of its name, which loads what it needs when it runs, so that the help appears at once; ``options`` has
what several of them take. ``console`` speaks to the user or the calling program, ``progress`` draws the bar,
``interrupts`` acts on Ctrl-C, ``checks`` is what ``liverseg doctor`` looks at.
"""

from .app import EXIT_CODES, main

__all__ = ["EXIT_CODES", "main"]
