"""Every error that a user of the panel can meet knows which sentence it is, also beyond the worker."""

import ast
import errno
import re
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import worker_client

import LiverSegLib
from LiverSegLib import errors
from LiverSegLib.dicomweb_texts import DICOMWEB
from LiverSegLib.error_texts import ERRORS
from LiverSegLib.errors import ERROR_TYPES, LiverSegError
from LiverSegLib.images import list_series, read_scan
from LiverSegLib.images.grid import check_same_grid
from LiverSegLib.inference.devices import choose_device
from LiverSegLib.masks.check import check_labels
from LiverSegLib.measure import Measurements
from LiverSegLib.measure.tables import write_lesions_csv
from LiverSegLib.models.manifest import parse_manifest
from LiverSegLib.models.store import load_model
from LiverSegLib.outputs.atomic import reserve
from LiverSegLib.outputs.results import OutputOptions
from LiverSegLib.sentences import Sentence
from LiverSegLib.steatosis.assessment import Assessment, CutOffs
from LiverSegLib.steatosis.roi import PlacementSettings, Roi
from LiverSegLib.worker import handed, protocol, tasks
from LiverSegLib.worker.failures import failure

CORE = Path(LiverSegLib.__file__).parent

WITH_IDENTITY = [
    *sorted((CORE / "correct").glob("*.py")),
    *sorted((CORE / "dicomweb").glob("*.py")),
    *sorted((CORE / "dicom").glob("*.py")),
    *sorted((CORE / "images").glob("*.py")),
    *sorted((CORE / "inference").glob("*.py")),
    *sorted((CORE / "outputs").glob("*.py")),
    *(
        CORE / "models" / name
        for name in ("adding.py", "fields.py", "files.py", "manifest.py", "safetensors.py", "store.py")
    ),
    *sorted((CORE / "models" / "importers").glob("*.py")),
    *(CORE / "measure" / name for name in ("measurements.py", "tables.py", "volumes.py")),
    *(CORE / "steatosis" / name for name in ("roi.py", "noise.py", "assessment.py")),
    *(
        CORE / name
        for name in (
            "api.py",
            "errors.py",
            "surfaces/organs.py",
            "worker/corrections.py",
            "worker/handed.py",
            "worker/tasks.py",
        )
    ),
]
"""Files whose errors come to a user of the panel."""


def beyond_the_worker(error):
    """The error as the other side of the protocol raises it."""
    return worker_client.raised(protocol.decode(protocol.encode(failure("1", error))))


def image(size=(6, 5, 4), spacing=(1.0, 1.0, 1.0), kind=np.uint8):
    made = sitk.GetImageFromArray(np.zeros(size[::-1], kind))
    made.SetSpacing(spacing)
    return made


def labelled(value):
    made = image()
    made[0, 0, 0] = value
    return made


def empty(folder, name):
    (folder / name).touch()
    return folder / name


def words(folder, name):
    (folder / name).write_text("no scan")
    return folder / name


REFUSALS = {
    "read.missing": lambda folder: read_scan(folder / "none.nii"),
    "read.empty": lambda folder: read_scan(empty(folder, "scan.nii")),
    "read.picture": lambda folder: read_scan(words(folder, "scan.png")),
    "read.archive": lambda folder: read_scan(words(folder, "scan.tar")),
    "zip.damaged": lambda folder: read_scan(words(folder, "scan.zip")),
    "read.unknown-kind": lambda folder: read_scan(words(folder, "scan.xyz")),
    "read.no-nifti": lambda folder: read_scan(words(folder, "scan.nii")),
    "read.damaged": lambda folder: read_scan(words(folder, "scan.nrrd")),
    "read.type": lambda folder: read_scan(5),
    "read.no-folder": lambda folder: list_series(folder / "none"),
    "dicom.nothing": lambda folder: read_scan(folder),
    "mask.size": lambda folder: check_same_grid(image(), image((6, 5, 5))),
    "mask.place": lambda folder: check_same_grid(image(), image(spacing=(1.5, 1, 1))),
    "mask.type": lambda folder: check_labels(image(kind=np.float32)),
    "mask.unknown-labels": lambda folder: check_labels(labelled(7)),
    "roi.sides": lambda folder: Roi("Liver 1", "liver", (0.0, 0.0, 0.0), (10.0, 10.0, 500.0)),
    "rois.count": lambda folder: PlacementSettings(count=99),
    "cut-offs.order": lambda folder: CutOffs(severe_below=0.9),
    "result.measurements-format": lambda folder: Measurements.from_dict({}),
    "result.assessment-format": lambda folder: Assessment.from_dict({}),
    "write.table": lambda folder: write_lesions_csv(folder, Measurements(organs=())),
    "model.unknown": lambda folder: load_model("no such model"),
    "model.no-model-in-folder": lambda folder: load_model(folder),
    "model.not-json": lambda folder: parse_manifest("{"),
    "device.unknown": lambda folder: choose_device("abacus"),
    "device.precision": lambda folder: choose_device("cpu", precision="some"),
    "handed.nothing": lambda folder: tasks._source(protocol.Segment("1")),
    "handed.scan-unreadable": lambda folder: handed.read_array(
        str(folder / "x.npy"), "handed.scan-unreadable"
    ),
    "write.format": lambda folder: OutputOptions("tiff"),
    "write.is-a-file": lambda folder: reserve(empty(folder, "file") / "results").__enter__(),
}


