"""``python Testing/lint``: see the package's docstring."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lint.command import main  # noqa: E402 (the path first: this runs as a folder, not as a package)

sys.exit(main(sys.argv[1:]))
