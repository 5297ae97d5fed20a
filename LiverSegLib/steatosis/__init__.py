"""Fatty liver: attenuation ROIs in liver and spleen, their statistics, the liver/spleen ratio and its grade.

``roi`` holds the data, ``candidates`` and ``placement`` find places, ``roi_statistics`` measures, ``noise``
and ``conditions`` say what stands against grading, ``assess`` judges and returns an ``assessment``.
"""
