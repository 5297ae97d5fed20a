"""Two dates of one patient: registration, matching, sizes over time, RECIST 1.1, files."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from followup_patients import grid, matched, patient

from LiverSegLib.errors import CancelledError, InputError, OutputError, UsageError
from LiverSegLib.followup import compare
from LiverSegLib.followup.comparison import FollowUp
from LiverSegLib.followup.courses import BACK, GONE, MERGED, NEW, NOT_IN_VIEW, SPLIT
from LiverSegLib.followup.deformation import Deformation
from LiverSegLib.followup.files import write_followup
from LiverSegLib.followup.livers import liver_view
from LiverSegLib.followup.plot import plot
from LiverSegLib.followup.quality import Quality
from LiverSegLib.followup.registration import Registration, _Pair
from LiverSegLib.followup.visits import in_order, iso_date
from LiverSegLib.sentences import key_of


def events(found):
    return [[at.events for at in course.dates] for course in found]


# ---- matching


def test_lesions_that_grow_and_shrink_stay_the_same_lesion():
    before = patient([((-20, 0, 0), 8), ((0, -20, 5), 11)])
    after = patient([((-20, 0, 0), 13), ((0, -20, 5), 5)])
    found = matched(before, after)
    assert [[at.numbers for at in course.dates] for course in found] == [[(1,), (2,)], [(2,), (1,)]]
    assert events(found) == [[(), ()], [(), ()]]
    truth = 100 * ((13 / 8) ** 3 - 1)
    assert found[1].change("volume_ml", 1) == pytest.approx(truth, rel=0.1)
    assert found[0].change("longest_mm", 1) == pytest.approx(100 * (5 / 11 - 1), abs=6)


def test_new_gone_and_back():
    here, there = ((-25, 0, 0), 7), ((5, -15, 10), 7)
    found = matched(patient([here]), patient([there]), patient([here, there]))
    assert events(found) == [[(), (GONE,), (BACK,)], [(), (NEW,), ()]]
    assert found[0].dates[1].volume_ml == 0
    assert np.allclose(found[0].dates[1].place, (-25, 0, 0), atol=1)


def test_split_and_merged_are_one_lesion_whose_diameters_add_up():
    whole = patient([((-20, 0, 0), 12)])
    parts = patient([((-26, 0, 0), 5), ((-14, 0, 0), 5)])
    split, merged = matched(whole, parts), matched(parts, whole)
    assert events(split) == [[(), (SPLIT,)]] and events(merged) == [[(), (MERGED,)]]
    at = split[0].dates[1]
    assert at.numbers == (1, 2) and at.perpendicular_mm is None
    assert at.longest_mm == pytest.approx(sum(at.part_longest_mm)) == pytest.approx(20, abs=3)


def test_many_small_lesions_are_matched_one_by_one_though_each_is_a_little_off():
    places = [(x, y, z) for x in (-36, -22, -8) for y in (-18, -2, 14) for z in (-14, 2, 18)]
    before = patient([(place, 3.2) for place in places])
    after = patient([(np.add(place, (3, -3, 2.5)), 3.2) for place in places])
    found = matched(before, after)
    assert len(found) == len(places) == 27
    for course in found:
        first, second = (np.array(at.place) for at in course.dates)
        assert np.linalg.norm(second - first - (3, -3, 2.5)) < 3


def test_neighbors_that_touch_each_others_old_place_do_not_merge():
    """A shift by a third of their size overlaps a neighbor's old place a little."""
    before = patient([((-30, 0, 0), 7), ((-12, 0, 0), 7)])
    after = patient([((-25, 0, 0), 7), ((-7, 0, 0), 7)])
    assert [len(at.numbers) for course in matched(before, after) for at in course.dates] == [1, 1, 1, 1]


def test_a_place_outside_the_scan_is_neither_gone_nor_new():
    short = grid(reach=(64.0, 54.0, 20.0))
    low, middle = ((-20, 0, 30), 6), ((-20, 10, 0), 7)
    gone = matched(patient([low, middle]), patient([middle], short))
    course = next(item for item in gone if item.dates[1].status != "measured")
    assert course.dates[1].status == NOT_IN_VIEW and course.dates[1].volume_ml is None
    assert not course.dates[1].events
    assert not any(
        NEW in at.events
        for item in matched(patient([middle], short), patient([low, middle]))
        for at in item.dates
    )


