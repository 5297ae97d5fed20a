"""Other people's programs that check what we write: dcmqi's segimage2itkimage and dicom3tools' dciodvfy."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest


def program(name: str, how_to_install: str) -> str:
    """Path of a program, beside this Python or on the PATH; without it the test is skipped and says why."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: {how_to_install}")
    return found


def errors_of_dciodvfy(path: Path) -> List[str]:
    """What dicom3tools' validator finds wrong in a DICOM file."""
    return [line for line in said_by_dciodvfy(path) if line.startswith("Error")]


def said_by_dciodvfy(path: Path) -> List[str]:
    """Every line that dicom3tools' validator says of a DICOM file, each once."""
    validator = program("dciodvfy", "apt-get install dicom3tools")
    done = subprocess.run([validator, str(path)], capture_output=True, text=True, timeout=60)
    lines = (done.stdout + done.stderr).splitlines()
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def segments_by_dcmqi(path: Path, folder: Path) -> List[Path]:
    """The segments of a Segmentation object as dcmqi reads them: one NRRD file each, in their order."""
    reader = program("segimage2itkimage", "pip install dcmqi")
    folder.mkdir()
    arguments = ["--inputDICOM", str(path), "--outputDirectory", str(folder), "-t", "nrrd", "-p", "s"]
    done = subprocess.run([reader, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return sorted(folder.glob("*.nrrd"), key=lambda item: int(item.stem.split("-")[1]))
