"""Core and MRML: volumes, segments, the parts of a result, tables, marks, folders, views.

The only room where LPS meets RAS.
"""
