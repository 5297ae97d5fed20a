"""The report's section on fatty liver: the grade and what it rests on, or why there is none; the ROIs."""

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from fatty_phantom import LIVER, ORIGIN, SPACING, SPLEEN, assessed, fatty_scan, medians, reading
from test_report import PROVENANCE, Page

from LiverSegLib.labels import LABELS
from LiverSegLib.measure import measure
from LiverSegLib.report import build_report
from LiverSegLib.report.drawing import name_place
from LiverSegLib.report.fatty_liver import fatty_liver_section
from LiverSegLib.report.grade_scale import GRADE_COLOURS, grade_scale
from LiverSegLib.report.planes import PatientView
from LiverSegLib.report.roi_pictures import (
    MOST_SLICES,
    covering_slices,
    roi_pictures,
    roi_sheet,
    section,
    slices_through,
)
from LiverSegLib.steatosis.assessment import Acceptance, Assessment, CutOffs
from LiverSegLib.steatosis.placement import PlacementSettings, Roi


@pytest.fixture(scope="module")
def scan():
    return fatty_scan()


@pytest.fixture(scope="module")
def view(scan):
    return PatientView.of(*scan)


def shown(assessment, scan):
    return Page(fatty_liver_section(assessment, PatientView.of(*scan)))


# --- words and numbers -------------------------------------------------------------------------------------


def test_a_graded_scan_shows_grade_ratio_and_what_they_rest_on(scan):
    settings = PlacementSettings(count=3)
    page = shown(assessed(settings=settings, whole_organ=medians(*scan)), scan)
    for words in (
        "Moderate fatty liver", "0.60", "95 % interval", "30.0 HU", "50.0 HU", "−20.0 HU", "0.7", "120 kVp",
        "3 in the liver, 3 in the spleen, all placed automatically", "sides 10 mm", "seed 0",
    ):  # fmt: skip
        assert words in page.text
    assert "Why it is not graded" not in page.text and "in spite" not in page.text
    assert [row for row in ("L1", "L2", "L3", "S1", "S2", "S3") if row in page.text] == [
        "L1", "L2", "L3", "S1", "S2", "S3"
    ]  # fmt: skip


def test_an_enhanced_scan_gets_one_sentence_and_no_numbers(scan):
    page = shown(assessed(phase="portal"), scan)
    assert "Not graded." in page.text and "contrast medium" in page.text
    assert not page.all("table") and not page.all("img") and "0.60" not in page.text


def test_a_scan_of_unknown_phase_gets_one_sentence(scan):
    page = shown(assessed(phase="unknown"), scan)
    assert "not known whether the scan holds contrast medium" in page.text and not page.all("table")


def test_an_unenhanced_scan_that_must_not_be_graded_shows_the_reasons_beside_the_numbers(scan):
    page = shown(assessed(kvp=80.0), scan)
    assert "Not graded" in page.text and "Why it is not graded" in page.text
    assert "80 kVp" in page.text and "0.60" in page.text and page.all("img")
    assert not page.all("svg"), "a mark on the scale would be a grade"


def test_grading_anyway_is_repeated_with_its_reasons(scan):
    page = shown(assessed(phase="portal", grade_anyway=True), scan)
    assert "Moderate fatty liver (graded in spite of" in page.text
    assert "Graded in spite of these reasons" in page.text and "contrast medium" in page.text
    assert page.all("svg") and "moderate to severe fat" not in page.text.lower()


def test_without_a_spleen_the_liver_alone_is_told(scan):
    page = shown(assessed(spleen=()), scan)
    assert "no spleen" in page.text and "30.0 HU" in page.text
    assert not page.all("svg")


def test_moved_and_suspicious_rois_are_told_by_name(scan):
    liver = (
        *LIVER[:2],
        reading("L3", (-60.0, 20.0, 80.0), 44.0, automatic=False, flags=("Its mean is far.",)),
    )
    page = shown(assessed(liver=liver), scan)
    assert "placed or changed by hand: L3" in page.text
    assert "Placed or changed by hand. Its mean is far." in page.text


