"""A stand-in for Slicer's DICOM database."""

from pathlib import Path
from typing import Dict, List


class Database:
    """Knows where the files of instances are, and remembers what was stored.

    Args:
        files: SOP instance UID -> path.
        isOpen: whether it answers.
    """

    def __init__(self, files: Dict[str, str], isOpen: bool = True) -> None:
        self.files = files
        self.isOpen = isOpen
        self.stored: List[str] = []

    def fileForInstance(self, uid: str) -> str:
        return self.files.get(uid, "")

    def instanceValue(self, uid: str, tag: str) -> str:
        return "CT" if tag == "0008,0060" else ""

    def insert(self, path: str) -> None:
        assert Path(path).is_file()
        self.stored.append(Path(path).name)
