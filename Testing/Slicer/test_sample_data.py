"""The bundled scan in Slicer's Sample Data module: registered once, found, and loaded without a download."""

import hashlib
import sys
import types
from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

import pytest

ROOT = Path(__file__).resolve().parents[2]

SAMPLE_DATA_KEYWORDS = {
    "category", "sampleName", "uris", "fileNames", "nodeNames", "customDownloader", "thumbnailFileName",
    "loadFileType", "loadFiles", "loadFileProperties", "checksums",
}  # fmt: skip
"""What SampleDataLogic.registerCustomSampleDataSource takes in 5.8 to 5.12."""


@pytest.fixture
def sampleData(host, monkeypatch):
    """LiverSegSlicer.sample_data, and what it registers with a stand-in for Slicer's SampleData."""
    monkeypatch.syspath_prepend(str(ROOT / "LiverSeg"))
    from LiverSegSlicer import sample_data

    registered = []
    logic = types.SimpleNamespace(
        registerCustomSampleDataSource=lambda **keywords: registered.append(keywords)
    )
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=logic))
    return types.SimpleNamespace(module=sample_data, registered=registered)


def test_registers_the_bundled_file_as_it_lies_there(sampleData):
    assert sampleData.module.registerSampleData() is True
    (source,) = sampleData.registered
    assert set(source) <= SAMPLE_DATA_KEYWORDS
    address = urlparse(source["uris"])
    assert address.scheme == "file"
    path = Path(url2pathname(unquote(address.path)))
    assert path == sampleData.module.sampleFile()
    assert path.name == source["fileNames"] and path.is_file()
    assert Path(source["thumbnailFileName"]).is_file()


def test_checksum_is_that_of_the_file(sampleData):
    algorithm, digest = sampleData.module.CHECKSUM.split(":")
    assert algorithm == "SHA256"
    assert hashlib.sha256(sampleData.module.sampleFile().read_bytes()).hexdigest() == digest


def test_a_slicer_without_sample_data_is_left_alone(sampleData, monkeypatch):
    monkeypatch.setitem(sys.modules, "SampleData", None)
    assert sampleData.module.registerSampleData() is False


def test_a_missing_sample_is_not_offered(sampleData, monkeypatch, tmp_path):
    monkeypatch.setattr(sampleData.module, "resourceFolder", lambda: tmp_path)
    assert sampleData.module.registerSampleData() is False
    assert sampleData.registered == []
