"""Slicer's tables of the core's sentences: for each the English template as a literal that lupdate finds.

python Testing/tools/sentence_table.py            # compare; exit status 1 if it differs
python Testing/tools/sentence_table.py --write    # renew the tables
"""

import sys
from pathlib import Path
from typing import Dict, List

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "LiverSeg" / "LiverSegSlicer"

_HEAD = '''"""The core's {what} in Slicer's language; Testing/tools/sentence_table.py writes this."""

from typing import Callable, Dict

from slicer.i18n import tr as _
{imported}
{name}: Dict[str, Callable[[], str]] = {{
'''
_END = '''}
"""Identifier of a sentence -> its template in the language that Slicer has now."""
'''
_LONGEST = 110


def tables() -> Dict[Path, str]:
    """Return the text that each of the two files should have: the errors, and all else with them."""
    from LiverSegLib.error_texts import ERRORS
    from LiverSegLib.sentence_texts import SENTENCES

    rest = {key: text for key, text in SENTENCES.items() if key not in ERRORS}
    errors = _HEAD.format(what="errors", imported="", name="ERRORS") + _entries(ERRORS) + _END
    merged = {"imported": "\nfrom .error_table import ERRORS\n", "name": "TEMPLATES"}
    sentences = _HEAD.format(what="sentences", **merged) + _entries(rest) + "    **ERRORS,\n" + _END
    return {FOLDER / "error_table.py": errors, FOLDER / "sentence_table.py": sentences}


def _entries(sentences: Dict[str, str]) -> str:
    return "".join(_entry(key, text) for key, text in sentences.items())


def _entry(key: str, text: str) -> str:
    line = f"    {_quoted(key)}: lambda: _({_quoted(text)}),\n"
    if len(line) <= _LONGEST + 1:
        return line
    inner = f"        {_quoted(text)}\n"
    if len(inner) > _LONGEST + 1:  # lupdate joins literals that follow each other
        inner = "".join(f"        {_quoted(part)}\n" for part in _parts(text))
    return f"    {_quoted(key)}: lambda: _(\n{inner}    ),\n"


def _parts(text: str) -> List[str]:
    """Return the text in pieces for lines that are not too long; each but the last ends with a space."""
    parts = [""]
    for word in text.split(" "):
        if len(parts[-1]) + len(word) > _LONGEST - 12:
            parts.append("")
        parts[-1] += f"{word} "
    return [*parts[:-1], parts[-1][:-1]]


def _quoted(text: str) -> str:
    if '"' in text and "'" not in text:  # as ruff has it
        return "'" + text.replace("\\", "\\\\").replace("\n", "\\n") + "'"
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main(arguments: List[str]) -> int:
    """Write the tables, or say that one is not as it should be; returns the exit status."""
    sys.path.insert(0, str(ROOT))
    status = 0
    for path, wanted in tables().items():
        if arguments == ["--write"]:
            path.write_text(wanted, encoding="utf-8", newline="\n")
        if not path.is_file() or path.read_text(encoding="utf-8") != wanted:
            print(f"{path.relative_to(ROOT)} is not what the core says: run it with --write")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
