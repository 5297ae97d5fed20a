"""Correcting a segmentation: the Segment Editor effect, what it asks the worker for, the recovery journal."""
