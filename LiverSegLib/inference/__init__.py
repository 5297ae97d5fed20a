"""From a scan to its labels: ``locate``, ``segment``, ``label``, each a verb in a file of its own.

They use ``stage`` (a network and its description), ``tiles``, ``resample`` and ``devices``.
"""
