"""Fatty liver: ratio, interval, grade, absolute attenuation, and when not to grade."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from roi_patients import masked_patient, scan_of

from LiverSegLib.errors import ImageGeometryError, InputError, NoLiverError, UsageError
from LiverSegLib.steatosis.assess import assess, assess_scan, ratio_interval
from LiverSegLib.steatosis.assessment import GRADES, NOT_GRADED, Assessment, CutOffs
from LiverSegLib.steatosis.attenuation import difference_text, fat_fraction_percent, liver_text
from LiverSegLib.steatosis.conditions import Conditions, names_contrast_agent
from LiverSegLib.steatosis.roi import PlacementSettings, Roi, RoiValues

GOOD = Conditions(phase="unenhanced", kvp=120.0, liver_noise_hu=12.0, spleen_noise_hu=12.0)
hu = st.floats(15.0, 70.0)


def readings(organ, means, **values):
    """ROIs in a row, with the given means."""
    letter = {"liver": "L", "spleen": "S"}[organ]
    measured = {"sd_hu": 10.0, "voxels": 100.0, "inside": 1.0, "lesion": 0.0, **values}
    return [
        (Roi(f"{letter}{n}", organ, (20.0 * n, 0.0, 0.0), (10.0, 10.0, 10.0)), RoiValues(mean, **measured))
        for n, mean in enumerate(means, 1)
    ]


def assessed(liver, spleen, conditions=GOOD, **options):
    return assess(readings("liver", liver), readings("spleen", spleen), conditions=conditions, **options)


# --- the numbers ---------------------------------------------------------------------------------------


def test_ratio_is_the_mean_over_all_pairs_of_a_liver_and_a_spleen_roi():
    found = assessed([30.0, 60.0], [40.0, 50.0])
    assert found.ratio == pytest.approx(np.mean([30 / 40, 30 / 50, 60 / 40, 60 / 50]))
    assert found.ratio_of_means == pytest.approx(45 / 45)
    assert found.difference == pytest.approx(0.0)
    assert (found.liver_mean, found.spleen_mean) == (45.0, 45.0)
    assert found.pair_ratios() == pytest.approx(np.array([[0.75, 0.6], [1.5, 1.2]]))


@settings(max_examples=50, deadline=None)
@given(st.lists(hu, min_size=1, max_size=30), st.lists(hu, min_size=1, max_size=30))
def test_ratio_of_pairs_is_never_below_the_ratio_of_means(liver, spleen):
    found = assessed(liver, spleen)
    assert found.ratio >= found.ratio_of_means - 1e-9
    assert found.grade == CutOffs().grade(found.ratio) or found.reasons_not_to_grade
    if found.ratio_interval is not None:
        low, high = found.ratio_interval
        assert low <= high


def test_interval_needs_three_rois_in_each_organ():
    assert assessed([50.0, 51.0, 52.0], [48.0, 50.0]).ratio_interval is None
    found = assessed([50.0, 51.0, 52.0], [48.0, 50.0, 49.0])
    assert found.ratio_interval[0] < found.ratio < found.ratio_interval[1]
    few = assessed([50.0], [48.0, 50.0])
    assert "Only one ROI in the liver: there is no interval." in few.warnings
    assert "Only 2 ROIs in the spleen: there is no interval." in few.warnings


def test_interval_is_the_same_each_time_and_nothing_wide_where_all_rois_agree():
    liver, spleen = np.array([50.0, 55, 60, 52, 58]), np.array([50.0, 48, 51, 49, 52])
    assert ratio_interval(liver, spleen) == ratio_interval(liver, spleen)
    assert ratio_interval(liver, spleen, seed=1) != ratio_interval(liver, spleen)
    assert ratio_interval(np.full(5, 50.0), np.full(5, 40.0)) == pytest.approx((1.25, 1.25))


@pytest.mark.parametrize("count", [3, 5, 12])
def test_interval_holds_the_true_ratio_as_often_as_it_says(count):
    random = np.random.default_rng(0)
    held = 0
    for seed in range(400):
        low, high = ratio_interval(random.normal(50, 4, count), random.normal(48, 3, count), seed=seed)
        held += low <= 50 / 48 * (1 + (3 / 48) ** 2) <= high
    assert 0.90 <= held / 400 <= 0.99


def test_medians_of_the_whole_organs_come_along():
    labels = masked_patient()
    found = assess_scan(scan_of(labels), labels, phase="unenhanced")
    assert found.liver_median == pytest.approx(60, abs=1) and found.spleen_median == pytest.approx(50, abs=1)
    assert found.whole_organ["liver"].noise_hu == pytest.approx(8.0, rel=0.05)


# --- grades --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ratio, grade",
    [
        (1.5, "normal"),
        (1.001, "normal"),
        (1.0, "mild"),
        (0.7, "mild"),
        (0.6999, "moderate"),
        (0.5, "moderate"),
        (0.4999, "severe"),
        (-0.2, "severe"),
    ],
)
def test_grade_by_ratio(ratio, grade):
    assert CutOffs().grade(ratio) == grade
    # 0.7 arises from HU with a rounding error.
    assert CutOffs().grade(np.mean([ratio * 50.0 / 50.0] * 7)) == grade


def test_other_cut_offs_are_kept_with_the_result():
    cut_offs = CutOffs(normal_above=1.1, moderate_below=0.8, severe_below=0.6)
    found = assessed([50.0] * 3, [48.0] * 3, cut_offs=cut_offs)
    assert found.grade == "mild" and found.cut_offs == cut_offs
    assert found.to_dict()["cut_offs"] == {"normal_above": 1.1, "moderate_below": 0.8, "severe_below": 0.6}


@pytest.mark.parametrize(
    "wrong",
    [
        {"normal_above": 0.6},
        {"severe_below": 0.7},
        {"severe_below": 0.0},
        {"moderate_below": float("nan")},
        {"normal_above": float("inf")},
        {"normal_above": "1"},
    ],
)
def test_cut_offs_out_of_order_are_refused(wrong):
    with pytest.raises(UsageError, match="cut-offs"):
        CutOffs(**wrong)


def test_an_interval_across_a_cut_off_is_said():
    found = assessed([45.0, 50, 55, 49, 51], [50.0, 49, 51, 50, 50])
    assert "The 95 % interval of the ratio reaches from mild to normal." in found.warnings


def test_grades_are_ordered():
    assert GRADES == ("normal", "mild", "moderate", "severe")


# --- when not to grade ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, words",
    [
        ({"phase": "portal", "phase_reason": "Liver 110 HU."}, "portal venous phase. Liver 110 HU."),
        ({"phase": "arterial"}, "arterial phase"),
        ({"phase": "late"}, "delayed phase"),
        ({"phase": "unknown"}, "not known whether the scan holds contrast"),
        ({"phase": None}, "not known whether the scan holds contrast"),
        ({"contrast_agent": "OMNIPAQUE 350"}, "names a contrast agent (OMNIPAQUE 350)"),
        ({"kvp": 100.0}, "100 kVp"),
        ({"liver_touches": ("inferior",)}, "Part of the liver lies outside the scan (inferior border)"),
        ({"spleen_touches": ("field of view",)}, "Part of the spleen lies outside the scan (field of view)"),
        ({"liver_noise_hu": 55.0}, "noise in the liver is 55 HU"),
        ({"spleen_noise_hu": 41.0}, "noise in the spleen is 41 HU"),
    ],
)
def test_a_scan_that_misleads_is_not_graded_and_the_reason_said(change, words):
    conditions = replace(GOOD, **change)
    found = assessed([50.0] * 5, [48.0] * 5, conditions)
    assert found.grade is None and found.grade_text == NOT_GRADED
    assert any(words in reason for reason in found.reasons_not_to_grade)
    assert found.ratio is not None and not found.graded_anyway
    anyway = assessed([50.0] * 5, [48.0] * 5, conditions, grade_anyway=True)
    assert anyway.grade == "normal" and anyway.graded_anyway
    assert "in spite of the reasons" in anyway.grade_text
    assert anyway.reasons_not_to_grade == found.reasons_not_to_grade


def test_a_good_scan_is_graded_without_a_word():
    found = assessed([38.0] * 5, [48.0] * 5, grade_anyway=True)
    assert found.grade == "mild" and found.grade_text == "Mild fatty liver"
    assert found.reasons_not_to_grade == () and found.warnings == () and not found.graded_anyway


def test_implausible_attenuation_is_not_graded():
    bright = assessed([82.0] * 5, [50.0] * 5)
    assert any("iron, amiodarone" in reason for reason in bright.reasons_not_to_grade)
    pale = assessed([50.0] * 5, [12.0] * 5)
    assert any("The spleen has 12 HU" in reason for reason in pale.reasons_not_to_grade)


def test_an_unknown_tube_voltage_is_a_warning_only():
    found = assessed([38.0] * 5, [48.0] * 5, replace(GOOD, kvp=None))
    assert found.grade == "mild"
    assert any("tube voltage is not known" in sentence for sentence in found.warnings)


def test_without_a_spleen_only_the_liver_is_judged():
    found = assessed([35.0] * 5, [], grade_anyway=True)
    assert found.ratio is None and found.grade is None and found.ratio_of_means is None
    assert found.liver_mean == 35.0 and found.liver_text.startswith("Below 40 HU")
    assert any("no spleen" in reason for reason in found.reasons_not_to_grade)
    assert found.pair_ratios().shape == (5, 0)


def test_without_a_liver_roi_there_is_no_number():
    found = assessed([], [50.0] * 5)
    assert found.ratio is None and found.liver_text is None and found.fat_fraction_percent is None
    assert found.reasons_not_to_grade == ("There is no accepted ROI in the liver.",)


@pytest.mark.parametrize("spleen", [[50.0, 0.0, 50.0], [-3.0] * 3])
def test_there_is_no_ratio_to_a_spleen_roi_of_0_hu(spleen):
    found = assessed([40.0] * 3, spleen, grade_anyway=True)
    assert found.ratio is None and found.grade is None
    assert found.reasons_not_to_grade


def test_a_liver_below_0_hu_is_severe():
    assert assessed([-5.0] * 4, [50.0] * 4).grade == "severe"


@pytest.mark.parametrize("text", [None, "", "  ", "NONE", "No contrast", "ORAL", "Oral & rectal", "w/o"])
def test_a_tag_that_names_no_intravenous_agent_does_not_count(text):
    assert not names_contrast_agent(text)


@pytest.mark.parametrize("text", ["CONTRAST", "Iomeron 400", "oral & IV", "Omnipaque + gastrografin"])
def test_a_tag_that_names_an_intravenous_agent_counts(text):
    assert names_contrast_agent(text)


# --- ROIs that a reader has edited ---------------------------------------------------------------------


def test_an_roi_outside_the_scan_does_not_count():
    outside = (
        Roi("L9", "liver", (0.0, 0.0, 900.0), (10.0,) * 3, False),
        RoiValues(None, None, 0.0, 0.0, 0.0),
    )
    found = assess([*readings("liver", [40.0] * 3), outside], readings("spleen", [50.0] * 3), conditions=GOOD)
    assert found.liver_mean == 40.0 and found.edited
    assert "L9 lies outside the scan and does not count." in found.warnings


def test_flags_small_and_overlapping_rois_are_said():
    flagged = readings("liver", [40.0] * 3, flags=("It touches a lesion.",))
    small = replace(flagged[0][0], size=(10.0, 4.0, 10.0))
    moved = replace(flagged[1][0], centre=flagged[2][0].centre)
    liver = [(small, flagged[0][1]), (moved, flagged[1][1]), flagged[2]]
    found = assess(liver, readings("spleen", [50.0] * 3), conditions=GOOD)
    assert "L1: It touches a lesion." in found.warnings
    assert "L1 has a side of 4.0 mm, less than 10 mm." in found.warnings
    assert "L2 and L3 overlap: what they share counts twice." in found.warnings


# --- absolute attenuation ------------------------------------------------------------------------------


def test_absolute_attenuation_of_the_liver():
    assert liver_text(39.9).startswith("Below 40 HU")
    assert liver_text(40.0) == liver_text(48.0) != liver_text(48.1)
    assert liver_text(48.1).startswith("Above 48 HU")


def test_liver_minus_spleen():
    assert difference_text(5.1).startswith("More than 5 HU above")
    assert difference_text(5.0) == difference_text(-10.0)
    assert difference_text(-10.1).startswith("More than 10 HU below")


@pytest.mark.parametrize("liver_hu, percent", [(65, 0.5), (55, 6.4), (23, 25), (-3, 40), (90, 0.0)])
def test_fat_fraction_is_what_was_published(liver_hu, percent):
    assert fat_fraction_percent(liver_hu) == pytest.approx(percent, abs=0.2)


def test_fat_fraction_says_when_it_does_not_hold():
    assert assessed([50.0] * 3, [50.0] * 3).fat_fraction_doubts == ()
    enhanced = assessed([120.0] * 3, [130.0] * 3, Conditions(phase="portal", kvp=100.0))
    assert len(enhanced.fat_fraction_doubts) == 3
    assert len(assessed([50.0] * 3, [50.0] * 3, replace(GOOD, kvp=None)).fat_fraction_doubts) == 1


# --- whole scans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "liver_hu, grade", [(60.0, "normal"), (44.0, "mild"), (30.0, "moderate"), (15.0, "severe")]
)
def test_a_scan_is_graded_by_what_it_holds(liver_hu, grade):
    labels = masked_patient()
    found = assess_scan(
        scan_of(labels, values=(-90, liver_hu, 50, 80)), labels, phase="unenhanced", kvp=120.0
    )
    assert found.ratio == pytest.approx(liver_hu / 50, abs=0.01)
    assert found.grade == grade
    assert len(found.rois_of("liver")) == len(found.rois_of("spleen")) == 5
    assert not found.edited


def test_an_enhanced_scan_is_refused_by_its_own_attenuation():
    labels = masked_patient()
    found = assess_scan(scan_of(labels, values=(-90, 110, 125, 60)), labels)
    assert found.conditions.phase not in (None, "unenhanced")
    assert found.grade is None and "contrast medium" in found.reasons_not_to_grade[0]


def test_thick_slices_and_missing_rois_are_said():
    labels = masked_patient((1.5, 1.5, 10.0), spleen=(16, 18, 30))
    found = assess_scan(scan_of(labels), labels, phase="unenhanced", settings=PlacementSettings(count=9))
    assert any("10.0 mm apart: an ROI holds only one slice" in sentence for sentence in found.warnings)
    assert any("of 9 ROIs fit into the spleen" in sentence for sentence in found.warnings)
    assert found.settings.count == 9


def test_bad_masks_are_refused_with_a_sentence():
    labels = masked_patient()
    image = scan_of(labels)
    with pytest.raises(NoLiverError):
        assess_scan(image, labels * 0)
    with pytest.raises(ImageGeometryError):
        assess_scan(image[:, :, 1:], labels)


# --- writing and reading -------------------------------------------------------------------------------


@pytest.mark.parametrize("spleen", [None, (28.0, 32.0, 35.0)])
def test_an_assessment_survives_being_written(spleen):
    labels = masked_patient(spleen=spleen)
    found = assess_scan(scan_of(labels), labels, kvp=100.0, contrast="ULTRAVIST", grade_anyway=True)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Assessment.from_dict(json.loads(text)) == found


def test_a_damaged_or_foreign_assessment_is_refused():
    data = assessed([50.0] * 3, [48.0] * 3).to_dict()
    with pytest.raises(InputError, match="cannot be read"):
        Assessment.from_dict({**data, "format": "liverseg-steatosis-9"})
    del data["rois"]
    with pytest.raises(InputError, match="damaged"):
        Assessment.from_dict(data)


def test_a_real_unenhanced_scan_can_be_assessed(thick_scan):
    """10 mm slices, part of a patient: no label is at hand, so the body stands in for the liver."""
    image = sitk.ReadImage(str(thick_scan))
    body = sitk.BinaryThreshold(sitk.Cast(image, sitk.sitkFloat32), 30, 80, 1, 0)
    found = assess_scan(image, sitk.BinaryMorphologicalOpening(body, [2, 2, 0]), phase="unenhanced")
    assert found.ratio is None and found.conditions.liver_touches
