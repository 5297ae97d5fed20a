"""The core as a warm child process that is spoken to in JSON lines: ``python -m LiverSegLib.worker``.

``server`` reads requests and answers, ``tasks`` does what they ask, ``protocol`` is what both sides say,
``scratch`` the private folder in which arrays are handed over.
"""
