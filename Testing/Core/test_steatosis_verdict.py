"""One verdict on liver fat: disagreeing measures, portal screening, a phase chosen by the reader."""

import pytest
from fatty_phantom import assessed, fatty_scan, reading
from rich.console import Console

from LiverSegLib.cli.steatosis_view import assessment_view
from LiverSegLib.errors import UsageError
from LiverSegLib.report.fatty_liver import fatty_liver_section
from LiverSegLib.report.planes import PatientView
from LiverSegLib.sentences import Sentence
from LiverSegLib.steatosis.assess import Assessment, Conditions, assess, assess_scan


def judged(liver, spleen, **conditions):
    """The assessment of three ROIs of one value in each organ; unenhanced, 120 kVp unless told otherwise."""
    known = {"phase": "unenhanced", "kvp": 120.0, **conditions}
    livers, spleens = (
        [reading(f"{letter}{n}", (x + 15.0 * n, 0.0, 60.0), hu) for n in (1, 2, 3)]
        for letter, x, hu in (("L", -90.0, liver), ("S", 50.0, spleen))
    )
    return assess(livers, spleens, conditions=Conditions(**known))


def terminal_text(assessment):
    console = Console(width=300, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(*assessment_view(assessment))
    return console.export_text()


def report_text(assessment):
    return fatty_liver_section(assessment, PatientView.of(*fatty_scan()))


# --- disagreement --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "liver, spleen, conditions, key",
    [
        (48.0, 42.0, {}, "fat.more-dark-spleen"),
        (48.0, 47.0, {}, "fat.more-unexplained"),
        (48.0, 47.0, {"kvp": None}, "fat.more-kvp-unknown"),
        (48.0, 47.0, {"liver_noise_hu": 30.0}, "fat.more-noise"),
        (38.0, 48.0, {}, "fat.more-unexplained"),
        (49.0, 70.0, {}, None),
        (45.0, 66.0, {}, None),
        (48.5, 70.0, {}, "fat.less-bright-spleen"),
        (66.0, 68.0, {}, "fat.less-bright-spleen"),
        (60.0, 50.0, {}, None),
        (44.0, 50.0, {}, None),
        (30.0, 50.0, {}, None),
        (15.0, 50.0, {}, None),
    ],
)
def test_liver_alone_that_disagrees_with_the_ratio_is_said_with_the_reason(liver, spleen, conditions, key):
    found = judged(liver, spleen, **conditions)
    assert found.grade is not None
    assert getattr(found.disagreement, "key", None) == key


def test_disagreement_is_one_sentence_with_values_in_place_of_other_verdicts():
    found = judged(48.0, 42.0)
    assert found.grade == "normal"
    assert found.disagreement == (
        "The liver alone (48 HU, fat about 10 %) says more fat than the ratio: "
        "the spleen is dark (42 HU), which raises the ratio."
    )
    for text in (terminal_text(found), report_text(found)):
        assert text.count("says more fat than the ratio") == 1
        assert "moderate to severe fat" not in text and "mild fat" not in text


def test_without_a_verdict_nothing_disagrees():
    assert judged(48.0, 42.0, kvp=100.0).disagreement is None
    assert judged(48.0, 42.0, phase="unknown").disagreement is None


def test_another_tube_voltage_explains_a_disagreement_of_a_grade_given_anyway():
    livers, spleens = (judged(48.0, 47.0).rois_of(organ) for organ in ("liver", "spleen"))
    conditions = Conditions(phase="unenhanced", kvp=100.0)
    found = assess(livers, spleens, conditions=conditions, grade_anyway=True)
    assert found.disagreement.key == "fat.more-kvp"


def test_without_a_spleen_the_liver_alone_speaks():
    found = assessed(spleen=())
    assert found.ratio is None
    assert found.liver_text in terminal_text(found) and found.liver_text in report_text(found)


# --- screening -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "liver, key",
    [
        (79.9, "fat.screening-below-80"),
        (80.0, "fat.screening-below-90"),
        (89.9, "fat.screening-below-90"),
        (90.0, "fat.screening-above"),
    ],
)
def test_portal_liver_is_screened_by_its_attenuation_alone(liver, key):
    found = judged(liver, 120.0, phase="portal")
    assert found.screening.key == key and found.grade is None
    for text in (terminal_text(found), report_text(found).replace("&#x27;", "'")):
        assert text.count(found.screening) == 1 and "n = 1676" in text
        assert "Approximate fat" not in text


@pytest.mark.parametrize("phase", ["unenhanced", "arterial", "late", "unknown", None])
def test_no_other_phase_is_screened(phase):
    assert judged(70.0, 110.0, phase=phase).screening is None


def test_screening_and_disagreement_survive_being_written():
    for found in (judged(70.0, 110.0, phase="portal"), judged(48.0, 42.0)):
        data = found.to_dict()
        back = Assessment.from_dict(data)
        assert (back.screening, back.disagreement) == (found.screening, found.disagreement)
        del data["screening"], data["disagreement"]
        assert Assessment.from_dict(data).screening is None


# --- phase chosen by the reader ------------------------------------------------------------------------


def test_phase_that_the_reader_chooses_lets_an_unknown_scan_be_graded_and_is_named():
    image, labels = fatty_scan()
    unsure = assess_scan(image, labels, phase="unknown", kvp=120.0)
    found = assess_scan(image, labels, phase="unknown", kvp=120.0, chosen_phase="unenhanced")
    assert unsure.grade is None and found.grade is not None and not found.graded_anyway
    assert found.conditions.phase_by_reader and found.conditions.estimated_phase == "unknown"
    for text in (terminal_text(found), report_text(found)):
        assert "The reader chose the phase: unenhanced." in text
    assert Assessment.from_dict(found.to_dict()).conditions == found.conditions


def test_choice_that_the_image_contradicts_is_a_warning():
    image, labels = fatty_scan()
    found = assess_scan(
        image, labels, phase="late", phase_reason="Aorta 80 HU.", kvp=120.0, chosen_phase="unenhanced"
    )
    assert Sentence("fat.phase-against-image", reason="Aorta 80 HU.") in found.warnings
    same = assess_scan(image, labels, phase="unenhanced", kvp=120.0, chosen_phase="unenhanced")
    assert same.warnings == ()


def test_enhanced_phase_that_the_reader_chooses_forbids_the_grade():
    image, labels = fatty_scan()
    found = assess_scan(image, labels, phase="unenhanced", kvp=120.0, chosen_phase="late")
    assert found.grade is None
    assert found.reasons_not_to_grade[0] == Sentence("fat.enhanced-by-reader-late")


def test_phase_that_there_is_not_is_refused():
    with pytest.raises(UsageError, match="no contrast phase venous; choose one of unenhanced"):
        assess_scan(*fatty_scan(), phase="unknown", chosen_phase="venous")
