"""How well two readings of the same scans agree: tables in, statistics and plots out."""
