"""The report is one harmless file that shows the right slices the right way round, with every number's
warning."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from LiverSegLib.errors import ImageGeometryError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.masks.level_sets import smooth_level_set
from LiverSegLib.measure import Lesion, Measurements, Organ
from LiverSegLib.measure.facts import ClinicalFacts, PhaseEstimate
from LiverSegLib.report import build_report
from LiverSegLib.report.drawing import write_numbers
from LiverSegLib.report.frame import Frame, body_box
from LiverSegLib.report.key_slices import largest_liver_slices
from LiverSegLib.report.lesion_numbers import LesionNumbers
from LiverSegLib.report.outlines import dashes, enclosed_area, iso_lines, outlines
from LiverSegLib.report.pictures import highlight_picture, slice_picture
from LiverSegLib.report.planes import PatientView

SPACING = (2.0, 2.0, 5.0)
SIZE = (80, 60, 24)  # voxels towards left, posterior, superior


def phantom():
    """A CT of a body with a bright square at the patient's right front top, liver, spleen and two lesions;
    LPS grid."""
    z, y, x = np.ogrid[: SIZE[2], : SIZE[1], : SIZE[0]]
    body = ((x - 40) / 37.0) ** 2 + ((y - 30) / 27.0) ** 2 <= 1
    voxels = np.where(body, 0, -1000).astype(np.int16) + np.zeros((SIZE[2], 1, 1), np.int16)
    labels = np.zeros(voxels.shape, np.uint8)
    labels[((x - 25) / 15.0) ** 2 + ((y - 28) / 14.0) ** 2 + ((z - 12) / 8.0) ** 2 <= 1] = LIVER
    labels[((x - 63) / 7.0) ** 2 + ((y - 36) / 8.0) ** 2 + ((z - 13) / 5.0) ** 2 <= 1] = SPLEEN
    labels[11:14, 24:30, 20:27] = TUMOUR
    labels[8:9, 30:33, 30:33] = TUMOUR
    voxels[labels == LIVER] = 60
    voxels[labels == SPLEEN] = 50
    voxels[labels == TUMOUR] = 20
    voxels[18:24, 10:20, 18:30] = 240
    return _image(voxels), _image(labels)


def _image(array):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    image.SetOrigin((-80.0, -60.0, 100.0))
    return image


def lesion(number, index, voxels, **changes):
    x, y, z = ((i * s + o) for i, s, o in zip(index, SPACING, (-80.0, -60.0, 100.0)))
    values = {
        "number": number,
        "volume_ml": voxels * 0.02,
        "longest_diameter_mm": 14.0,
        "perpendicular_mm": 12.0,
        "longest_ends": ((x - 7, y, z), (x + 7, y, z)),
        "perpendicular_ends": ((x, y - 6, z), (x, y + 6, z)),
        "slice_index": index[2],
        "centre": (x, y, z),
        "mean_hu": 20.0,
        "sd_hu": 4.0,
        "surface_distance_mm": 9.0,
        "probability": 0.87,
        "voxels": voxels,
    }
    return Lesion(**{**values, **changes})


def numbers(**changes):
    values = {
        "organs": (
            Organ("liver", "Liver", 1234.4, 60.2, 12.0, 61.0, 60000),
            Organ("spleen", "Spleen", 210.7, 50.0, 11.0, 50.0, 9000),
            Organ("tumour", "Liver tumor", 2.7, 20.0, 9.0, 20.0, 135),
        ),
        "lesions": (lesion(1, (23, 26.5, 12), 126), lesion(2, (31, 31, 8), 9)),
        "tumour_burden_percent": 0.22,
        "liver_spleen_ratio": 1.2,
        "liver_minus_spleen_hu": 10.2,
        "phase": "portal",
    }
    return Measurements(**{**values, **changes})


PROVENANCE = {
    "liverseg_version": "0.1.0",
    "model": {"name": "default", "version": "1.2.3", "sha256": "f" * 64, "licence": "CC BY-SA 4.0"},
    "device": "cpu",
    "device_name": "a processor",
    "precision": "float32",
    "threads": 2,
    "seconds": {"locate": 1.25, "segment": 9.5},
    "input": {"path": "folder/scan.nii.gz", "name": "scan.nii.gz", "sha256": "a" * 64},
    "options": {"mirror": False, "minimum_lesion_ml": 0.05},
    "fallbacks": ["Memory ran out on the GPU; the CPU was used."],
    "created": "2025-03-04T10:11:12Z",
}


FACTS = ClinicalFacts(PhaseEstimate("portal", 0.9, "bright vessels"))


class Page(HTMLParser):
    """What the tests ask of a page: tags, attributes, text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if not (self.tags and self.tags[-1][0] == "style"):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def case():
    return phantom()


