"""What the segments of a segmentation that LiverSeg did not make seem to be, and how it was made."""

import given_samples as samples
import pytest
from logic_doubles import addVolume


@pytest.fixture
def truth():
    import doubles

    return doubles.labels_array()


def test_codes_come_before_names_and_what_is_told_before_both(scene, truth):
    from LiverSegSlicer.scene import given

    volumeNode = addVolume()
    node = samples.hers(volumeNode, truth)
    samples.codeAsLiver(node, "Haut")
    found = {item.name: item.structure for item in given.segmentsOf(node)}
    assert found == {"Leber": "liver", "Milz": "spleen", "Läsion 1": "tumor", "Haut": "liver"}
    ids = {item.name: item.segmentID for item in given.segmentsOf(node)}
    told = given.structuresOf(node, {"Haut": "none", ids["Milz"]: "tumor"})
    assert told == {
        ids["Leber"]: "liver", ids["Milz"]: "tumor", ids["Läsion 1"]: "tumor", ids["Haut"]: "none"
    }  # fmt: skip


def test_how_it_was_made_comes_from_dicom(scene, truth):
    from LiverSegSlicer.scene import given

    node = samples.hers(addVolume(), truth)
    assert given.wayMade(node) == ""
    for name in samples.masksOf(truth):
        samples.setTag(node, name, "DICOM.SegmentAlgorithmType", "SEMIAUTOMATIC")
    assert given.wayMade(node) == "semiautomatic"
    samples.setTag(node, "Haut", "DICOM.SegmentAlgorithmType", "MANUAL")
    assert given.wayMade(node) == ""
