"""Fixtures for tests of fatty liver: a panel with an unenhanced scan, its result, its ROIs."""

import pytest
from steatosis_patients import addResult, placeByHand, unenhancedScan


@pytest.fixture
def unenhanced(hand):
    """An unenhanced scan, chosen."""
    volumeNode = unenhancedScan()
    hand.settle()
    return volumeNode


@pytest.fixture
def segmented(hand, unenhanced):
    """The scan, segmented."""
    segmentationNode = addResult(unenhanced)
    hand.settle()
    return segmentationNode


@pytest.fixture
def placed(hand, segmented):
    """The result with its automatic ROIs."""
    placeByHand(hand)
    return segmented
