"""``python -m LiverSegLib.server``: the worker, which can also let a server compute in its place."""

import sys

from ..worker.server import main
from .servers import Servers

if __name__ == "__main__":
    sys.exit(main(servers=Servers()))