@pytest.mark.parametrize("key", REFUSALS)
def test_refusal_keeps_its_identity_beyond_the_worker(tmp_path, key):
    with pytest.raises(LiverSegError) as caught:
        REFUSALS[key](tmp_path)
    error = caught.value
    assert error.sentence.key == key
    back = beyond_the_worker(error)
    assert type(back) is type(error) and str(back) == str(error)
    assert back.sentence.key == key and back.sentence.arguments == error.sentence.arguments


def test_labels_of_a_mask_are_words_with_an_identity():
    with pytest.raises(LiverSegError) as caught:
        check_labels(labelled(7))
    error = caught.value
    assert str(error) == (
        "The mask holds values that are no labels: 7. Known are 0 background, 1 liver, 2 spleen, "
        "3 liver tumor."
    )
    first = beyond_the_worker(error).sentence.arguments["known"].arguments["first"]
    assert first.key == "mask.label" and first.arguments["name"].key == "organ.liver"


@pytest.mark.parametrize(
    "number, key",
    [
        (errno.ENOSPC, "write.disk-full"),
        (errno.EROFS, "write.read-only"),
        (errno.EACCES, "write.forbidden"),
        (errno.EIO, "write.failed-because"),
    ],
)
def test_failed_write_says_what_and_why_with_identities(number, key):
    error = errors.write_failure(OSError(number, "Input/output error"), "/out")
    back = beyond_the_worker(error).sentence
    assert back.key == "write.results" and back.arguments["reason"].key == key
    assert back.arguments["reason"].arguments["folder"] == "/out"


def test_what_could_not_be_written_is_a_sentence_of_its_own():
    said = errors.write_failure(OSError(errno.EROFS, ""), "/out", "write.folder", path="/out/a").sentence
    assert said == "LiverSeg could not make the folder /out/a: /out is on a read-only disk."


@pytest.mark.parametrize("path", WITH_IDENTITY, ids=lambda path: path.relative_to(CORE).as_posix())
def test_no_error_is_raised_with_plain_text(path):
    kinds = {cls.__name__ for cls in ERROR_TYPES.values()}
    plain = [
        f"{path.name}:{call.lineno} {ast.unparse(call.args[0])}"
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and call.args and ast.unparse(call.func) in kinds
        if isinstance(call.args[0], (ast.Constant, ast.JoinedStr, ast.BinOp))
    ]
    assert plain == []


def test_every_sentence_for_an_error_is_raised_somewhere():
    module = CORE.parent / "LiverSeg" / "LiverSegSlicer"
    files = [*CORE.rglob("*.py"), *module.rglob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert [key for key in (*ERRORS, *DICOMWEB) if len(re.findall(f'"{re.escape(key)}"', source)) < 2] == []


def test_long_list_of_series_stays_within_a_message():
    listed = "; ".join(f"{number}: liver, 512 × 512 × 110" for number in range(40_000))
    error = LiverSegError(Sentence("series.several-suit", count=40_000, listed=listed))
    back = beyond_the_worker(error)
    assert str(back).startswith("The folder holds 40000 suitable series; choose one by its number.")
