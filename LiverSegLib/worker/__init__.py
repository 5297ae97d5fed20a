"""The core as a warm child process that is spoken to in JSON lines: ``python -m LiverSegLib.worker``.

``server`` reads requests and answers, ``tasks`` does what they ask. ``messages`` are what both sides say,
``protocol`` the lines of JSON that carry them, ``scratch`` the private folder that arrays are handed over in.
"""
