"""The rules: each takes a file, and what is known about Slicer, and yields findings."""
