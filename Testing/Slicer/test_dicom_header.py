"""Tube voltage, contrast agent and series that Slicer's DICOM database knows reach phase and grade."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from logic_doubles import addVolume
from steatosis_patients import addResult, unenhancedScan

pytest_plugins = ["steatosis_fixtures"]

UIDS = "1.2.840.1.1 1.2.840.1.2 1.2.840.1.3"


class Database:
    """As ctkDICOMDatabase answers in 3D Slicer 5.8.1: texts, empty for what is not there; tags as
    "GGGG,EEEE" with capital letters. A value may be a list, one for each instance.
    """

    isOpen = True

    def __init__(self, files=None, **values):
        names = {"kvp": "0018,0060", "agent": "0018,0010", "series": "0008,103E", "kind": "0008,0016"}
        self._values = {names[name]: value for name, value in values.items()}
        self._files = files or {}

    def instanceValue(self, instance, tag):
        assert isinstance(instance, str) and tag == tag.upper()
        value = self._values.get(tag, "")
        return value[UIDS.split().index(instance)] if isinstance(value, list) else value

    def fileForInstance(self, instance):
        return self._files.get(instance, "")


@pytest.fixture
def known(monkeypatch, host):
    """Let Slicer's database know the images of a volume."""
    import slicer

    def know(volumeNode, uids=UIDS, **values):
        monkeypatch.setattr(slicer, "dicomDatabase", Database(**values), raising=False)
        volumeNode.SetAttribute("DICOM.instanceUIDs", uids)

    return know


@pytest.mark.parametrize(
    ("values", "grade", "reason"),
    [
        ({"kvp": "120"}, "mild", None),
        ({"kvp": "120.000000", "agent": "ohne KM"}, "mild", None),
        ({"kvp": "100"}, None, "100 kV"),
        ({"kvp": "80.0"}, None, "80 kV"),
        ({"kvp": "120", "agent": "ULTRAVIST 370"}, None, "ULTRAVIST 370"),
    ],
)
def test_the_grade_and_its_reason(hand, segmented, known, values, grade, reason):
    volumeNode = hand.panel.parameters.inputVolume
    known(volumeNode, **values)
    assessment = hand.logic.assessSteatosis(volumeNode, segmented)
    assert assessment.conditions.kvp == float(values["kvp"])
    assert assessment.grade == grade
    if reason is not None:
        assert any(reason in text for text in assessment.reasons_not_to_grade), (
            assessment.reasons_not_to_grade
        )


def test_the_words_of_the_series_count_where_the_phase_is_estimated(hand, known):
    """Of a segmentation that LiverSeg has not measured."""
    from LiverSegSlicer.fatty_liver.assess import newReading
    from LiverSegSlicer.fatty_liver.meters import Meters
    from LiverSegSlicer.work.run import doAtOnce

    volumeNode = unenhancedScan()
    segmentationNode = addResult(volumeNode, phase=None)
    hand.settle()
    meter = doAtOnce(Meters().make(volumeNode, segmentationNode))
    assert newReading(volumeNode, segmentationNode, meter).phase == "unenhanced"
    known(volumeNode, series="Abdomen portalvenös")
    assert newReading(volumeNode, segmentationNode, meter).phase == "unknown"


def test_a_voltage_that_changes_within_the_series_is_not_known(scene, known):
    from LiverSegSlicer.scene.dicom_header import tubeVoltageOf

    volumeNode = addVolume()
    known(volumeNode, kvp=["120", "120", "100"])
    assert tubeVoltageOf(volumeNode) is None
    known(volumeNode, kvp=["100", "100", "100"])
    assert tubeVoltageOf(volumeNode) == 100
    for text in ("", "0", "unknown"):
        known(volumeNode, kvp=text)
        assert tubeVoltageOf(volumeNode) is None


def test_without_a_database_or_images_in_it_nothing_is_known(scene, known, monkeypatch):
    import slicer

    from LiverSegSlicer.scene.dicom_header import headerFacts

    nothing = {"kvp": None, "contrast_agent": None, "description": None}
    volumeNode = addVolume()
    assert headerFacts(volumeNode) == nothing
    known(volumeNode, uids="", kvp="120")
    assert headerFacts(volumeNode) == nothing
    known(volumeNode, kvp="120")
    slicer.dicomDatabase.isOpen = False
    assert headerFacts(volumeNode) == nothing
    monkeypatch.delattr(slicer, "dicomDatabase", raising=False)
    assert headerFacts(volumeNode) == nothing


def test_an_enhanced_image_keeps_them_in_its_file(scene, known, tmp_path):
    pytest.importorskip("pydicom")
    from test_dicom import ENHANCED_CT, body
    from test_dicom_stacks import one, write_enhanced

    from LiverSegSlicer.scene.dicom_header import headerFacts

    agent = one(CodeValue="C-B0322", CodingSchemeDesignator="SRT", CodeMeaning="Iohexol")
    frames = [{"CTXRayDetailsSequence": {"KVP": 100.0}}] * 8
    write_enhanced(tmp_path / "a.dcm", body(8), range(8), frames, ContrastBolusAgentSequence=agent)
    volumeNode, uid = addVolume(), UIDS.split()[0]
    known(volumeNode, uid, kind=ENHANCED_CT, series="Leber", files={uid: str(tmp_path / "a.dcm")})
    facts = {"kvp": 100.0, "contrast_agent": "Iohexol", "description": "Leber"}
    assert headerFacts(volumeNode) == facts
    known(volumeNode, uid, kind=ENHANCED_CT, series="Leber", files={uid: str(tmp_path / "gone.dcm")})
    assert headerFacts(volumeNode) == {**facts, "kvp": None, "contrast_agent": None}


def test_they_go_to_the_worker_with_the_scan(scene, known, monkeypatch):
    from LiverSegSlicer import jobs

    def kept(*_run, **_anew):
        yield
        return SimpleNamespace(voxels="voxels.npy")

    monkeypatch.setattr(jobs, "keepScan", kept)
    monkeypatch.setattr(jobs, "folderFor", lambda run: nullcontext(SimpleNamespace(name="a")))
    monkeypatch.setattr(jobs, "_waitingFor", lambda *_: "")
    volumeNode = addVolume()
    known(volumeNode, kvp="100", agent="Iomeron", series="Leber arteriell")
    run = SimpleNamespace(tell=lambda *_: None, stop=lambda *_: None)
    steps = jobs.segmentSteps(volumeNode, jobs.SegmentOptions(), run)
    request = next(step for step in steps if isinstance(step, jobs.Ask)).message
    steps.close()
    assert (request.kvp, request.contrast_agent, request.description) == (100.0, "Iomeron", "Leber arteriell")
