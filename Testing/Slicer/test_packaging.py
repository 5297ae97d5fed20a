"""The extension as Slicer builds, installs and lists it: CMake, Extensions Index, icon, workflow."""

import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tools.listed_files import OUTSIDE_SLICER, file_lists, listed, wanted, write

ROOT = Path(__file__).resolve().parents[2]
CMAKE = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")

INDEX_CATEGORIES = {"Segmentation", "Quantification", "Analysis"}
"""Categories of the Extensions Index that would fit; the index refuses unknown ones."""
INDEX_KEYS = {
    "$schema": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "category": str,
    "enabled": bool,
    "scm_revision": str,
    "scm_type": str,
    "scm_url": str,
    "tier": int,
}
"""The fields of version 1.0.1 of the index's schema."""


def metadata(name):
    """A value of the extension's metadata, read as the index's own checks read it."""
    found = re.search(rf'set\s*\(EXTENSION_{name}\s*"([^"]+)"[ ]*\)', CMAKE)
    assert found, f"EXTENSION_{name} is not one literal on one line"
    return found.group(1)


@pytest.mark.parametrize("kind", ["module", "core", "resources"])
def test_every_file_of_the_extension_is_installed(kind):
    assert listed(file_lists(ROOT)[kind]) == wanted(kind, ROOT), (
        "python Testing/tools/listed_files.py --write"
    )


def test_what_is_listed_is_there():
    for file_list in file_lists(ROOT).values():
        assert [entry for entry in listed(file_list) if not (file_list.base / entry).is_file()] == []


def test_nothing_that_is_installed_imports_what_is_not():
    """What Slicer lacks is left out; nothing that stays may ask for it."""
    pattern = re.compile(
        rf"^\s*(?:from|import)\s+(?:LiverSegLib)?\.*({'|'.join(OUTSIDE_SLICER)})\b", re.MULTILINE
    )
    for kind in ("module", "core"):
        file_list = file_lists(ROOT)[kind]
        assert [e for e in listed(file_list) if pattern.search((file_list.base / e).read_text("utf-8"))] == []


def test_lists_are_renewed(tmp_path):
    folders = (
        "LiverSeg/LiverSegSlicer/__pycache__",
        "LiverSegLib/training",
        "LiverSegLib/report/__pycache__",
    )
    for folder in (*folders, "Resources/Icons"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "CMakeLists.txt", tmp_path)
    shutil.copy(ROOT / "LiverSeg" / "CMakeLists.txt", tmp_path / "LiverSeg")
    for name in (
        "LiverSeg/LiverSeg.py",
        "LiverSeg/LiverSegSlicer/new.py",
        "LiverSeg/LiverSegSlicer/__pycache__/new.py",
        "LiverSegLib/training/augment.py",
        "LiverSegLib/training/notes.txt",
        "LiverSegLib/labels.py",
        "LiverSegLib/report/style.css",
        "LiverSegLib/report/__pycache__/page.pyc",
        "Resources/Icons/LiverSeg.png",
    ):
        (tmp_path / name).touch()
    lists = file_lists(tmp_path)
    for kind in lists:
        write(kind, tmp_path)
    assert listed(lists["module"]) == ["LiverSeg.py", "LiverSegSlicer/new.py"]
    assert listed(lists["core"]) == ["LiverSegLib/labels.py"]
    assert listed(lists["resources"]) == ["LiverSegLib/report/style.css", "Resources/Icons/LiverSeg.png"]
    assert "slicerMacroBuildScriptedModule(" in (tmp_path / "LiverSeg" / "CMakeLists.txt").read_text()


def test_everything_a_user_gets_is_small():
    """The index asks for repositories under 100 MB; what is installed should be a third of that: 15 MB
    are the three networks of the model for CT, 3.5 that of the one for MR. Graphs for other engines share
    their weights."""
    lists = file_lists(ROOT)
    sizes = {kind: sum((f.base / e).stat().st_size for e in listed(f)) for kind, f in lists.items()}
    assert sum(sizes.values()) < 28e6, sizes


# ---- the build


