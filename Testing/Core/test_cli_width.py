"""What the command prints fits 80 columns, says each warning once, and never breaks a path."""

import re
from dataclasses import replace

import pytest
from fatty_phantom import fatty_scan
from test_cli import make_result, make_scan

import LiverSegLib
from LiverSegLib.cli import main
from LiverSegLib.cli.console import Console, Facts
from LiverSegLib.images import SeriesInfo

COLUMNS = 80
LONG_FOLDER = "a-folder-name-that-a-study-may-well-have/" * 3 + "case-0001"
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(params=["pipe", "terminal"])
def eighty(request, monkeypatch):
    """Eighty columns, in a terminal and elsewhere."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))
    if request.param == "terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")


@pytest.fixture
def asked(monkeypatch):
    """A network that finds a dense lesion and a doubtful spleen, and says one warning twice."""

    def segment(source, **options):
        options["progress"](0.5, "segment", "Segmenting")
        result = make_result(source, **options)
        return replace(result, warnings=(*result.measurements.warnings, "Said twice.", "Said twice."))

    monkeypatch.setattr(LiverSegLib, "segment", segment)


def printed(capsys):
    """All lines on both outputs, without colours and without what a terminal draws over."""
    said = capsys.readouterr()
    return [line.rstrip() for line in re.split(r"[\r\n]", CONTROLS.sub("", said.out + "\n" + said.err))]


def too_long(lines):
    """Lines beyond COLUMNS but those that are one path alone."""
    return [line for line in lines if len(line) > COLUMNS and not re.fullmatch(r"\s*/\S+", line)]


def test_segment_fits_and_keeps_its_paths_whole(tmp_path, eighty, asked, capsys):
    output = tmp_path / LONG_FOLDER
    assert main(["segment", str(make_scan(tmp_path, 300)), "-o", str(output), "--no-report"]) == 0
    lines = printed(capsys)
    assert not too_long(lines)
    assert not [line for line in lines if "…" in line]
    assert str(output / "segmentation.nii.gz") in [line.strip() for line in lines]


def test_each_warning_is_said_once(tmp_path, eighty, asked, capsys):
    assert main(["segment", str(make_scan(tmp_path, 300)), "-o", str(tmp_path / "o"), "--no-report"]) == 0
    text = " ".join(" ".join(printed(capsys)).split())
    assert text.count("Said twice.") == 1
    assert text.count("Mean of 300 HU") == 1 and "lesion (" not in text  # in sum, it says the same


def test_steatosis_fits(tmp_path, eighty, capsys):
    import SimpleITK as sitk

    for image, name in zip(fatty_scan(liver=110, spleen=120), ("ct.nii.gz", "mask.nii.gz")):
        sitk.WriteImage(image, str(tmp_path / name))
    arguments = ["steatosis", str(tmp_path / "ct.nii.gz"), "--labels", str(tmp_path / "mask.nii.gz")]
    assert main([*arguments, "-o", str(tmp_path / LONG_FOLDER)]) == 0
    lines = printed(capsys)
    assert not too_long(lines) and not [line for line in lines if "…" in line]
    warnings = " ".join(lines).split("Warning: ")[1:]
    assert len(set(warnings)) == len(warnings)


def test_series_fit_and_can_be_copied(tmp_path, eighty, monkeypatch, capsys):
    uid = "1.3.6.1.4.1.14519.5.2.1.1706.8374.295182865956485954109486999907.1"[:64]
    found = [
        SeriesInfo(uid, "Abdomen portal venous soft tissue", "CT", (512, 512, 1210), (0.781, 0.781, 0.625),
                   ("a",), "unenhanced", number=1201),
        SeriesInfo("1.2", "A_DESCRIPTION_OF_ONE_WORD_" * 3, "CT", (512, 512, 1), (1.0, 1.0, 1.0), ("c",),
                   suitable=False, reason="one slice only, a localizer or a picture of the dose"),
    ]  # fmt: skip
    monkeypatch.setattr("LiverSegLib.images.list_series", lambda folder: found)
    assert main(["series", str(tmp_path)]) == 0
    lines = printed(capsys)
    assert not too_long(lines) and not [line for line in lines if "…" in line]
    assert f"--series {uid}" in [line.strip() for line in lines]


@pytest.mark.slow
def test_doctor_fits(tmp_path, eighty, probe_once, monkeypatch, capsys):
    monkeypatch.setattr("LiverSegLib.cli.checks.probe", probe_once)
    folder = tmp_path / LONG_FOLDER
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    main(["doctor"])
    lines = printed(capsys)
    assert not too_long(lines)
    assert str(folder) in [line.strip() for line in lines]


def test_a_long_path_stands_alone_and_the_rest_is_wrapped_between_words(eighty, capsys):
    facts = Facts("Facts")
    path = "/" + "long-name/" * 12
    facts.add_row("here", f"many words before it {path} and many words after it, so that a line breaks")
    facts.add_row("there", "short")
    Console().show(facts)
    lines = printed(capsys)
    assert path in [line.strip() for line in lines] and not too_long(lines)
    assert "there  short" in lines


@pytest.mark.slow
def test_the_demonstration_fits(tmp_path, sample_scan, eighty, capsys):
    assert main(["segment", str(sample_scan), "-o", str(tmp_path / "demo-output")]) == 0
    lines = printed(capsys)
    assert not too_long(lines) and not [line for line in lines if "…" in line]