# ---- the whole way


def bend(points):
    """A known deformation of some mm, and a shift of 12 mm."""
    waves = np.stack(
        [np.sin(points[:, 1] / 25), np.sin(points[:, 2] / 22), np.sin(points[:, 0] / 28)], axis=1
    )
    return points + 3.5 * waves + (5.0, -8.0, 7.0)


@pytest.fixture(scope="module")
def found():
    lesions = [((-25, 0, 0), 9), ((0, -18, 8), 7), ((-5, 18, 4), 5)]
    later = [((-25, 0, 0), 12), ((0, -18, 8), 5), ((-30, 22, 12), 7)]
    oblique = np.array([[0.98, 0.199, 0], [0.199, -0.98, 0], [0, 0, -1.0]])
    where = grid((1.7, 1.7, 4.0), oblique.ravel(), (72.0, 68.0, 62.0))
    visits = [
        patient(later, where, bend, "second", "2026-06-01", "portal"),
        patient(lesions, name="first", date="2026-03-01", phase="portal"),
    ]
    told = []
    result = compare(visits, progress=lambda share, key, text: told.append((share, key, text)))
    assert told[-1][0] == 1.0 and [share for share, *_ in told] == sorted(share for share, *_ in told)
    return result


def test_dates_are_put_in_order(found):
    assert [visit.name for visit in found.visits] == ["first", "second"]


def test_registration_finds_a_known_deformation_on_a_flipped_oblique_grid(found):
    registration = found.registrations[1]
    quality = registration.quality
    assert quality.is_one_patient and quality.bent and quality.dice > 0.95
    assert 0.5 < quality.least_change <= quality.most_change < 2 and not quality.folded_percent
    places = np.array([(-25, 0, 0), (0, -18, 8), (-5, 18, 4), (-30, 22, 12)], float)
    there = registration.deformation.forward(places)
    assert np.linalg.norm(bend(there) - places, axis=1).max() < 4  # mm
    assert np.abs(registration.deformation.inverse(there) - places).max() < 0.2


def test_livers_are_bent_the_same_to_the_last_bit_each_time(monkeypatch):
    monkeypatch.setattr("LiverSegLib.followup.registration.ITERATIONS", 4)
    coarse = grid((4.0, 4.0, 4.0))
    both = [patient([], coarse), patient([], coarse, lambda points: bend(points) - (5.0, -8.0, 7.0))]
    views = [liver_view(item.result.image, item.result.labels, False) for item in both]
    pair = _Pair(*views, lambda share: None, lambda: None)
    bent = [pair.splines(sitk.AffineTransform(3)).GetParameters() for _ in range(2)]
    assert bent[0] == bent[1] and max(bent[0]) > 0.1


def test_growth_of_known_size_is_measured_within_5_percent(found):
    grown, shrunk = found.courses[:2]
    truth = (12 / 9) ** 3
    assert 1 + grown.change("volume_ml", 1) / 100 == pytest.approx(truth, rel=0.05)
    for at, radius in zip(grown.dates, (9, 12)):
        assert at.volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.05)
    # a ball of 5 mm in voxels of 4 mm is itself some percent off
    assert 1 + shrunk.change("volume_ml", 1) / 100 == pytest.approx((5 / 7) ** 3, rel=0.1)


def test_matching_makes_no_error_under_the_deformation(found):
    assert events(found.courses) == [[(), ()], [(), ()], [(), (GONE,)], [(), (NEW,)]]


def test_response_says_its_rule(found):
    response = found.responses[0]
    assert response.category == "PD" and response.new == (4,)
    assert [key_of(text) for text in response.reasons] == ["recist.new", "recist.sd"]
    assert found.sums_mm[1] == pytest.approx(34, abs=5)


