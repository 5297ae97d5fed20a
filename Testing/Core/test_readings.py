"""Tables of fatty-liver readings: what is understood, what is refused in a sentence, how two are compared."""

import json
import re
from xml.etree import ElementTree

import pytest

from LiverSegLib.errors import InputError, UnreadableImageError
from LiverSegLib.evaluation.comparison import compare_readings
from LiverSegLib.evaluation.difference_plot import difference_plot
from LiverSegLib.evaluation.readings import read_readings
from LiverSegLib.steatosis.assessment import CutOffs

MANUAL = """case,ratio,liver_hu,spleen_hu,grade
a,1.20,60,50,normal
b,0.90,45,50,mild
c,0.60,30,50,moderate
d,0.40,20,50,severe
"""

SVG = "{http://www.w3.org/2000/svg}"


def table(folder, text, name="table.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def read(folder, text, **options):
    return read_readings(table(folder, text, **options))


def compare(folder, manual, automatic, **options):
    for library in ("matplotlib", "statsmodels"):  # the extra, which 3D Slicer's versions are tested without
        pytest.importorskip(library)
    first, second = read(folder, manual, name="manual.csv"), read(folder, automatic, name="automatic.csv")
    return compare_readings(first, second, **options)


# --- what is understood ------------------------------------------------------------------------------------


def test_a_table_is_read(tmp_path):
    readings = read(tmp_path, MANUAL)
    assert list(readings.by_case) == ["a", "b", "c", "d"]
    first = readings.by_case["a"]
    assert (first.ratio, first.liver_hu, first.spleen_hu, first.grade) == (1.2, 60.0, 50.0, "normal")


@pytest.mark.parametrize(
    "text",
    [
        "case;ratio;grade\r\nx;0,95;mild\r\n",
        "\ufeffCase\tRatio\tGrade\nx\t0.95\tMILD\n",
        '"Patient","L/S ratio","Grade"\n"x","0.95","1"\n',
        "\n\ncase, ratio, reader, grade\nx, 0.95, Dr. B, mild\n\n",
        "case,Liver (HU),Spleen (HU),grade\nx,47.5,50,mild\n",
        "grade,case,ratio\nmild,x,0.95",
    ],
)
def test_ways_of_writing_a_table(tmp_path, text):
    reading = read(tmp_path, text).by_case["x"]
    assert reading.ratio == pytest.approx(0.95) and reading.grade == "mild"


def test_what_is_empty_is_not_known(tmp_path):
    readings = read(tmp_path, "case,ratio,grade\na,,\nb,−0.5,-\nc,n/a,not graded\nd\n")
    assert [reading.ratio for reading in readings.by_case.values()] == [None, -0.5, None, None]
    assert {reading.grade for reading in readings.by_case.values()} == {None}


def test_a_ratio_is_not_computed_from_a_spleen_of_nothing(tmp_path):
    assert read(tmp_path, "case,liver_hu,spleen_hu\na,50,0\n").by_case["a"].ratio is None


def test_a_folder_of_results_is_one_table(tmp_path):
    for case in ("one", "two"):
        (tmp_path / case).mkdir()
        table(tmp_path / case, f"case,ratio\n{case},1.1\n", name="steatosis.csv")
    assert set(read_readings(tmp_path).by_case) == {"one", "two"}
    table(tmp_path / "two", "case,ratio\none,1.1\n", name="steatosis.csv")
    with pytest.raises(InputError, match='"one" is in .*one.* and in .*two.*--case'):
        read_readings(tmp_path)


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("case,ratio\n", "has headings but no case"),
        ("number,ratio\n1,0.9\n", 'no column "case".*"number", "ratio"'),
        ("case,age\na,50\n", "none of the columns ratio, liver_hu, spleen_hu, grade"),
        ("case,ratio,ratio\na,1,1\n", "more than one column for ratio"),
        ("case,ratio\na,1\n\nb,1\na,1.1\n", 'the case "a" twice, in lines 2 and 5'),
        ("case,ratio\n,1\n", "line 2: the case has no name"),
        ("case,ratio\na,high\n", 'line 2: the ratio "high" is not a number'),
        ("case,ratio\na,inf\n", 'line 2: the ratio "inf" is not a number'),
        ('case,ratio\na,"0,9"\n', 'the ratio "0,9" is not a number'),
        ("case,grade\na,fatty\n", 'the grade "fatty" is none of normal, mild, moderate, severe'),
        ("case,grade\na,4\n", "or 0 to 3"),
        ('case,ratio\n"a,1\n', "cannot be read as CSV"),
        ("case,ratio\na,1,12\nb,0,88\n", "line 2: it has 3 cells, the headings are 2.*semicolons"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, text)


def test_spreadsheets_and_other_encodings_are_refused(tmp_path):
    for content in (
        b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
        MANUAL.encode("utf-16"),
        "case,ratio\nJürg,1\n".encode("latin-1"),
    ):
        path = tmp_path / "table.xlsx"
        path.write_bytes(content)
        with pytest.raises(InputError, match="save the sheet as CSV"):
            read_readings(path)


def test_missing_files_are_told(tmp_path):
    with pytest.raises(UnreadableImageError, match="There is no file"):
        read_readings(tmp_path / "none.csv")
    with pytest.raises(UnreadableImageError, match="no steatosis.csv in the folder"):
        read_readings(tmp_path)


def test_tables_without_a_common_case_are_refused(tmp_path):
    with pytest.raises(InputError, match='no case in common: .*"a", "b", "c" and 1 more.*"A"'):
        compare(tmp_path, MANUAL, "case,ratio\nA,1\n")


def test_tables_without_a_common_quantity_are_refused(tmp_path):
    with pytest.raises(InputError, match="values for liver_hu, .*automatic.csv for grade"):
        compare(tmp_path, "case,liver_hu\na,50\n", "case,grade\na,mild\n")


# --- comparing ---------------------------------------------------------------------------------------------


def test_cases_are_matched_by_name_and_the_others_named(tmp_path):
    result = compare(tmp_path, MANUAL, "case,ratio\nd,0.45\nx,1\nb,0.8\n")
    assert result.cases == ("b", "d")
    assert result.only_manual == ("a", "c") and result.only_automatic == ("x",)
    assert '2 cases are in the manual table only and left out: "a", "c".' in result.warnings
    assert '1 case is in the automatic table only and left out: "x".' in result.warnings
    (ratio,) = result.comparisons
    assert ratio.cases == ("b", "d") and ratio.manual.tolist() == [0.9, 0.4]
    assert ratio.bland_altman.bias == pytest.approx((0.45 - 0.4 + 0.8 - 0.9) / 2)


def test_differences_are_automatic_minus_manual(tmp_path):
    result = compare(tmp_path, MANUAL, MANUAL.replace(",50,", ",55,").replace(",60,", ",66,"))
    liver, spleen = result.comparisons[1:]
    assert liver.bland_altman.bias == pytest.approx(6 / 4) and spleen.bland_altman.bias == pytest.approx(5)


def test_grades_are_compared(tmp_path):
    result = compare(tmp_path, MANUAL, "case,grade\na,normal\nb,moderate\nc,moderate\nd,severe\n")
    assert result.grades.counts.tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    assert result.grades.agreeing == 0.75 and result.grades.differing == (("b", "mild", "moderate"),)
    assert result.grades.graded_from_ratio == () and result.comparisons == ()
    assert 0 < result.grades.kappas["linear"].value < result.grades.kappas["quadratic"].value < 1


def test_a_table_without_grades_is_graded_from_its_ratios(tmp_path):
    automatic = "case,ratio\na,1.2\nb,0.9\nc,0.6\nd,0.4\n"
    result = compare(tmp_path, MANUAL, automatic)
    assert result.grades.agreeing == 1.0 and result.grades.graded_from_ratio == ("automatic",)
    stricter = compare(tmp_path, MANUAL, automatic, cut_offs=CutOffs(1.3, 0.7, 0.5))
    assert stricter.grades.differing == (("a", "normal", "mild"),)
    assert stricter.to_dict()["grades"]["cut_offs"]["normal_above"] == 1.3


def test_cases_that_were_not_graded_take_no_part_in_the_grades(tmp_path):
    result = compare(tmp_path, MANUAL, "case,ratio,grade\na,1.2,normal\nb,0.9,\n")
    assert result.grades.counts.sum() == 1 and len(result.comparisons[0].cases) == 2


def test_few_cases_and_a_trend_are_warned_of(tmp_path):
    assert any("too few" in text for text in compare(tmp_path, MANUAL, MANUAL).warnings)
    rows = [f"{n},{0.3 + 0.05 * n:.3f}" for n in range(20)]
    more = [f"{n},{1.2 * (0.3 + 0.05 * n):.3f}" for n in range(20)]
    result = compare(tmp_path, "\n".join(["case,ratio", *rows]), "\n".join(["case,ratio", *more]))
    assert [text for text in result.warnings if "change with the value" in text]
    assert not any("too few" in text for text in result.warnings)


def test_one_case_can_be_compared(tmp_path):
    result = compare(tmp_path, "case,ratio\na,1.1\n", "case,ratio\na,1.0\n")
    json.dumps(result.to_dict(), allow_nan=False)
    assert result.comparisons[0].bland_altman.bias == pytest.approx(-0.1)
    assert any(text.startswith("1 case compared: too few") for text in result.warnings)
    assert points(difference_plot(result.comparisons[0])) == ["a"]


def test_a_comparison_is_plain_json(tmp_path):
    content = json.loads(json.dumps(compare(tmp_path, MANUAL, MANUAL).to_dict(), allow_nan=False))
    assert [item["quantity"] for item in content["comparisons"]] == ["ratio", "liver_hu", "spleen_hu"]
    assert content["comparisons"][2]["icc_2_1"]["value"] is None  # all spleens have 50 HU
    assert content["comparisons"][0]["values"][1] == {"case": "b", "manual": 0.9, "automatic": 0.9}


# --- the plot ----------------------------------------------------------------------------------------------


def points(svg):
    """The names of the cases that are drawn as points."""
    root = ElementTree.fromstring(svg)
    titled = {group.get("id", ""): group.findtext(f"{SVG}title") for group in root.iter(f"{SVG}g")}
    drawn = root.findall(f".//{SVG}g[{SVG}title]//{SVG}use")
    names = [name for key, name in titled.items() if key.startswith("case-")]
    assert len(drawn) == len(names)
    return names


def test_the_plot_has_a_point_a_case_and_three_lines(tmp_path):
    names = "case,ratio\n" + "\n".join(f"<{n}>&,{0.5 + 0.03 * n}" for n in range(12))
    result = compare(tmp_path, names, names.replace("0.5", "0.55"))
    svg = difference_plot(result.comparisons[0])
    assert points(svg) == [f"<{n}>&" for n in range(12)] and "&lt;3&gt;&amp;" in svg and "<3>" not in svg
    for words in ("bias + 1.96 SD", "bias − 1.96 SD", "Automatic − manual", "12 cases"):
        assert words in svg
    assert "http" not in re.sub(r'xmlns(:xlink)?="http://www.w3.org/[^"]*"', "", svg)
    assert svg == difference_plot(result.comparisons[0])


def test_a_plot_without_any_difference_is_drawn(tmp_path):
    for comparison in compare(tmp_path, MANUAL, MANUAL).comparisons:
        svg = difference_plot(comparison)
        assert "nan" not in svg and len(points(svg)) == 4