def report(case, measurements=None, **changes):
    options = {
        "measurements": measurements or numbers(),
        "provenance": PROVENANCE,
        "facts": FACTS,
        "title": "scan",
    }
    return build_report(image=case[0], labels=case[1], **{**options, **changes})


@pytest.fixture(scope="module")
def page(case):
    return Page(report(case, rendering_png=b"\x89PNG drawn"))


# --- the page
# ---------------------------------------------------------------------------------------------------------


def test_the_page_says_research_use_only_and_shows_numbers_with_units(page):
    text = page.text
    assert "Research use only" in text and "not a medical device" in text and "not for diagnosis" in text
    for part in ("1234 ml", "211 ml", "2.70 ml", "0.2 %", "Portal venous", "2 lesions"):
        assert part in text


def test_the_page_needs_nothing_from_outside(page):
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "form", "a", "base"}
    assert all(image["src"].startswith("data:image/") for image in page.all("img"))
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    style = next(meta for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in style["content"]


def test_the_page_is_accessible(page):
    assert page.all("html")[0]["lang"] == "en"
    assert all(image["alt"].strip() for image in page.all("img"))
    assert page.all("th") and all(head.get("scope") in ("col", "row") for head in page.all("th"))


def test_the_page_is_small_and_its_pictures_are_real(page):
    sources = [image["src"].split(",", 1) for image in page.all("img")]
    jpegs = [base64.b64decode(data) for kind, data in sources if "jpeg" in kind]
    assert len(jpegs) == 2 + 2 * 2 + 2  # overview, two lesions twice, highlight
    assert all(Image.open(io.BytesIO(data)).width > 300 for data in jpegs)
    assert sum(len(data) for _, data in sources) < 3_000_000


def test_provenance_is_complete(page):
    for part in (
        "f" * 64,
        "a" * 64,
        "1.2.3",
        "CC BY-SA 4.0",
        "float32",
        "segment 9.5 s",
        "the CPU was used",
        "10:11 UTC",
    ):
        assert part in page.text
    assert "folder/" not in page.text  # folders often bear patients' names


def test_missing_provenance_is_called_not_recorded(case):
    assert "not recorded" in Page(report(case, provenance={})).text


def test_warnings_stand_once_beside_their_numbers_and_the_rest_in_the_box(case):
    liver = replace(
        numbers().organs[0], truncated=True, touches=("superior",), warnings=("The liver is cut off.",)
    )
    found = numbers(organs=(liver, *numbers().organs[1:]), warnings=("The liver is cut off.",))
    html = report(case, found, warnings=("The liver is cut off.", "Thick slices."))
    card = html[html.index("<h3>Liver</h3>") : html.index("<h3>Spleen</h3>")]
    assert "The liver is cut off." in card and "≥ 1234" in card
    box = html[html.index('class="warnings"') : html.index("Overview")]
    assert "The liver is cut off." not in box and "Thick slices." in box


def test_each_warning_is_said_once_in_the_report(case):
    liver, spleen, tumour = numbers().organs
    organs = (
        replace(liver, warnings=("Of the liver.", "Of all.")),
        replace(spleen, warnings=("Of all.",)),
        replace(tumour, warnings=("Of the tumors.", "Of all.")),
    )
    one, two = (lesion(number, (23, 26.5, 12), 126, warnings=("Of lesions.", "Of all.")) for number in (1, 2))
    found = numbers(
        organs=organs,
        lesions=(one, replace(two, warnings=(*two.warnings, "Of the second."))),
        burden_warnings=("Of the burden.", "Of the tumors."),
        liver_spleen_warnings=("Of the ratio.",),
        warnings=("Of the liver.", "Of all.", "Of the tumors.", "Of the burden."),
    )
    html = report(case, found, warnings=(*found.warnings, "Of the scan."))
    for said in ("liver", "all", "tumors", "burden", "ratio", "scan", "second"):
        assert html.count(f"Of {'' if said == 'all' else 'the '}{said}.") == 1, said
    assert html.count("Of lesions.") == 1 and "Lesions 1, 2: Of lesions." in html
    assert "Lesion 2: Of the second." in html
    box = html[html.index('class="warnings"') : html.index("Overview")]
    assert "Of all." in box and "Of the scan." in box and "Of the liver." not in box


def test_lesion_warnings_and_unknown_values_are_shown(case):
    one = lesion(
        1, (23, 26.5, 12), 126, probability=None, surface_distance_mm=None, warnings=("Touches the border.",)
    )
    html = report(case, numbers(lesions=(one,)))
    assert "Touches the border." in html
    assert "<td>–</td><td>–</td>" in html


def test_hostile_text_stays_text(case):
    attack = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
    provenance = {
        **PROVENANCE,
        "model": {"name": attack, "version": attack, "licence": attack, "sha256": attack},
        "input": {"name": attack, "sha256": attack, "date": attack},
        "device": attack,
        "options": {attack: attack},
        "seconds": {attack: 1.0},
        "fallbacks": [attack],
        "created": attack,
        "liverseg_version": attack,
    }
    organs = tuple(
        replace(organ, name=attack, warnings=(attack,), touches=(attack,)) for organ in numbers().organs
    )
    lesions = tuple(replace(one, warnings=(attack,)) for one in numbers().lesions)
    found = numbers(
        organs=organs, lesions=lesions, phase=attack, warnings=(attack,), burden_warnings=(attack,),
        liver_spleen_warnings=(attack,),
    )  # fmt: skip
    facts = ClinicalFacts(PhaseEstimate(attack, 0.9, attack), left_out=(attack,))
    page = Page(report(case, found, provenance=provenance, facts=facts, title=attack, warnings=(attack,)))
    assert not page.all("script")
    assert all(image["src"].startswith("data:image/") and "onerror" not in image for image in page.all("img"))


def test_no_lesion_no_spleen_no_rendering_are_said_in_words(case):
    image, labels = case
    plain = sitk.GetArrayFromImage(labels)
    plain[plain != LIVER] = 0
    bare = sitk.GetImageFromArray(plain)
    bare.CopyInformation(labels)
    organs = (numbers().organs[0], Organ("spleen", "Spleen", 0.0), Organ("tumour", "Liver tumor", 0.0))
    found = numbers(
        organs=organs,
        lesions=(),
        tumour_burden_percent=0.0,
        liver_spleen_ratio=None,
        liver_minus_spleen_hu=None,
    )
    text = Page(report((image, bare), found)).text
    assert "No lesion was found" in text and "no lesion found" in text
    assert "not found" in text
    assert "There is no 3-D picture" in text


@pytest.mark.parametrize(("column", "seen"), [(30, True), (5, False), (70, False)])
def test_numbers_of_lesions_beside_a_detail_are_not_written_at_its_edge(column, seen):
    picture = Image.new("RGB", (200, 200))
    frame = Frame(box=(20.0, 20.0, 60.0, 60.0), scale=5.0, size=(200, 200))
    write_numbers(picture, [(7, (40, column))], (1.0, 1.0), frame)
    assert np.asarray(picture).any() == seen


def test_rejected_lesions_are_listed_as_such_and_nowhere_else(case):
    measurements = replace(numbers(), rejected=(lesion(1, (30, 30, 10), 300),))
    assert report(case, measurements).count("<h2>Rejected by the reader</h2>") == 1
    assert "Rejected by the reader" not in report(case)
    assert Measurements.from_dict(measurements.to_dict()) == measurements


def test_lesions_that_were_left_out_are_not_said_to_be_missing(case):
    left_out = "6 supposed lesions under 10 ml (13.8 ml together) were left out."
    text = Page(report(case, numbers(lesions=()), facts=ClinicalFacts(left_out=(left_out,)))).text
    assert f"No lesion was kept. {left_out}" in text and "No lesion was found" not in text


def test_an_empty_mask_still_gives_a_report(case):
    image, labels = case
    organs = tuple(Organ(key, key, 0.0) for key in ("liver", "spleen", "tumour"))
    found = numbers(organs=organs, lesions=(), tumour_burden_percent=None, phase=None)
    assert "middle of the scan" in Page(report((image, labels * 0), found)).text


def test_a_short_scan_shows_the_sagittal_slice_too(case):
    short = [part[:, :, 8:16] for part in case]
    alts = " ".join(image["alt"] for image in Page(report(short, numbers(lesions=()))).all("img"))
    assert "Axial" in alts and "Coronal" in alts and "Sagittal" in alts


def test_many_lesions_are_all_in_the_table_and_the_largest_in_pictures(case):
    many = tuple(replace(numbers().lesions[0], number=number) for number in range(1, 41))
    page = Page(report(case, numbers(lesions=many)))
    assert "6 largest of 40" in page.text
    assert len(page.all("img")) == 2 + 12 + 2


def test_scan_and_mask_must_share_a_grid(case):
    with pytest.raises(ImageGeometryError):
        report((case[0], case[1][:, :, 1:]))


# --- pictures -------------------------------------------------------------------------------------


def drawn(images, point, plane="axial", draw=slice_picture, **options):
    """The slice through a point (LPS mm) of a scan and its mask."""
    view = PatientView.of(*images)
    return draw(view, plane, view.nearest_slice(plane, point), **options)


def without_outlines(images):
    return images[0], images[1] * 0


ORDERS = [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1)]
FLIPS = [(False, False, False), (True, True, False), (True, False, True), (False, False, True)]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_pictures_look_the_same_however_the_voxels_are_stored(case, order, flips, plane):
    turned = [sitk.Flip(sitk.PermuteAxes(part, order), flips) for part in case]
    point = (-30.0, -5.0, 160.0)
    expected = np.asarray(drawn(case, point, plane, width=200)).astype(int)
    actual = np.asarray(drawn(turned, point, plane, width=200)).astype(int)
    assert expected.shape == actual.shape
    assert np.abs(expected - actual).mean() < 0.5


