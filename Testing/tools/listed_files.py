"""What the CMake files list, and what they should: every file of the extension, for CMake installs no other.

python Testing/tools/listed_files.py            # say what is wrong; exit status 1 if anything is
python Testing/tools/listed_files.py --write    # renew the lists
"""

import re
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple

ROOT = Path(__file__).resolve().parents[2]

OUTSIDE_SLICER = ("cli", "cohort", "dicomweb", "evaluation", "training")
"""Rooms of LiverSegLib that nothing in Slicer calls; they ask for packages that Slicer does not have."""


class FileList(NamedTuple):
    """A list in a CMake file: the file, its variable, the folder that its entries are relative to."""

    cmake: Path
    variable: str
    base: Path


def file_lists(root: Path = ROOT) -> Dict[str, FileList]:
    """The three lists by what they hold."""
    return {
        "module": FileList(root / "LiverSeg" / "CMakeLists.txt", "MODULE_SCRIPTS", root / "LiverSeg"),
        "core": FileList(root / "CMakeLists.txt", "LIVERSEGLIB_SCRIPTS", root),
        "resources": FileList(root / "CMakeLists.txt", "LIVERSEG_RESOURCES", root),
    }


def wanted(kind: str, root: Path = ROOT) -> List[str]:
    """The entries that the list ``kind`` should have, sorted; the core's files that are no scripts, such as
    the report's style sheet, are resources."""
    base = root / "LiverSeg" if kind == "module" else root
    if kind == "module":
        paths = list(base.rglob("*.py"))
    elif kind == "core":
        paths = [path for path in _core(root) if path.suffix == ".py"]
    else:
        paths = [path for path in (root / "Resources").rglob("*") if path.is_file()]
        paths += [path for path in _core(root) if path.suffix != ".py"]
    return sorted(p.relative_to(base).as_posix() for p in paths if not _is_litter(p.relative_to(root)))


def _core(root: Path) -> List[Path]:
    """The files of LiverSegLib that Slicer needs."""
    core = root / "LiverSegLib"
    return [p for p in core.rglob("*") if p.is_file() and p.relative_to(core).parts[0] not in OUTSIDE_SLICER]


def _is_litter(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def listed(file_list: FileList) -> List[str]:
    """The entries of a list, as they stand in its CMake file."""
    found = _pattern(file_list.variable).search(file_list.cmake.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{file_list.cmake} has no set({file_list.variable} ...)")
    return found.group(2).split()


def write(kind: str, root: Path = ROOT) -> None:
    """Renew the list ``kind`` in its CMake file."""
    file_list = file_lists(root)[kind]
    entries = "".join(f"  {entry}\n" for entry in wanted(kind, root))
    text = file_list.cmake.read_text(encoding="utf-8")
    text = _pattern(file_list.variable).sub(lambda found: f"{found[1]}\n{entries}{found[3]}", text)
    file_list.cmake.write_text(text, encoding="utf-8", newline="\n")


def _pattern(variable: str) -> "re.Pattern[str]":
    return re.compile(rf"(set\({variable}\b)([^)]*?)([ \t]*\))")


def main(arguments: List[str]) -> int:
    """Write the lists, or say what is wrong with them; returns the exit status."""
    wrong = 0
    for kind, file_list in file_lists().items():
        if arguments == ["--write"]:
            write(kind)
        there, needed = listed(file_list), wanted(kind)
        place = f"{file_list.cmake.relative_to(ROOT)} {file_list.variable}"
        for entry in sorted(set(needed) - set(there)):
            print(f"{place}: {entry} is missing")
        for entry in sorted(set(there) - set(needed)):
            print(f"{place}: {entry} is listed but not part of the extension")
        wrong += there != needed
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