def test_who_accepted_the_reading_is_told_and_survives_json(view):
    accepted = Acceptance("Dr <Grey>", "2026-03-04T15:06:07+01:00", "edited", ("L1", "S1"), ("L3",))
    told = Assessment.from_dict(json.loads(json.dumps(replace(assessed(), accepted=accepted).to_dict())))
    assert told.accepted == accepted
    page = fatty_liver_section(told, view)
    assert "Accepted by Dr &lt;Grey&gt; on 2026-03-04 15:06, ROIs edited by hand; rejected: L3." in page
    assert "Accepted by" not in fatty_liver_section(assessed(), view)


def test_all_text_is_escaped(view):
    liver = (reading("L<b>1", (-80.0, -5.0, 40.0), 29.0, flags=("a < b & c",)),)
    html = fatty_liver_section(assessed(liver=liver), view)
    assert "<b>" not in html and "a &lt; b &amp; c" in html


def test_the_report_holds_the_section_only_if_it_was_assessed(scan):
    options = {"image": scan[0], "labels": scan[1], "measurements": measure(scan[1], scan[0])}
    options["provenance"] = PROVENANCE
    assert "Fatty liver</h2>" not in build_report(**options)
    page = Page(build_report(**options, steatosis=assessed()))
    assert "Fatty liver" in page.text and "Moderate fatty liver" in page.text
    assert all(image["src"].startswith("data:") and image["alt"] for image in page.all("img"))


# --- the scale ---------------------------------------------------------------------------------------------


def places(svg):
    """Fields of the scale, left to right: colour -> (left, right)."""
    found = re.findall(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)" height="\d+" fill="(#\w+)"', svg)
    return {colour: (float(left), float(left) + float(width)) for left, width, colour in found}


RATIOS = [(60, "normal"), (45, "mild"), (30, "moderate"), (15, "severe"), (-40, "severe"), (120, "normal")]


def css(grade):
    return "#{:02x}{:02x}{:02x}".format(*GRADE_COLOURS[grade])


@pytest.mark.parametrize("liver, grade", RATIOS)
def test_the_mark_stands_in_the_field_of_the_grade(liver, grade):
    rois = [reading(f"L{n}", (0.0, 0.0, 0.0), liver + n - 2) for n in (1, 2, 3)]
    assessment = assessed(liver=rois, grade_anyway=True)
    svg = grade_scale(assessment)
    fields = places(svg)
    assert list(fields) == [css(each) for each in ("severe", "moderate", "mild", "normal")]
    mark = float(re.search(r'<path d="M(-?[\d.]+) \d+l', svg).group(1))
    left, right = fields[css(grade)]
    assert assessment.grade == grade and left - 0.1 <= mark <= right + 0.1
    assert 0 <= mark <= 620


def test_the_scale_follows_the_cut_offs():
    svg = grade_scale(assessed(cut_offs=CutOffs(1.2, 0.9, 0.8)))
    for border in ("1.2", "0.9", "0.8"):
        assert f">{border}</text>" in svg


# --- the pictures ------------------------------------------------------------------------------------------


def test_few_slices_show_every_roi(view):
    readings = [*LIVER, *SPLEEN]
    slices = covering_slices(view, [roi for roi, _ in readings])
    assert len(slices) == 3  # at 40, 60 and about 78 mm
    for roi, _ in readings:
        assert any(index in slices_through(view, roi) for index in slices)
    pictures = roi_pictures(view, readings)
    assert {name for item in pictures for name in item.names} == {roi.name for roi, _ in readings}
    assert [item.slice_index for item in pictures] == sorted(slices, reverse=True)


def test_no_more_than_so_many_slices_are_shown(view):
    rois = [Roi(f"L{n}", "liver", (-60.0, 0.0, 4.0 * n), (10.0, 10.0, 2.0)) for n in range(1, 25)]
    slices = covering_slices(view, rois)
    assert len(slices) == len(set(slices)) == MOST_SLICES


def test_a_thin_roi_between_two_slices_is_shown_in_the_nearest(view):
    roi = Roi("L1", "liver", (-60.0, 0.0, 41.0), (10.0, 10.0, 1.0))
    assert list(slices_through(view, roi)) == [10]
    assert section(view, roi, 10).shape == (5, 2)


def test_an_roi_beyond_the_scan_is_shown_in_the_last_slice(view):
    assert list(slices_through(view, Roi("L1", "liver", (-60.0, 0.0, 900.0), (10.0, 10.0, 10.0)))) == [29]


def test_a_section_is_the_square_at_its_place(view):
    outline = section(view, Roi("L1", "liver", (-75.0, 10.0, 40.0), (10.0, 20.0, 10.0)), 10)
    assert (outline[0] == outline[-1]).all() and len(outline) == 5
    middle = (10.0 - ORIGIN[1], -75.0 - ORIGIN[0])  # mm (row, column) from the first pixel's centre
    assert outline[:-1].mean(axis=0) == pytest.approx(middle)
    assert np.ptp(outline, axis=0) == pytest.approx((20.0, 10.0))


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, -1)])
def test_rois_are_drawn_where_they_lie_whatever_the_grid(flip):
    image, labels = fatty_scan(noise=0.0)
    images = [sitk.Flip(item, [sign < 0 for sign in flip], False) for item in (image, labels)]
    readings = [reading("L1", (-75.0, 0.0, 60.0), 30.0), reading("S1", (85.0, 25.0, 60.0), 50.0)]
    (item,) = roi_pictures(PatientView.of(*images), readings)
    pixels = np.asarray(item.picture).astype(int)
    columns = [np.where((np.abs(pixels - _bright(label)) < 12).all(-1).any(0))[0] for label in (1, 2)]
    assert columns[0].size and columns[1].size
    assert columns[0].mean() < pixels.shape[1] / 2 < columns[1].mean()  # the patient's right is at the left


