"""Fatty liver in the scene: ROI nodes, the reading that is kept of them, assessment, table and plots."""