STUBS = """
set(Slicer_USE_FILE ${CMAKE_CURRENT_LIST_DIR}/use.cmake)
set(Slicer_EXTENSION_GENERATE_CONFIG ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_EXTENSION_CPACK ${CMAKE_CURRENT_LIST_DIR}/nothing.cmake)
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.8/qt-scripted-modules)
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR lib/Slicer-5.8/qt-scripted-modules)
set(Slicer_FOUND TRUE)
"""
USE = """
include(CTest)
macro(copy_listed BASE DESTINATION)
  foreach(entry ${ARGN})
    if(NOT EXISTS ${BASE}/${entry})
      message(FATAL_ERROR "${entry} is listed but not there")
    endif()
    get_filename_component(folder ${entry} PATH)
    install(FILES ${BASE}/${entry} DESTINATION ${DESTINATION}/${folder})
  endforeach()
endmacro()
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(STUB "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(STUB_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown arguments ${STUB_UNPARSED_ARGUMENTS}")
  endif()
  set(target ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR})
  copy_listed(${CMAKE_CURRENT_SOURCE_DIR} ${target} ${STUB_SCRIPTS} ${STUB_RESOURCES})
endmacro()
macro(ctkMacroCompilePythonScript)
  set(one TARGET_NAME DESTINATION_DIR INSTALL_DIR)
  cmake_parse_arguments(STUB "NO_INSTALL_SUBDIR" "${one}" "SCRIPTS;RESOURCES" ${ARGN})
  if(STUB_UNPARSED_ARGUMENTS OR NOT STUB_NO_INSTALL_SUBDIR)
    message(FATAL_ERROR "wrong arguments ${STUB_UNPARSED_ARGUMENTS}")
  endif()
  copy_listed(${CMAKE_CURRENT_SOURCE_DIR} ${STUB_INSTALL_DIR} ${STUB_SCRIPTS} ${STUB_RESOURCES})
endmacro()
macro(slicer_add_python_unittest)
  cmake_parse_arguments(STUB "" "TESTNAME_PREFIX;SCRIPT" "SLICER_ARGS" ${ARGN})
  if(STUB_UNPARSED_ARGUMENTS OR NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${STUB_SCRIPT})
    message(FATAL_ERROR "no test ${STUB_SCRIPT} ${STUB_UNPARSED_ARGUMENTS}")
  endif()
  add_test(NAME py_${STUB_SCRIPT} COMMAND true)
endmacro()
"""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_cmake_installs_everything_flat(tmp_path):
    """CMake, with stand-ins for Slicer's macros, installs what both files list where Slicer looks."""
    stubs, build, target = tmp_path / "stubs", tmp_path / "build", tmp_path / "installed"
    stubs.mkdir()
    (stubs / "SlicerConfig.cmake").write_text(STUBS)
    (stubs / "use.cmake").write_text(USE)
    (stubs / "nothing.cmake").write_text("")
    for command in (
        [
            "cmake",
            "-S",
            str(ROOT),
            "-B",
            str(build),
            f"-DSlicer_DIR={stubs}",
            f"-DCMAKE_INSTALL_PREFIX={target}",
        ],
        ["cmake", "--install", str(build)],
    ):
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
    flat = target / "lib" / "Slicer-5.8" / "qt-scripted-modules"
    installed = sorted(p.relative_to(flat).as_posix() for p in flat.rglob("*") if p.is_file())
    assert installed == sorted(wanted("module", ROOT) + wanted("core", ROOT) + wanted("resources", ROOT))
    assert "py_LiverSeg.py" in (build / "LiverSeg" / "CTestTestfile.cmake").read_text()


# ---- what the Extensions Manager shows


def test_metadata_of_the_extension():
    assert re.search(r"^project\(LiverSeg\)$", CMAKE, re.MULTILINE)
    assert metadata("CATEGORY") in INDEX_CATEGORIES
    assert metadata("DEPENDS") == "PyTorch"  # the Extensions Manager installs it with LiverSeg
    assert metadata("CONTRIBUTORS")
    sentences = re.findall(r"[^.]+\.", metadata("DESCRIPTION"))
    assert 1 <= len(sentences) <= 3
    assert "research use only" in metadata("DESCRIPTION").lower()


