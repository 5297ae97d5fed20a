"""Fatty liver: attenuation ROIs in liver and spleen, their statistics, the liver/spleen ratio and its grade.

``roi`` holds the data. ``candidates`` and ``placement`` choose where ROIs lie, ``roi_weights`` and
``roi_statistics`` measure them, ``organs`` and ``noise`` say where and how noisy the organs are.
``attenuation`` says what the liver alone shows, ``conditions`` what stands against grading; ``assess``
returns an ``assessment``.
"""