def bright_centre(picture):
    """Where the phantom's bright square lies, as shares of width and height."""
    pixels = np.asarray(picture.convert("L"))
    rows, columns = np.nonzero(pixels == 255)
    return columns.mean() / pixels.shape[1], rows.mean() / pixels.shape[0]


@pytest.mark.parametrize(
    "plane, quadrant", [("axial", "left upper"), ("coronal", "left upper"), ("sagittal", "left upper")]
)
def test_pictures_are_in_radiological_orientation(case, plane, quadrant):
    """The square lies at the patient's right, anterior, superior."""
    point = (-80.0 + 24 * 2.0, -60.0 + 15 * 2.0, 100.0 + 20 * 5.0)
    x, y = bright_centre(drawn(without_outlines(case), point, plane, width=300))
    assert x < 0.45 and y < 0.45


def test_letters_name_the_borders_of_each_plane(case):
    view = PatientView.of(*case)
    assert view.letters("axial") == ("R", "L", "A", "P")
    assert view.letters("coronal") == ("R", "L", "S", "I")
    assert view.letters("sagittal") == ("A", "P", "S", "I")


def test_oblique_letters_name_both_directions(case):
    image, labels = sitk.Image(case[0]), sitk.Image(case[1])
    turn = sitk.Euler3DTransform((0, 0, 0), 0.0, 0.0, np.radians(35)).GetMatrix()
    for part in (image, labels):
        part.SetDirection(turn)
    assert PatientView.of(image, labels).letters("axial") == ("RA", "LP", "AL", "PR")
    assert "tilted by up to 35°" in Page(report((image, labels))).text


