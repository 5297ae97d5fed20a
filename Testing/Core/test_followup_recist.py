"""RECIST 1.1 of the liver, and results that were written before, in a follow-up."""

import pytest
import SimpleITK as sitk
from followup_patients import matched, patient

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.followup import Visit
from LiverSegLib.followup.courses import NEW, NOT_IN_VIEW, AtDate, Course
from LiverSegLib.followup.reading import Given, given_from, read_result
from LiverSegLib.followup.recist import measurable_mm, responses, sum_of_diameters, with_targets
from LiverSegLib.labels import LIVER
from LiverSegLib.sentences import key_of

# ---- RECIST 1.1


def course(number, *sizes, first=0):
    """A course with these longest diameters; None: outside the scan."""
    dates = []
    for index, size in enumerate(sizes):
        status = NOT_IN_VIEW if size is None else "measured" if size else "absent"
        numbers = (number,) if size else ()
        marks = (NEW,) if size and index == first > 0 else ()
        parts = (size,) if size else ()
        dates.append(AtDate(status, numbers, size, size, None, None, (0.0, 0.0, 0.0), False, parts, marks))
    return Course(number, tuple(dates), (number,) if dates[0].numbers and number < 10 else ())


def category(*found, phases=None, doubtful=False):
    count = len(found[0].dates)
    visits = [patient([], phase=phase, name=str(i)) for i, phase in enumerate(phases or ["portal"] * count)]
    answers = responses(found, visits, [doubtful] * count)
    return [answer.category for answer in answers]


@pytest.mark.parametrize(
    "sizes, wanted",
    [
        ((50, 35.1), "SD"),
        ((50, 35), "PR"),
        ((50, 59.9), "SD"),
        ((50, 60), "PD"),
        ((15, 19.9), "SD"),  # 33 %, but less than 5 mm
        ((15, 20), "PD"),
        ((50, 0), "CR"),
        ((50, None), "NE"),
    ],
)
def test_category_by_the_sum(sizes, wanted):
    assert category(course(1, *sizes)) == [wanted]


def test_progression_counts_from_the_smallest_sum():
    assert category(course(1, 100, 40, 47, 48)) == ["PR", "PR", "PD"]
    assert category(course(1, 100, 0, 8)) == ["CR", "PD"]


def test_non_targets_and_new_lesions():
    assert category(course(1, 30, 0), course(10, 8, 7)) == ["PR"]
    assert category(course(10, 8, 7)) == ["non-CR/non-PD"]
    assert category(course(10, 8, 0)) == ["CR"]
    new = course(11, 0, 12, 12, first=1)
    assert category(course(1, 30, 30, 30), new) == ["PD", "PD"]
    assert category(course(1, 30, 30, 30), new, phases=["portal", "arterial", "portal"]) == ["SD", "PD"]
    assert category(course(1, 30, 30), course(11, 0, 9, first=1)) == ["SD"]
    assert category(course(1, 30, 30), course(11, 0, 15, first=1), doubtful=True) == ["SD"]


def test_targets_are_the_two_longest_that_are_measurable():
    visit = patient([((-30, 0, 0), 6), ((-8, 10, 0), 8), ((0, -20, 8), 10), ((-20, 20, 8), 3)])
    found = with_targets(matched(visit, visit), visit)
    assert [item.number for item in found if item.is_target] == [1, 2]
    assert sum_of_diameters([item for item in found if item.is_target], 0) == pytest.approx(36, abs=4)
    assert measurable_mm(7.5) == 15.0


# ---- what was written before


def write_result(folder, visit, path):
    """The parts of a result of `liverseg segment` that are read."""
    from LiverSegLib.images import read_scan
    from LiverSegLib.outputs.results import RESULTS

    sitk.WriteImage(visit.result.image, str(path))
    folder.mkdir()
    sitk.WriteImage(visit.result.labels, str(folder / "segmentation.nii.gz"))
    source = {"path": str(path), "sha256": read_scan(path).fingerprint}
    content = {"name": visit.name, "facts": visit.result.facts.to_dict(), "provenance": {"input": source}}
    RESULTS.write_index(folder, content, ["segmentation.nii.gz"])


def test_results_are_taken_as_they_are_also_when_edited_or_moved(tmp_path):
    visit = patient([((-20, 0, 0), 8)], phase="portal", name="mine")
    scan, folder = tmp_path / "scan.nii.gz", tmp_path / "result"
    write_result(folder, visit, scan)
    read = read_result(Given(folder, "2026-01-01"))
    assert (read.name, read.date, read.phase, read.warnings) == ("mine", "2026-01-01", "portal", ())
    assert len(read.result.measurements.lesions) == 1
    sitk.WriteImage(visit.result.labels * 0 + LIVER, str(folder / "segmentation.nii.gz"))
    edited = read_result(Given(folder))
    assert not edited.result.measurements.lesions and key_of(edited.warnings[0]) == "followup.edited"
    moved = scan.rename(tmp_path / "moved.nii.gz")
    with pytest.raises(InputError) as caught:
        given_from([folder, moved])
    assert key_of(caught.value.args[0]) == "followup.scan-missing"
    assert read_result(given_from([folder, moved], scans={str(folder): moved})[0]).name == "mine"
    other = tmp_path / "other.nii.gz"
    sitk.WriteImage(visit.result.image + 1, str(other))
    with pytest.raises(InputError) as caught:
        read_result(Given(folder, scan=other))
    assert key_of(caught.value.args[0]) == "followup.other-scan"


def test_wrong_inputs_are_told_before_any_work(tmp_path):
    with pytest.raises(UsageError):
        given_from([tmp_path])
    with pytest.raises(UsageError):
        given_from([tmp_path, tmp_path], ["2026-01-01"])
    (tmp_path / "measurements.json").write_text("{}")
    with pytest.raises(InputError) as caught:
        given_from([tmp_path, tmp_path])
    assert key_of(caught.value.args[0]) == "followup.not-a-result"


def test_a_visit_is_its_result_and_date():
    visit = patient([], date="20260101")
    assert Visit(visit.result).title == "scan" and visit.title == "2026-01-01"