def test_addresses_are_those_of_the_repository():
    """One repository, whose name says Slicer, as the index asks; pictures by their raw address."""
    address = metadata("HOMEPAGE")
    assert address.startswith("https://") and "slicer" in address.rsplit("/", 1)[1].lower()
    raw = address.replace("https://github.com/", "https://raw.githubusercontent.com/") + "/main/"
    pictures = [metadata("ICONURL"), *metadata("SCREENSHOTURLS").split()]
    assert len(pictures) > 1
    assert [picture for picture in pictures if not picture.startswith(raw)] == []
    assert index_entry()["scm_url"] == address + ".git"


def test_pictures_of_the_addresses_are_in_the_repository():
    raw = metadata("HOMEPAGE").replace("https://github.com/", "https://raw.githubusercontent.com/") + "/main/"
    for picture in (metadata("ICONURL"), *metadata("SCREENSHOTURLS").split()):
        path = ROOT / picture[len(raw) :]
        assert path.is_file() and png_size(path)
        assert path.stat().st_size < 1024 * 1024


def index_entry():
    """LiverSeg.json: what is handed in to the Extensions Index."""
    return json.loads((ROOT / "LiverSeg.json").read_text(encoding="utf-8"))


def test_index_entry_fits_the_schema():
    entry = index_entry()
    assert {"$schema", "category", "scm_url"} <= set(entry) <= set(INDEX_KEYS)
    assert [key for key, value in entry.items() if type(value) is not INDEX_KEYS[key]] == []
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert entry["scm_type"] == "git"
    assert entry["tier"] == 3


def test_index_entry_says_what_cmake_says():
    entry = index_entry()
    assert entry["category"] == metadata("CATEGORY")
    assert entry["build_dependencies"] == metadata("DEPENDS").split()
    assert entry["build_subdirectory"] == "."


def test_index_entry_is_written_as_the_index_wants_it():
    data = (ROOT / "LiverSeg.json").read_bytes()
    assert b"\r" not in data and b"\t" not in data and data.endswith(b"}\n")
    assert all(line == line.rstrip() for line in data.decode("ascii").split("\n"))


def test_licence_is_where_the_index_looks():
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache-2.0" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_text_files_end_lines_with_lf():
    for path in [
        ROOT / "CMakeLists.txt",
        *(ROOT / "LiverSeg").rglob("*.py"),
        *(ROOT / "Resources").rglob("*.ui"),
    ]:
        assert b"\r" not in path.read_bytes(), path


# ---- icon, sample, workflow


def png_size(path):
    """Width and height of a PNG."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", path
    return struct.unpack(">II", data[16:24])


def test_icon_is_what_slicer_asks_for():
    path = ROOT / "Resources" / "Icons" / "LiverSeg.png"
    assert png_size(path) == (128, 128)
    assert path.read_bytes()[25] == 6, "the icon has no transparent background"
    assert path.stat().st_size < 30_000


def test_sample_has_its_picture_and_its_licence():
    width, height = png_size(ROOT / "Resources" / "Icons" / "LiverSegSample.png")
    assert 200 <= width <= 400 and 150 <= height <= 400
    assert "CC BY 4.0" in (ROOT / "Resources" / "SampleData" / "ATTRIBUTION.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "docs/slicer.md", "docs/slicer-tutorial.md"])
def test_pages_with_pictures_say_which_program_drew_them(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "rawn by the stand-in for 3D Slicer" in text[text.index(".png") :][:300] or "![" not in text


def test_workflow_runs_the_self_test_on_three_systems_and_keeps_its_pictures():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    for system in ("ubuntu", "windows", "macos"):
        assert f"runner: {system}" in text
    assert "LIVERSEG_TEST_PICTURES" in text and "actions/upload-artifact@" in text


def test_workflow_pins_what_it_uses():
    """Every action by its commit, Slicer by its version: what ran yesterday runs today."""
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    uses = re.findall(r"uses:\s*(\S+)", text)
    assert uses and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", use) for use in uses)
    assert "make lint" in text and "make test" in text
    assert "xvfb-run" in text and "Testing/Slicer/run_in_slicer.py" in text
    assert (ROOT / "Testing" / "Slicer" / "run_in_slicer.py").is_file()
    assert re.search(r"permissions:\s*\n\s+contents: read", text)
