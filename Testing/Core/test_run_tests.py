"""What ``make test`` says at its end, and with which status."""

import subprocess

import pytest

from tools import run_tests

XML = '<testsuites><testsuite tests="9" failures="{}" errors="0" skipped="1" time="61.2"/></testsuites>'


@pytest.fixture
def halves(monkeypatch):
    """Package -> (failing tests, percent covered) of pytest runs that only leave their results; what ran."""
    found, ran = {"LiverSegLib": (0, 90), "LiverSeg": (0, 91)}, []

    def pytest_run(half, folder, arguments):
        ran.append((half.package, *arguments))
        (folder / f"{half.package}.xml").write_text(XML.format(found[half.package][0]))
        return int(found[half.package][0] > 0)

    def coverage(command, *arguments, **_options):
        package = arguments[0].partition("=")[2].partition("/")[0]
        limits = [text for text in arguments if text.startswith("--fail-under")]
        limit = int(limits[0].partition("=")[2]) if limits else 0
        percent = found.get(package, (0, 0))[1]
        return subprocess.CompletedProcess(command, 2 if percent < limit else 0, f"{percent}\n")

    monkeypatch.setattr(run_tests, "run_pytest", pytest_run)
    monkeypatch.setattr(run_tests, "coverage", coverage)
    found["ran"] = ran
    return found


def test_both_halves_are_summed_up(halves, capsys):
    assert run_tests.main(["-m", "not slow"]) == 0
    assert halves["ran"] == [("LiverSegLib", "-m", "not slow"), ("LiverSeg", "-m", "not slow")]
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "core: 8 passed, 1 skipped in 61 s", "Slicer module: 8 passed, 1 skipped in 61 s", "All is well.",
    ]  # fmt: skip


def test_lines_are_counted_where_that_is_asked_for(halves, capsys):
    assert run_tests.main(["--coverage", "-m", "not slow"]) == 0
    counting = ("--cov", "--cov-report=", "-m", "not slow")
    assert halves["ran"] == [("LiverSegLib", *counting), ("LiverSeg", *counting)]
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "core: 8 passed, 1 skipped in 61 s; 90 % of the lines of LiverSegLib covered (at least 88 %)",
        "Slicer module: 8 passed, 1 skipped in 61 s; 91 % of the lines of LiverSeg covered (at least 85 %)",
        "All is well.",
    ]


def test_the_laboratory_is_run_by_itself_and_counts_its_own_files(halves, monkeypatch, capsys):
    asked, coverage = [], run_tests.coverage
    monkeypatch.setattr(run_tests, "coverage", lambda *a, **o: asked.append(a) or coverage(*a, **o))
    assert run_tests.main(["--laboratory", "--coverage", "-k", "losses"]) == 0
    assert halves["ran"] == [("LiverSegLib", "--cov", "--cov-report=", "-k", "losses")]
    assert "laboratory: 8 passed" in capsys.readouterr().out
    included = next(text for text in asked[-1] if text.startswith("--include="))
    assert "LiverSegLib/training/*" in included and "LiverSegLib/*" not in included.split("=")[1].split(",")
    assert run_tests.main(["--coverage"]) == 0
    assert any(text.startswith("--omit=") and "training" in text for call in asked for text in call)


@pytest.mark.parametrize("package", ["LiverSegLib", "LiverSeg"])
def test_a_failure_in_either_half_is_the_status_and_the_other_runs(halves, package, capsys):
    halves[package] = (2, 90)
    assert run_tests.main([]) == 1
    assert len(halves["ran"]) == 2
    assert "6 passed, 2 failures, 1 skipped" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["LiverSegLib", "LiverSeg"])
def test_too_few_covered_lines_in_either_half_are_the_status(halves, package, capsys):
    halves[package] = (0, 84)
    assert run_tests.main(["--coverage"]) == 1
    assert "Not all is well" in capsys.readouterr().out
    assert run_tests.main([]) == 0, "nobody counted"


def test_the_first_failure_ends_it_where_that_is_asked_for(halves, capsys):
    halves["LiverSegLib"] = (1, 90)
    assert run_tests.main(["-x"]) == 1
    assert len(halves["ran"]) == 1 and "Slicer module: not run" in capsys.readouterr().out
