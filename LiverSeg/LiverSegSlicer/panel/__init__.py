"""The panel: one class a section, and what the sections share. Qt widgets, no algorithm."""
