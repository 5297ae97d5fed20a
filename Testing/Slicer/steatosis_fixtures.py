"""Fixtures for tests of fatty liver: a panel with an unenhanced scan, its result, its ROIs."""

import pytest
from panel_hand import makeHand
from steatosis_patients import addResult, placeByHand, unenhancedScan


@pytest.fixture
def hand(host, scene):
    """A panel in an empty scene."""
    made, end = makeHand(host)
    yield made
    end()


@pytest.fixture
def scan(hand):
    """An unenhanced scan, chosen."""
    volumeNode = unenhancedScan()
    hand.settle()
    return volumeNode


@pytest.fixture
def result(hand, scan):
    """The scan, segmented."""
    segmentationNode = addResult(scan)
    hand.settle()
    return segmentationNode


@pytest.fixture
def placed(hand, result):
    """The result with its automatic ROIs."""
    placeByHand(hand)
    return result
