"""Runs the tests of the core, then those of the Slicer module, and says at the end how both went.

    python Testing/tools/run_tests.py [--laboratory] [--coverage] [arguments of pytest]

With ``--laboratory`` it runs the laboratory's tests instead. ``--coverage`` counts the lines that tests run,
which takes a third longer. Each half is a pytest of its own, for the core's tests know nothing of Slicer and
the stand-in for Slicer fills its process with Qt. Tests run in as many processes as there are processors;
``-n 0`` among the arguments runs them in one, for a debugger. Exit status 0: every test passed and, where
lines are counted, both halves' are covered as far as they must be.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any, List, NamedTuple, Tuple

ROOT = Path(__file__).resolve().parents[2]
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"), "1"
)
"""For the libraries in each process: the processes already keep the processors busy."""
SPREAD = ("-n", "logical", "--maxprocesses", "8", "--dist", "worksteal")
"""A process for each processor, but each holds PyTorch or a Slicer, about 1 GB."""
KINDS = ("failures", "errors", "skipped")
"""Tests that did not pass, as JUnit's XML calls them."""


class Half(NamedTuple):
    """A folder of tests, the package whose lines they must cover, and how many (%); of the package the files
    that count alone, if any are named, and those that do not count."""

    name: str
    tests: str
    package: str
    limit: int
    only: Tuple[str, ...] = ()
    without: Tuple[str, ...] = ()


IN_LABORATORY = (
    *(f"LiverSegLib/cli/{name}.py" for name in "compare evaluate export networks paint search train".split()),
    *(
        f"LiverSegLib/evaluation/{name}*.py"
        for name in "box_plots case_ compare_ evaluation_page html label_images metrics plot_style "
        "result_files run score summary tables".split()
    ),
    *(
        f"LiverSegLib/networks/{name}*.py"
        for name in "architecture attention block bottlenecks cascade conv_lstm cost dense hybrid inner ki_ "
        "laboratory limits modified monai_by monai_tr nested parts recurrent slices unet_3d vnet".split()
    ),
    "LiverSegLib/training/*",
)
"""What the tests of the laboratory cover, and those of the core do not."""
HALVES = (
    Half("core", "Testing/Core", "LiverSegLib", 88, without=IN_LABORATORY),
    Half("Slicer module", "Testing/Slicer", "LiverSeg", 85),
)
LABORATORY = (Half("laboratory", "Testing/Laboratory", "LiverSegLib", 85, only=IN_LABORATORY),)


COUNTING = ("--cov", "--cov-report=")
"""What has pytest leave the data of coverage."""


def run_pytest(half: Half, folder: Path, arguments: List[str]) -> int:
    """Exit status of the tests of a half. They leave a list of results in ``folder``, and data of coverage
    if ``arguments`` ask for them.
    """
    command = [sys.executable, "-m", "pytest", half.tests, *SPREAD]
    command += [*arguments, f"--junitxml={folder / half.package}.xml"]
    environment = {**ONE_THREAD, **os.environ, "COVERAGE_FILE": str(folder / f".coverage.{half.package}")}
    print(f"\n=== {half.name}: {half.tests}", flush=True)
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def counted(half: Half, folder: Path) -> str:
    """How many tests of a half passed and how many did not, in words."""
    path = folder / f"{half.package}.xml"
    if not path.exists():
        return "not run"
    suite = ElementTree.parse(path).getroot()[0].attrib
    found = {kind: int(suite[kind]) for kind in KINDS}
    passed = int(suite["tests"]) - sum(found.values())
    words = [f"{passed} passed"] + [f"{number} {kind}" for kind, number in found.items() if number]
    return f"{', '.join(words)} in {float(suite['time']):.0f} s"


def coverage(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a command of coverage on the file .coverage of the checkout."""
    return subprocess.run([sys.executable, "-m", "coverage", *arguments], cwd=ROOT, text=True, **options)


def covered(half: Half) -> Tuple[str, bool]:
    """How much of a half's package the tests covered, in words, and whether it is enough; prints what they
    left out.
    """
    report = ("report", f"--include={','.join(half.only) or half.package + '/*'}")
    report += (f"--omit={','.join(half.without)}",) if half.without else ()
    print(f"\n=== {half.package}: lines that no test runs", flush=True)
    enough = coverage(*report, f"--fail-under={half.limit}").returncode == 0
    total = coverage(*report, "--format=total", capture_output=True).stdout.strip() or "no"
    return f"{total} % of the lines of {half.package} covered (at least {half.limit} %)", enough


def main(arguments: List[str]) -> int:
    """Run both halves and print a line for each; with ``-x`` the second only if the first passed."""
    ours = {"--laboratory", "--coverage"} & set(arguments)
    arguments = [argument for argument in arguments if argument not in ours]
    halves, good = LABORATORY if "--laboratory" in ours else HALVES, True
    counts = "--coverage" in ours
    with tempfile.TemporaryDirectory(prefix="liverseg-tests-") as temporary:
        folder = Path(temporary)
        for half in halves:
            if good or not {"-x", "--exitfirst"} & set(arguments):
                good = run_pytest(half, folder, [*(COUNTING if counts else ()), *arguments]) == 0 and good
        ends = [f"{half.name}: {counted(half, folder)}" for half in halves]
        if counts:
            # beside these may lie files that nobody can read, of processes that a test killed
            data = [folder / f".coverage.{half.package}" for half in halves]
            coverage("combine", "-q", *(str(path) for path in data if path.exists()))
            shares = [covered(half) for half in halves]
            ends = [f"{end}; {words}" for end, (words, _) in zip(ends, shares)]
            good = good and all(enough for _, enough in shares)
    print("", *ends, "All is well." if good else "Not all is well: see above.", sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
