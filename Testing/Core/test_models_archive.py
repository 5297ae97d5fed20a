"""Archives of strangers: members that lead out, links, bombs, lies about sizes. Nothing is left outside or
behind."""

import stat
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from model_fixtures import Payload, checkpoint, refused

from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.models.importers import archive as archives

pytest_plugins = ["model_fixtures"]
pytestmark = pytest.mark.usefixtures("empty_store")


def archive(path, members, **details):
    """A zip of the members (name -> bytes), and of entries as given."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in members.items():
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            opened.writestr(info, data)
    return path


def link(name):
    """A member that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


def good_members(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder.parent.parent)): path.read_bytes() for path in files}


class TestArchives:
    @pytest.mark.parametrize(
        "name",
        ["../plans.json", "a/../../plans.json", "/etc/plans.json", "C:/plans.json", "C:plans.json",
         "a\\..\\plans.json",
         "a//plans.json", "./plans.json", "a/\x1b/plans.json", "a/plans.json\n", "aux/plans.json",
         "a /plans.json",
         "/".join("a" * 30) + "/plans.json", "x" * 600],
    )  # fmt: skip
    def test_names_that_lead_out_or_are_odd(self, tmp_path, folder, name):
        path = archive(tmp_path / "model.zip", {**good_members(folder), name: b"{}"})
        refused(path, ModelCorruptError, "was refused")
        assert not (tmp_path / "plans.json").exists()

    def test_links(self, tmp_path, folder):
        members = {**good_members(folder), link("Dataset901_Tiny/x/plans.json"): b"/etc/passwd"}
        refused(archive(tmp_path / "model.zip", members), ModelCorruptError, "is a link")

    def test_bombs(self, tmp_path, folder):
        members = {**good_members(folder), "Dataset901_Tiny/plans.json": b"\0" * 50_000_000}
        refused(archive(tmp_path / "model.zip", members), ModelCorruptError, "would grow")

    def test_members_that_say_they_are_shorter(self, tmp_path, folder, monkeypatch):
        path = archive(tmp_path / "model.zip", good_members(folder))
        data = bytearray(path.read_bytes())
        name = f"{folder.parent.name}/{folder.name}/plans.json".encode()
        size = (folder / "plans.json").stat().st_size
        central = data.rindex(name) - 46
        assert struct.unpack_from("<I", data, central + 24) == (size,)
        struct.pack_into("<I", data, central + 24, size - 100)
        path.write_bytes(data)
        refused(path, ModelCorruptError, "damaged|longer|early")

    def test_too_many_or_too_large(self, tmp_path, folder, monkeypatch):
        path = archive(tmp_path / "model.zip", good_members(folder))
        monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
        refused(path, ModelCorruptError, "members")
        monkeypatch.setattr(archives, "MAX_MEMBERS", 100)
        monkeypatch.setattr(archives, "MAX_BYTES", 1000)
        refused(path, ModelCorruptError, "would grow")

    def test_encrypted_or_oddly_compressed(self, tmp_path, folder):
        path = archive(tmp_path / "model.zip", good_members(folder))
        data = bytearray(path.read_bytes())
        central = data.index(b"PK\x01\x02")
        data[central + 8] |= 1
        path.write_bytes(data)
        refused(path, ModelCorruptError, "encrypted")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as opened:
            opened.writestr("a/plans.json", b"{}")
        refused(path, ModelCorruptError, "unusual")

    def test_twice_the_same_name(self, tmp_path, folder):
        members = {**good_members(folder), zipfile.ZipInfo("dataset901_tiny/PLANS.json"): b"{}"}
        members[zipfile.ZipInfo("Dataset901_Tiny/plans.json")] = b"{}"
        refused(archive(tmp_path / "model.zip", members), ModelCorruptError, "twice")

    def test_no_archive_at_all_or_a_broken_one(self, tmp_path, folder):
        path = tmp_path / "model.zip"
        path.write_bytes(b"no zip")
        refused(path, ModelCorruptError, "no zip archive")
        archive(path, good_members(folder))
        data = bytearray(path.read_bytes())
        data[200:260] = bytes(60)
        path.write_bytes(data)
        refused(path, ModelCorruptError)

    def test_code_in_an_archived_checkpoint_is_not_run_either(self, tmp_path, folder):
        torch.save({"network_weights": {"a": Payload(tmp_path / "ran")}}, checkpoint(folder))
        path = archive(tmp_path / "model.zip", good_members(folder))
        refused(path, ModelCorruptError, "to be run")
        assert not (tmp_path / "ran").exists()

    def test_only_what_is_needed_is_unpacked(self, tmp_path, folder):
        members = {**good_members(folder), "Dataset901_Tiny/run_me.py": b"x", "Dataset901_Tiny/a.pkl": b"x"}
        path, place = archive(tmp_path / "model.zip", members), tmp_path / "out"
        place.mkdir()
        with archives.unpacked(path, place, ("plans.json",)) as unpacked:
            assert [file.name for file in Path(unpacked).rglob("*") if file.is_file()] == ["plans.json"]
        assert not place.exists()
