"""Fixtures for tests of the panel: the real panel with runs that the test ends."""

import pytest
from panel_doubles import madeUpScan


@pytest.fixture
def scan(hand):
    """A made-up scan, loaded and chosen."""
    volumeNode = madeUpScan()
    hand.host.waitFor(lambda: hand.enabled("segmentButton"))
    return volumeNode