def test_files_are_complete_and_consistent(found, tmp_path):
    files = write_followup(found, tmp_path, version="1", created="today")
    content = json.loads(files["follow-up"].read_text(encoding="utf-8"))
    assert [item["days"] for item in content["dates"]] == [0, 92]
    assert [item["number"] for item in content["lesions"]] == [1, 2, 3, 4]
    assert content["responses"][0]["category"] == "PD"
    with open(files["table"], encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and rows[7]["events"] == "new"
    page = files["page"].read_text(encoding="utf-8")
    assert (
        page.count("<figure") == 2 + 4 * 2
        and "<script" not in page
        and "http" not in page.split("</style>")[1]
    )
    assert "progressive disease" in page and "<svg" in page


def test_files_of_others_are_not_overwritten(found, tmp_path):
    (tmp_path / "followup.csv").write_text("mine")
    with pytest.raises(OutputError):
        write_followup(found, tmp_path, version="1", created="today")
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["followup.csv"]


def test_plot_has_a_point_for_each_date(found):
    assert plot(found).count("<circle") == 6


@pytest.mark.parametrize("last", [51.8, 54.0, 33.0, 31.0])
def test_names_of_borders_cover_no_number(found, last, monkeypatch):
    """Where the sum of diameters ends close to a border of response, its name stands elsewhere."""
    monkeypatch.setattr(FollowUp, "sums_mm", property(lambda self: (45.1, last)))
    texts = re.findall(r'<text x="([^"]+)" y="([^"]+)" text-anchor="middle"[^>]*>([^<]+)<', plot(found))
    place = {text: (float(x), float(y)) for x, y, text in texts}
    number = place[f"{last:.1f}"]
    for name in ("progression, +20 %", "partial response, −30 %"):
        x, y = place[name]
        assert abs(x - number[0]) > 75 or abs(y - number[1]) > 12, (name, number)


def test_livers_of_two_patients_are_refused():
    first = patient([], name="first")
    other = patient([], name="other", shape=np.array([35.0, 30.0, 48.0]), move=lambda p: p * (-1, 1, 1))
    with pytest.raises(InputError) as caught:
        compare([first, other])
    assert key_of(caught.value.args[0]) == "followup.not-registered"


def test_cancel_stops_soon():
    asked = []

    def cancel():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(CancelledError):
        compare([patient([], name="a"), patient([], name="b", move=bend)], cancel=cancel)


# ---- order and doubts


def test_what_cannot_be_compared_is_refused():
    visit = patient([])
    with pytest.raises(UsageError):
        compare([visit])
    with pytest.raises(InputError) as caught:
        in_order([visit, replace(visit, date="2026-01-01")])
    assert key_of(caught.value.args[0]) == "followup.twice"
    with pytest.raises(UsageError):
        iso_date("2026-02-30")


def test_differences_between_scans_are_said():
    first = replace(patient([], phase="portal", date="2026-01-01"), patient="a")
    second = replace(
        patient([], grid((2.0, 2.0, 8.0)), phase="arterial", date="2026-01-01", name="other"), patient="b"
    )
    _, said = in_order([first, second])
    keys = ["followup.same-date", "followup.patients", "followup.phases", "followup.slices"]
    assert [key_of(text) for text in said] == keys
    _, said = in_order([first, replace(second, date=None)])
    assert key_of(said[0]) == "followup.no-dates"


def test_doubtful_registrations_are_told():
    good = Quality(0.95, 0.96, 0.97, 0.5, 0.8, 1.2, 0.0, True)
    assert not good.is_doubtful and good.is_one_patient
    bad = Quality(0.85, 0.86, 0.90, 0.1, 0.1, 4.0, 3.0, False)
    assert [key_of(text) for text in bad.doubts("x")] == [
        "followup.shape-differs", "followup.overlap-low", "followup.deformation-strong", "followup.not-bent",
    ]  # fmt: skip
    assert not replace(bad, rigid_dice=0.75).is_one_patient
    assert Registration(Deformation.none(grid()), bad).quality.to_dict()["doubtful"]


def test_deformation_that_stretches_says_so():
    stretched = Deformation.of(sitk.ScaleTransform(3, (1.1, 1.0, 0.9)), grid().axis_aligned(5.0, most=512))
    assert np.allclose(stretched.volume_change(), 0.99)
    points = np.array([[10.0, -5.0, 20.0]])
    assert np.allclose(stretched.forward(points), [[11.0, -5.0, 18.0]])
    assert np.allclose(stretched.inverse(stretched.forward(points)), points, atol=0.1)
