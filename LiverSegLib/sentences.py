"""The sentences that the core says to a user, each with an identifier, so that Slicer can translate them.

A :class:`Sentence` is its English text. It also knows which sentence it is and with which arguments, and
keeps that on its way through JSON: :func:`with_identity` and :func:`restored`. The sentence is then made
where it is shown, in the language of whoever reads it.
"""

from typing import Any, Dict, Mapping, Tuple

SENTENCES: Dict[str, str] = {
    "fat.screening-below-80": (
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase; below 80 HU "
        "moderate fatty liver is found with a sensitivity of 85.6 % and a specificity of 89.6 % "
        "(Pickhardt et al., n = 1676)."
    ),
    "fat.screening-below-90": (
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase; below 90 HU "
        "moderate fatty liver is found with a sensitivity of 94.9 % and a specificity of 74.7 % "
        "(Pickhardt et al., n = 1676)."
    ),
    "fat.screening-above": (
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase, not below 90 HU, "
        "the limit that finds moderate fatty liver with a sensitivity of 94.9 % and a specificity of "
        "74.7 % (Pickhardt et al., n = 1676)."
    ),
    "fat.more-dark-spleen": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: the "
        "spleen is dark ({spleen:.0f} HU), which raises the ratio."
    ),
    "fat.more-kvp": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: at "
        "{kvp:g} kVp attenuation differs from that at 120 kVp, where the limits of both were found."
    ),
    "fat.more-noise": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: noise "
        "of {noise:.0f} HU makes both less certain."
    ),
    "fat.more-kvp-unknown": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: the "
        "tube voltage, on which attenuation depends, is not known."
    ),
    "fat.more-unexplained": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: tube "
        "voltage, noise and spleen do not explain it; near a limit two measures may differ."
    ),
    "fat.less-bright-spleen": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: the "
        "spleen is bright ({spleen:.0f} HU), which lowers the ratio."
    ),
    "fat.less-kvp": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: at "
        "{kvp:g} kVp attenuation differs from that at 120 kVp, where the limits of both were found."
    ),
    "fat.less-noise": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: noise "
        "of {noise:.0f} HU makes both less certain."
    ),
    "fat.less-kvp-unknown": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: the "
        "tube voltage, on which attenuation depends, is not known."
    ),
    "fat.less-unexplained": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: tube "
        "voltage, noise and spleen do not explain it; near a limit two measures may differ."
    ),
    "fat.phase-by-reader-unenhanced": "The reader chose the phase: unenhanced.",
    "fat.phase-by-reader-arterial": "The reader chose the phase: arterial.",
    "fat.phase-by-reader-portal": "The reader chose the phase: portal venous.",
    "fat.phase-by-reader-late": "The reader chose the phase: late.",
    "fat.enhanced-by-reader-arterial": "The scan holds contrast medium: the reader chose the arterial phase.",
    "fat.enhanced-by-reader-portal": (
        "The scan holds contrast medium: the reader chose the portal venous phase."
    ),
    "fat.enhanced-by-reader-late": "The scan holds contrast medium: the reader chose the late phase.",
    "fat.no-such-phase": "There is no contrast phase {phase}; choose one of {phases}.",
    "fat.phase-against-image": (
        "The reader chose another phase than the one that the image speaks for: {reason}"
    ),
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
