"""Scans from a hospital's image server and results to it, over DICOMweb (QIDO-RS, WADO-RS, STOW-RS).

The only room that opens a connection to an image server, and only when the user asks for it by name. Needs
the package dicomweb-client (extra ``dicomweb``).

``connection`` checks the address and reads the login from the environment; ``session`` and ``client`` send
requests, try them again and end them when the user cancels; ``failures`` puts into words what went wrong.
``query`` finds series, ``choice`` chooses one, ``fetch`` stores it in a folder, ``push`` sends files.
"""

from .choice import choose_series
from .connection import Connection
from .fetch import fetch_series
from .push import Answer, Outgoing, Outgoings, Refusal, outgoing_files, push_files
from .query import Query, SeriesFound, query_series

__all__ = [
    "Answer",
    "Connection",
    "Outgoing",
    "Outgoings",
    "Query",
    "Refusal",
    "SeriesFound",
    "choose_series",
    "fetch_series",
    "outgoing_files",
    "push_files",
    "query_series",
]
