"""The core's sentences in the language that Slicer has now.

The core says things as ``LiverSegLib.sentences.Sentence``: English text that knows its identifier and its
arguments. Here the sentence is made of the translated template, where it is shown and when it is shown.
"""

from typing import Any, Iterable, List

from slicer.i18n import translate

from LiverSegLib.adding_texts import ADDING
from LiverSegLib.dicom_out_texts import DICOM_OUT
from LiverSegLib.dicomweb_texts import DICOMWEB
from LiverSegLib.error_texts import ERRORS
from LiverSegLib.explain_texts import EXPLAINING
from LiverSegLib.followup_texts import FOLLOWUP
from LiverSegLib.segmentation_texts import SEGMENTATIONS
from LiverSegLib.sentence_texts import SENTENCES
from LiverSegLib.sentences import Sentence, restored
from LiverSegLib.server_texts import SERVING
from LiverSegLib.steatosis_texts import STEATOSIS


def sentence(value: Any) -> str:
    """Return a sentence of the core in the user's language, as plain text.

    Args:
        value: a ``Sentence``, the plain dict that ``with_identity`` makes of it, or text, which comes back as
            it is (that of results of older versions, and what was translated before).
    """
    value = restored(value)
    if not isinstance(value, Sentence):
        return str(value)
    arguments = {name: _argument(argument) for name, argument in value.arguments.items()}
    try:
        return translate(_context(value.key), SENTENCES[value.key]).format(**arguments)
    except (KeyError, IndexError, ValueError):  # a translation that asks for what there is not
        return str(value)


def sentences(values: Iterable[Any]) -> List[str]:
    """Return several sentences of the core in the user's language, each once."""
    return list(dict.fromkeys(sentence(value) for value in values))


def borderWords(words: Iterable[str]) -> str:
    """Return the core's words for borders of a scan in the user's language."""
    return ", ".join(sentence(Sentence(f"border.{word.replace(' ', '-')}")) for word in words)


def _context(key: str) -> str:
    """Return under which name Slicer keeps the translation of a template: package and file of its literal."""
    tables = {
        "LiverSegLib.error_texts": ERRORS,
        "LiverSegLib.adding_texts": ADDING,
        "LiverSegLib.dicom_out_texts": DICOM_OUT,
        "LiverSegLib.segmentation_texts": SEGMENTATIONS,
        "LiverSegLib.explain_texts": EXPLAINING,
        "LiverSegLib.dicomweb_texts": DICOMWEB,
        "LiverSegLib.followup_texts": FOLLOWUP,
        "LiverSegLib.server_texts": SERVING,
        "LiverSegLib.steatosis_texts": STEATOSIS,
    }
    return next((name for name, table in tables.items() if key in table), "LiverSegLib.sentence_texts")


def _argument(value: Any) -> Any:
    return sentence(value) if isinstance(value, (str, dict)) else value
