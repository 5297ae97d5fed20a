"""Core and MRML: volumes, segmentations, tables, marks, folders, views. The only room where LPS meets RAS."""
