"""Masks: connected components, enclosed holes, the clean-up after the network, distances within them.

Arrays are (z, y, x). Nothing here knows of files or of Slicer.
"""
