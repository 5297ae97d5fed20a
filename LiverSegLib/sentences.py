"""The sentences that the core says to a user, each with an identifier, so that Slicer can translate them.

A :class:`Sentence` is its English text. It also knows which sentence it is and with which arguments, and
keeps that on its way through JSON: :func:`with_identity` and :func:`restored`. The sentence is then made
where it is shown, in the language of whoever reads it.
"""

from typing import Any, Dict, Mapping, Tuple

SENTENCES: Dict[str, str] = {
    "folder.another-scan": "{folder} holds the results of another scan ({name}); choose another folder.",
    "lesion.dense-as-aorta": "Mean of {hu:.0f} HU, at least that of the aorta ({aorta:.0f} HU): may be a "
    "vessel or a haemangioma, or hold embolisation material, calcium or metal.",
    "lesion.only-one-dense-as-aorta": "1 of 1 lesion ({ml:.1f} ml) is at least as dense as the aorta: "
    "perhaps embolised tumour or no tumour.",
    "lesion.one-dense-as-aorta": "1 of {all_of} lesions ({ml:.1f} ml) is at least as dense as the aorta: "
    "perhaps embolised tumour or no tumour.",
    "lesion.several-dense-as-aorta": "{count} of {all_of} lesions ({ml:.1f} ml) are at least as dense as the "
    "aorta: perhaps embolised tumours or no tumours.",
    "mesh.not-ours": "{path} is there already, and LiverSeg did not write it or it was changed since; choose "
    "another name.",
    "mesh.another-scan": "{path} holds a surface from another scan; choose another name.",
}
"""Identifier -> English template for ``str.format``. A sentence stands here whole: none is put together from
parts, cut, or changed in its case."""

_FIELDS = {"sentence", "arguments", "text"}


class Sentence(str):
    """A sentence for the user: its English text, with its identity.

    Args:
        key: a key of ``SENTENCES``.
        **arguments: what the template asks for: numbers, texts (a file's name), other sentences.

    Attributes:
        key: the identifier.
        arguments: as given.

    Raises:
        KeyError: there is no such sentence, or an argument is missing.
    """

    key: str
    arguments: Mapping[str, Any]

    def __new__(cls, key: str, **arguments: Any) -> "Sentence":
        sentence = super().__new__(cls, SENTENCES[key].format(**arguments))
        sentence.key = key
        sentence.arguments = arguments
        return sentence

    def __getnewargs_ex__(self) -> Tuple[Tuple[str], Dict[str, Any]]:
        return (self.key,), dict(self.arguments)


def with_identity(data: Any) -> Any:
    """Return plain data in which each sentence is a dict: "sentence" (its key), "arguments" and "text"."""
    if isinstance(data, Sentence):
        return {"sentence": data.key, "arguments": with_identity(dict(data.arguments)), "text": str(data)}
    if isinstance(data, Mapping):
        return {key: with_identity(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [with_identity(value) for value in data]
    return data


def restored(data: Any) -> Any:
    """Return data from :func:`with_identity` with its sentences again; one that is not known is its text."""
    if isinstance(data, Mapping):
        if set(data) == _FIELDS:
            return _sentence(data)
        return {key: restored(value) for key, value in data.items()}
    return [restored(value) for value in data] if isinstance(data, list) else data


def _sentence(data: Mapping[str, Any]) -> str:
    try:
        return Sentence(data["sentence"], **restored(data["arguments"]))
    except (KeyError, TypeError, ValueError, IndexError):  # written by another version
        return str(data["text"])
