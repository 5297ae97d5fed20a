"""``python -m LiverSegLib.cli`` is the ``liverseg`` command."""

import sys

from .app import main

if __name__ == "__main__":
    sys.exit(main())
