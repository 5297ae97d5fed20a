"""Slicer's table of the core's sentences: for each the English template as a literal that lupdate finds.

python Testing/tools/sentence_table.py            # compare; exit status 1 if it differs
python Testing/tools/sentence_table.py --write    # renew the table
"""

import sys
from pathlib import Path
from typing import Dict, List

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "LiverSeg" / "LiverSegSlicer" / "sentence_table.py"

_HEAD = '''"""The core's sentences in Slicer's language; Testing/tools/sentence_table.py writes this."""

from typing import Callable, Dict

from slicer.i18n import tr as _

TEMPLATES: Dict[str, Callable[[], str]] = {
'''
_END = '''}
"""Identifier of a sentence -> its template in the language that Slicer has now."""
'''
_LONGEST = 110


def table_text(sentences: Dict[str, str]) -> str:
    """Return the file's text for these sentences (identifier -> English template)."""
    return _HEAD + "".join(_entry(key, text) for key, text in sentences.items()) + _END


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
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main(arguments: List[str]) -> int:
    """Write the table, or say that it is not as it should be; returns the exit status."""
    sys.path.insert(0, str(ROOT))
    from LiverSegLib.sentence_texts import SENTENCES

    wanted = table_text(SENTENCES)
    if arguments == ["--write"]:
        TABLE.write_text(wanted, encoding="utf-8", newline="\n")
    if TABLE.is_file() and TABLE.read_text(encoding="utf-8") == wanted:
        return 0
    print(f"{TABLE.relative_to(ROOT)} is not what the core says: run Testing/tools/sentence_table.py --write")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
