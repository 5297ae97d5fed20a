"""What holds of the repository as a whole: sizes, licence, pinned versions, no paths of a machine."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Dict, List

import pytest

import LiverSegLib

ROOT = Path(__file__).resolve().parents[2]
MAX_FILE_BYTES = 8 * 1024**2
"""The Extensions Index allows 100 MB for the repository with its history."""

MACHINE_PATH = re.compile(r"(?<![\w.$}~/-])/(?:tmp|work|root|home/[a-z]+|Users/[A-Za-z]+|mnt|private)/")
"""A path that exists on somebody's machine only."""

NAME = re.compile(r"^[A-Za-z0-9._-]+")


def tracked() -> List[Path]:
    """Every file that git knows or would add; everything that is there where this is no git checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listing = subprocess.run(command, cwd=str(ROOT), capture_output=True, check=True).stdout.decode(
            "utf-8"
        )
    except (OSError, subprocess.CalledProcessError):
        return [path for path in ROOT.rglob("*") if path.is_file() and ".venv" not in str(path)]
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def section(start: str) -> List[str]:
    """The requirements of one list in pyproject.toml, e.g. ``dependencies``; Python 3.9 reads no TOML."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    body = re.search(rf"^{re.escape(start)} = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    assert body, f"pyproject.toml has no {start}"
    return re.findall(r'"([^"]+)"', body.group(1))


def pins(name: str) -> Dict[str, str]:
    """Package (lower case) -> version of a constraints file; every line must pin."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line:
            package, separator, version = line.partition("==")
            assert separator and version, f"{name}: {line!r} pins nothing"
            found[package.lower().replace("_", "-")] = version
    return found


def test_no_file_is_larger_than_8_mb():
    large = [str(path.relative_to(ROOT)) for path in tracked() if path.stat().st_size > MAX_FILE_BYTES]
    assert not large


def test_licence_and_notices_are_there():
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence and "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    assert "CC BY 4.0" in (ROOT / "NOTICE").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", ["Resources/SampleData", "Testing/Data"])
def test_every_scan_in_the_repository_is_attributed(folder):
    said = (ROOT / folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    for path in (ROOT / folder).iterdir():
        if path.name != "ATTRIBUTION.md":
            assert path.name in said, f"{path.name} is not attributed"
    assert "10.7937/TCIA.5FNA-0924" in said and "CC BY 4.0" in said


@pytest.mark.parametrize("start", ["dependencies", "report", "train", "test"])
def test_every_dependency_is_pinned_for_development(start):
    pinned = pins("constraints.txt")
    for requirement in section(start):
        assert NAME.match(requirement).group().lower() in pinned, (
            f"{requirement} is not pinned in constraints.txt"
        )


def test_pins_are_within_what_the_package_asks_for():
    pinned = pins("constraints.txt")
    for start in ("dependencies", "report", "train", "test"):
        for requirement in section(start):
            name, _, least = requirement.partition(">=")
            assert numbers(pinned[name.lower()]) >= numbers(least), requirement


def test_slicer_versions_are_slicer_s():
    pinned = pins("constraints-slicer58.txt")
    bundled = {
        "numpy": "1.26.4",
        "scipy": "1.13.1",
        "simpleitk": "2.3.1",
        "pydicom": "2.4.4",
        "pillow": "10.3.0",
    }
    assert {name: pinned[name] for name in bundled} == bundled
    for requirement in section("dependencies"):
        name, _, least = requirement.partition(">=")
        assert numbers(pinned[name.lower()]) >= numbers(least), f"Slicer 5.8 could not run with {requirement}"


def numbers(version: str) -> List[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


def test_no_path_of_a_machine_is_in_the_repository():
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.relative_to(ROOT)}: {match.group()}" for match in MACHINE_PATH.finditer(text)]
    assert not found


def test_machine_paths_are_recognised():
    slash = "/"
    assert MACHINE_PATH.search(f"open('{slash}tmp/x')") and MACHINE_PATH.search(f"see {slash}home/ann/x")
    assert not MACHINE_PATH.search("https://example.org/" + "home/ann/x") and not MACHINE_PATH.search(
        "a/tmp" + "/b"
    )


def test_changelog_names_this_version():
    assert f"## {LiverSegLib.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_continuous_integration_runs_lint_and_tests():
    script = ROOT / ".ci" / "run"
    text = script.read_text(encoding="utf-8")
    assert "make lint" in text and "make test" in text
    assert os.access(script, os.X_OK) or os.name == "nt"


def test_every_link_between_documents_leads_somewhere():
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name} leads to {target}, which is not there"


@pytest.mark.slow
def test_wheel_brings_the_bundled_models_and_the_page_of_the_report(tmp_path):
    pytest.importorskip("hatchling")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w"]
    subprocess.run([*command, str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("liverseg-*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path / "site")], check=True)
    names = zipfile.ZipFile(wheel).namelist()
    bundled = [path for path in (ROOT / "Resources" / "Models").rglob("*") if path.is_file()]
    for path in bundled:
        assert (
            f"LiverSegLib/Resources/Models/{path.relative_to(ROOT / 'Resources' / 'Models').as_posix()}"
            in names
        )
    assert {"LiverSegLib/report/page.html", "LiverSegLib/report/style.css"} <= set(names)
    assert not [name for name in names if name.startswith(("Testing", "LiverSeg/"))]
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from LiverSegLib.models import bundled_models_folder, load_model\n"
        "load_model('default').verify(); print(bundled_models_folder())"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True, text=True, cwd=str(tmp_path),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert Path(run.stdout.strip()) == tmp_path / "site" / "LiverSegLib" / "Resources" / "Models"
