"""The recipes of the container images: what they install, as whom they run, and that they fit the checkout.

No builder is needed here; continuous integration builds the image, runs it and looks at its size.
"""

import re
from pathlib import Path
from typing import List, Tuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE = re.compile(r"python:3\.\d+-slim-\w+\Z")
"""A base image: slim, with Python's and Debian's release."""


def instructions() -> List[Tuple[str, str]]:
    """Instruction and argument of each line of the Dockerfile, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def definition() -> str:
    """The recipe for Apptainer."""
    return (ROOT / "liverseg.def").read_text(encoding="utf-8")


def section(name: str) -> str:
    """One section of the recipe for Apptainer."""
    found = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", definition(), re.MULTILINE | re.DOTALL)
    assert found, f"liverseg.def has no section %{name}"
    return found.group(1)


def copied() -> List[str]:
    """What the Dockerfile takes from the checkout."""
    return [
        name
        for instruction, argument in instructions()
        if instruction == "COPY" and not argument.startswith("--from")
        for name in argument.split()[:-1]
    ]


def test_both_recipes_begin_with_the_same_slim_base():
    bases = [argument.split()[0] for instruction, argument in instructions() if instruction == "FROM"]
    bases.append(re.search(r"^From: (\S+)$", definition(), re.MULTILINE).group(1))
    assert len(set(bases)) == 1 and BASE.match(bases[0])


def test_the_image_runs_liverseg_and_not_as_root():
    last = dict(instructions())
    assert last["ENTRYPOINT"] == '["liverseg"]' and last["CMD"] == '["--help"]'
    assert int(last["USER"]) > 0
    order = [instruction for instruction, _ in instructions()]
    assert "RUN" not in order[order.index("USER") :]
    assert 'exec liverseg "$@"' in section("runscript")


@pytest.mark.parametrize("name", ["Dockerfile", "liverseg.def"])
def test_versions_are_pinned_and_only_base_packages_come(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.search(r"PIP_CONSTRAINT=/src/constraints\.txt", text)
    assert len(re.findall(r"pip install", text)) == 1 and "--no-cache-dir" in text
    assert re.search(r"uninstall --yes openvino-telemetry setuptools pip", text)
    assert not re.search(r"\b(torch|monai|vtk|curl|wget|latest|sudo|ADD)\b", text.replace("PyTorch", ""))
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for package in ("hatchling", "openvino", "pillow", "numpy", "SimpleITK"):
        assert re.search(rf"^{package}==", pinned, re.MULTILINE | re.IGNORECASE), package


def test_both_recipes_take_the_same_files_and_those_are_there():
    from_checkout = [line.split()[0] for line in section("files").splitlines() if line.strip()]
    assert set(from_checkout) == set(copied())
    assert [name for name in from_checkout if not (ROOT / name).exists()] == []


def test_all_that_the_wheel_holds_is_copied():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    forced = re.search(r"force-include\]\n(.*?)\n\n", project, re.DOTALL).group(1)
    wanted = re.findall(r'^"([^"]+)" =', forced, re.MULTILINE)
    assert wanted and set(wanted) <= set(copied())
    for name in re.findall(r'^readme = "([^"]+)"', project, re.MULTILINE):
        assert name in copied()


def test_the_builder_is_sent_what_is_copied_and_nothing_else():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert {name.split("/")[0] for name in copied()} == let_in
    assert {"**/__pycache__", "**/*.pyc"} <= set(rules)


def test_continuous_integration_builds_the_image_runs_it_and_weighs_it():
    jobs = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "docker build" in jobs and "1000000000" in jobs
    assert re.search(r"docker run .*segment", jobs) and "hadolint" in jobs