def test_thick_slices_keep_their_proportions(case):
    view = PatientView.of(*case)
    picture = slice_picture(view, "coronal", 30, box=(0.0, 0.0, 100.0, 140.0), width=280)
    assert picture.size == (280, 200)
    assert bright_centre(slice_picture(view, "coronal", 15, width=300))[1] < 0.3


def test_what_lies_outside_the_scan_is_black(case):
    view = PatientView.of(*without_outlines(case))
    picture = slice_picture(view, "axial", 12, box=(-500.0, -500.0, -400.0, -400.0), width=200)
    assert np.asarray(picture)[60:120, 60:120].max() == 0


def test_outlines_are_drawn_in_the_label_colours(case):
    point = (-80.0 + 23 * 2.0, -60.0 + 26 * 2.0, 100.0 + 12 * 5.0)
    plain = np.asarray(drawn(without_outlines(case), point, width=500)).astype(int)
    outlined = np.asarray(drawn(case, point, width=500)).astype(int)
    assert (plain.max(axis=2) == plain.min(axis=2)).all()
    coloured = outlined[(outlined.max(axis=2) - outlined.min(axis=2)) > 80]
    assert len(coloured) > 500
    yellow = (coloured[:, 2] < 110) & (coloured[:, 1] > 180)
    violet = coloured[:, 2] > coloured[:, 1] + 40
    assert yellow.any() and violet.any() and (~yellow & ~violet).any()


def test_highlight_picture_is_black_grey_and_white(case):
    point = (-80.0 + 23 * 2.0, -60.0 + 26 * 2.0, 100.0 + 12 * 5.0)
    pixels = np.asarray(drawn(case, point, draw=highlight_picture, width=400, box=(0.0, 0.0, 118.0, 158.0)))
    row, column = int(27 * 2.0 * 400 / 158), int(23 * 2.0 * 400 / 158)
    assert tuple(pixels[row, column]) == (255, 255, 255)
    assert tuple(pixels[row, int(16 * 2.0 * 400 / 158)]) == (128, 128, 128)
    assert tuple(pixels[row, int(63 * 2.0 * 400 / 158)]) == (0, 0, 0)  # the spleen


