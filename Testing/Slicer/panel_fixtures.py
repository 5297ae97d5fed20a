"""Fixtures for tests of the panel: the real panel with runs that the test ends."""

import pytest
from panel_doubles import madeUpScan
from panel_hand import makeHand


@pytest.fixture
def hand(host, scene):
    """A panel in an empty scene."""
    made, end = makeHand(host)
    yield made
    end()


@pytest.fixture
def scan(hand):
    """A made-up scan, loaded and chosen."""
    volumeNode = madeUpScan()
    hand.host.waitFor(lambda: hand.enabled("segmentButton"))
    return volumeNode
