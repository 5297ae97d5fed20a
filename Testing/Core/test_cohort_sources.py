"""Which cases a cohort has, what they are called, which are unusual, and how long the rest takes."""

import random

import pytest

from LiverSegLib.cohort import Case, find_cases
from LiverSegLib.cohort.anonymous import named_by_secret
from LiverSegLib.cohort.case import safe_name
from LiverSegLib.cohort.failure import without_names
from LiverSegLib.cohort.outliers import outliers
from LiverSegLib.cohort.pace import Pace
from LiverSegLib.cohort.sources import with_unique_names
from LiverSegLib.errors import InputError, UnreadableImageError
from LiverSegLib.sentences import Sentence


def listed(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_a_folder_gives_its_scans_and_neither_labels_nor_results(tmp_path):
    for name in (
        "a.nii.gz",
        "b/a.nii",
        "b/a_seg.nii.gz",
        "c/labels-1.nrrd",
        ".d/x.nii",
        "notes.txt",
        "e/x.mha",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "measurements.json").write_text("{}")
    (tmp_path / "result" / "highlight.nii.gz").write_bytes(b"")
    found = find_cases(str(tmp_path), leave_out=[tmp_path / "e"])
    assert [case.name for case in found.cases] == ["a", "b_a"]


def test_an_empty_folder_and_a_missing_one_are_sentences(tmp_path):
    with pytest.raises(UnreadableImageError, match="There is no scan in"):
        find_cases(str(tmp_path))
    with pytest.raises(UnreadableImageError, match="There is no file or folder"):
        find_cases(str(tmp_path / "x"))
    with pytest.raises(InputError, match="liverseg segment"):
        (tmp_path / "x.nii").write_bytes(b"")
        find_cases(str(tmp_path / "x.nii"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_list_names_cases_and_keeps_other_columns(tmp_path, separator, encoding):
    text = "Path,ID,age,modality\nx/a.nii.gz,p1,50,mr\n\n/y/b,,60,\n".replace(",", separator)
    first, second = find_cases(listed(tmp_path, text, encoding)).cases
    assert first == Case("p1", str(tmp_path / "x" / "a.nii.gz"), None, "MR", (("age", "50"),))
    assert second.name == "y_b" and second.source == "/y/b" and second.modality is None


@pytest.mark.parametrize("text, said", [
    ("", 'needs a column "path"; it has none'),
    ("file,id\nx,y\n", "it has file, id"),
    ("path,path\nx,y\n", 'the column "path" twice'),
    ("path,id\nx,a\n,b\n", "no path in line 3"),
    ("path,id\nx,a\ny,a\n", r'the case "a" twice, in lines 2 and 3'),
    ("path,id\nx,a,z\n", "3 cells in line 2 under 2 headings"),
    ("path,modality\nx,PET\n", 'the modality "PET" in line 2'),
    ('path,id\n"x,a\n', "cannot be read as a CSV table"),
    ("path\n", "There is no scan in"),
])  # fmt: skip
def test_a_list_that_is_wrong_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises((InputError, UnreadableImageError), match=said):
        find_cases(listed(tmp_path, text))


def test_a_list_in_another_encoding(tmp_path):
    with pytest.raises(InputError, match="UTF-8"):
        find_cases(listed(tmp_path, "path,id\nx,Müller\n", "latin-1"))


def test_names_are_safe_and_stay_apart():
    assert safe_name("../../etc/passwd") == "etc_passwd"
    long = [safe_name("x" * 300 + end) for end in "ab"]
    assert len(set(long)) == 2 and max(map(len, long)) <= 100
    same = with_unique_names([Case("a", "/1"), Case("A", "/2"), Case("b", "/3")])
    assert len({case.name.lower() for case in same}) == 3
    more = with_unique_names([Case("a", "/1"), Case("A", "/2"), Case("a", "/0")])
    assert {case.name for case in same if case.source in ("/1", "/2")} <= {case.name for case in more}


def test_anonymous_names_are_the_same_in_every_run_and_need_the_secret():
    case = Case("Doe", "/x/Doe.nii", columns=(("born", "1970"),))
    first, again = (named_by_secret([case], b"1" * 32)[0] for _ in range(2))
    assert first == again and "Doe" not in first.name and first.columns == ()
    assert named_by_secret([case], b"2" * 32)[0].name != first.name


def test_sentences_of_an_anonymous_case_name_no_file():
    case = Case("case-1", "/data/Doe_John/ct.nii.gz")
    sentence = Sentence("read.missing", path="/data/Doe_John/ct.nii.gz")
    assert without_names(sentence, case) == "case-1 does not exist."
    assert without_names("/data/Doe_John is full", case) == "case-1 is full"


def test_outliers_are_far_from_the_others_of_their_phase():
    chance = random.Random(1)
    rows = [
        {"case": f"{phase}{n}", "liver_ml": chance.gauss(1500, 100), "liver_hu": chance.gauss(middle, 5),
         "phase": phase}
        for phase, middle in (("portal", 110), ("unenhanced", 55)) for n in range(20)
    ]  # fmt: skip
    rows[3]["liver_ml"], rows[4]["liver_hu"] = 4000.0, 55.0
    rows[5].update(liver_ml=200.0, liver_cut_off=True)
    found = {item.case: item.reasons for item in outliers(rows)}
    assert {"portal3", "portal4"} <= set(found) and "portal5" not in found and len(found) <= 4
    assert found["portal3"][0].startswith("Liver 4000 ml, median 1")
    assert outliers(rows[:5]) == []


def test_pace_tells_the_rest_from_the_last_cases():
    now = [0.0]
    pace = Pace(clock=lambda: now[0])
    assert pace.remaining(10) is None
    for _ in range(4):
        now[0] += 3.0
        pace.ended()
    assert pace.remaining(10) == pytest.approx(30.0)