def test_non_finite_voxels_do_not_stop_a_picture(case):
    voxels = sitk.GetArrayFromImage(case[0]).astype(np.float32)
    voxels[12, :5] = np.nan
    image = sitk.GetImageFromArray(voxels)
    image.CopyInformation(case[0])
    assert slice_picture(PatientView.of(image, case[1]), "axial", 12, width=200).size[0] == 200


def test_the_body_is_framed_even_if_air_was_clipped():
    voxels = np.full((100, 120), -1000, np.int16)
    voxels[30:70, 40:90] = 30
    for floor in (-1000, -160):
        top, left, bottom, right = body_box(np.maximum(voxels, floor), (2.0, 1.0))
        assert (top, left, bottom, right) == pytest.approx((52.0, 32.0, 146.0, 97.0), abs=3.0)


def test_lesions_are_numbered_as_in_the_table(case):
    view = PatientView.of(*case)
    swapped = (lesion(1, (31, 31, 8), 9), lesion(2, (23, 26.5, 12), 126))
    found = LesionNumbers.of(view, swapped)
    _, mask, _ = view.cut("axial", 12)
    assert found.in_slice(mask, view, "axial", 12) == [(2, (24, 26))]
    _, mask, _ = view.cut("coronal", 31)
    ((number, (row, column)),) = found.in_slice(mask, view, "coronal", 31)
    assert (number, row, column) == (1, SIZE[2] - 1 - 8, 32)
    assert found.in_slice(mask, view, "axial", 2) == []


def test_the_key_slice_is_the_one_with_most_liver(case):
    key = largest_liver_slices(PatientView.of(*case))
    assert key.has_liver
    assert key.slices == {"axial": 12, "coronal": 28, "sagittal": 25}


# --- outlines -------------------------------------------------------------------------------------


def test_an_outline_encloses_the_area_of_its_pixels():
    y, x = np.ogrid[:60, :80]
    mask = ((x - 40) ** 2 + (y - 30) ** 2 <= 400) & ((x - 40) ** 2 + (y - 30) ** 2 > 64)
    lines = outlines(mask, (0.8, 0.8))
    areas = sorted(enclosed_area(line) for line in lines)
    assert len(lines) == 2 and areas[0] < 0 < areas[1]
    assert sum(areas) == pytest.approx(mask.sum() * 0.64, rel=0.01)


def test_one_pixel_and_the_whole_slice_have_outlines():
    single = np.zeros((5, 5), bool)
    single[0, 4] = True
    assert enclosed_area(outlines(single, (1.0, 1.0))[0]) == pytest.approx(1.0, rel=0.15)
    assert enclosed_area(outlines(np.ones((6, 8), bool), (1.0, 2.0))[0]) == pytest.approx(96.0, rel=0.03)
    assert outlines(np.zeros((5, 5), bool), (1.0, 1.0)) == []


def test_thick_rows_leave_no_steps_in_an_outline():
    y, x = np.ogrid[:12, :100]
    mask = (x - 50) ** 2 + ((y - 5.3) * 10.0) ** 2 <= 1600
    (line,) = outlines(mask, (10.0, 1.0))
    radii = np.hypot(line[:, 0] - 53.0, line[:, 1] - 50.0)
    assert radii.min() > 36.5 and radii.max() < 42.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_iso_lines_are_closed_and_part_inside_from_outside(seed):
    field = np.random.default_rng(seed).normal(size=(9, 11))
    lines = iso_lines(field, 0.0)
    assert all((line[0] == line[-1]).all() and len(line) > 3 for line in lines)
    # Each crossing of a row of samples changes the side: the lines' crossings on row 4 match the changes of
    # sign.
    changes = np.count_nonzero(np.diff(np.pad(field[4] > 0, 1).astype(int)))
    on_row = sum(np.count_nonzero(np.abs(line[:-1, 0] - 4.0) < 1e-12) for line in lines)
    assert on_row == changes


def test_dashes_cover_their_share_of_a_line():
    line = np.stack([np.zeros(101), np.linspace(0.0, 90.0, 101)], axis=1)
    pieces = dashes(line, 6.0, 3.0)
    assert sum(piece[-1, 1] - piece[0, 1] for piece in pieces) == pytest.approx(60.0)


def test_an_empty_mask_has_no_level_set():
    with pytest.raises(ValueError, match="empty"):
        smooth_level_set(np.zeros((3, 3, 3), bool), (1.0, 1.0, 1.0), 1.0)