def _bright(label):
    colour = np.array(LABELS[label].colour)
    return np.round(255 * colour / colour.max()).astype(int)


def test_a_tilted_scan_shows_a_section_near_its_square():
    image, labels = fatty_scan(noise=0.0)
    angle = np.deg2rad(15)
    tilt = [1, 0, 0, 0, np.cos(angle), -np.sin(angle), 0, np.sin(angle), np.cos(angle)]
    for item in (image, labels):
        item.SetDirection([float(value) for value in tilt])
    view = PatientView.of(image, labels)
    centre = image.TransformIndexToPhysicalPoint((40, 42, 15))
    roi = Roi("L1", "liver", centre, (10.0, 10.0, 10.0))
    outline = section(view, roi, 15)
    assert outline[:-1].mean(axis=0) == pytest.approx((42 * SPACING[1], 40 * SPACING[0]), abs=1e-6)
    assert 9.5 <= np.ptp(outline[:, 1]) <= 10.5 and 10.0 <= np.ptp(outline[:, 0]) <= 11.0


def test_names_of_neighbouring_rois_do_not_cover_each_other():
    square = (300.0, 200.0, 320.0, 220.0)
    taken = [square, (325.0, 195.0, 345.0, 215.0)]
    places = []
    for _ in range(3):
        places.append(name_place(square, (40.0, 30.0), taken, (620, 500)))
        taken.append(places[-1])
    for one, other in itertools.combinations(taken, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart
    crowded = [(0.0, 0.0, 620.0, 500.0)]
    assert name_place(square, (40.0, 30.0), crowded, (620, 500))[0] > square[2]


def test_the_sheet_holds_all_pictures_side_by_side(view):
    pictures = roi_pictures(view, [*LIVER, *SPLEEN])
    sheet = roi_sheet(pictures)
    width, height = pictures[0].picture.size
    assert sheet.width > 3 * width - 1 and sheet.height == height
    assert roi_sheet(pictures[:1]).size == (width, height)
