"""nnU-Net's dataset.json: what a network's channels mean, and which of them are LiverSeg's own labels."""

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, NoReturn, Sequence, Tuple

from LiverSegLib.errors import ModelCorruptError, UsageError
from LiverSegLib.labels import BACKGROUND, LABELS, LIVER, SPLEEN, TUMOUR
from LiverSegLib.models.files import quoted
from LiverSegLib.models.importers.plans import refuse
from LiverSegLib.models.rules import MAX_CHANNELS
from LiverSegLib.models.stage import Output
from LiverSegLib.sentences import Sentence

LABEL_WORDS: Dict[str, int] = {
    **{info.key: value for value, info in LABELS.items()},
    "tumor": TUMOUR, "lesion": TUMOUR, "none": BACKGROUND,
}  # fmt: skip
"""What a user may call LiverSeg's labels; "none" for a structure that is none of them."""

LIVER_NAMES = {"liver", "whole liver", "liver parenchyma", "hepar"}
SPLEEN_NAMES = {"spleen"}
TUMOUR_WORDS = {
    "tumor", "tumors", "tumour", "tumours", "lesion", "lesions", "cancer", "hcc", "metastasis", "metastases",
    "malignancy", "neoplasm", "neoplasms",
}  # fmt: skip
OTHER_ORGANS = re.compile(
    r"kidney|renal|pancrea|lung|pulmon|brain|colon|spleen|splenic|prostat|bladder|breast|bone|adrenal|stomach|gastric"
    r"|oesophag|esophag|head|neck|thyroid|uter|cervi|ovar|nodule"
)
"""Parts of the names of organs whose tumors are not the liver's."""

BACKGROUND_NAME = "background"
IGNORED_NAME = "ignore"
MAX_NAME = 100

CT = "CT"
MR = "MR"
OTHER = "other"


@dataclass(frozen=True)
class Labels:
    """What is used of a dataset.json.

    Attributes:
        activation: "softmax", or "sigmoid" of regions.
        channels: the network's, by number.
        values: nnU-Net's label value of each.
        foreground: how many labels a network after this one sees, a channel for each.
    """

    activation: str
    channels: Tuple[str, ...]
    values: Tuple[int, ...]
    foreground: int

    def output(self, chosen: Mapping[str, str]) -> Output:
        """The output of a stage, with the user's choice of labels where there is one.

        Args:
            chosen: channel name -> a word of LABEL_WORDS.

        Raises:
            UsageError: no such channel, or no such label.
        """
        names = [name for name in self.channels if name != BACKGROUND_NAME]
        labels = {**guessed_labels(names), **chosen_labels(chosen, names)}
        labels = {name: value for name, value in labels.items() if value != BACKGROUND}
        return Output(self.activation, self.channels, labels, self.values)


def read_labels(dataset: Mapping[str, Any]) -> Labels:
    """The labels of a dataset.json.

    Raises:
        ModelCorruptError: they are missing or make no sense.
        ModelError: they are those of nnU-Net's first version.
    """
    given = dataset.get("labels")
    if not isinstance(given, dict) or not 2 <= len(given) <= MAX_CHANNELS:
        _wrong(f"labels must be 2 to {MAX_CHANNELS} names")
    if BACKGROUND_NAME not in given and all(str(name).isdigit() for name in given):
        refuse("add.first-version")
    for name in given:
        if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
            _wrong(f"a label's name must be up to {MAX_NAME} printable letters, not {quoted(name)}")
    sets = {name: _values(name, value) for name, value in given.items() if name != IGNORED_NAME}
    if sets.get(BACKGROUND_NAME) != (0,):
        _wrong("labels.background must be 0")
    foreground = sorted({value for values in sets.values() for value in values} - {0})
    if any(len(values) > 1 for values in sets.values()):
        names = [name for name, values in sets.items() if set(values) != {0}]
        return Labels("sigmoid", tuple(names), _region_values(dataset, len(names)), len(foreground))
    if foreground != list(range(1, len(foreground) + 1)):
        _wrong("the values of labels must follow each other without a gap")
    by_value = {values[0]: name for name, values in reversed(list(sets.items()))}
    channels = tuple(by_value[value] for value in range(len(foreground) + 1))
    return Labels("softmax", channels, tuple(range(len(channels))), len(foreground))


def guessed_labels(names: Sequence[str]) -> Dict[str, int]:
    """Which of LiverSeg's labels the names of structures mean; names that mean none are left out.

    A tumor that is not said to be of another organ counts as one of the liver, unless the model knows other
    organs and no liver.
    """
    plain = {name: " ".join(re.split(r"[^a-z0-9]+", name.lower())).strip() for name in names}
    found: Dict[str, int] = {}
    for name, words in plain.items():
        if words in LIVER_NAMES:
            found[name] = LIVER
        elif words in SPLEEN_NAMES:
            found[name] = SPLEEN
    no_liver = LIVER not in found.values()
    others = no_liver and any(OTHER_ORGANS.search(words) for words in plain.values())
    for name, words in plain.items():
        is_tumour = TUMOUR_WORDS & set(words.split()) and not OTHER_ORGANS.search(words)
        if is_tumour and (not others or "liver" in words or "hepat" in words or "hcc" in words):
            found[name] = TUMOUR
    return found


def chosen_labels(chosen: Mapping[str, str], names: Sequence[str]) -> Dict[str, int]:
    """The labels that a user chose for structures.

    Raises:
        UsageError: no such structure, or no such label.
    """
    found = {}
    for name, word in chosen.items():
        if name not in names:
            raise UsageError(Sentence("add.no-such-structure", name=name, available=", ".join(names)))
        if word.lower() not in LABEL_WORDS:
            raise UsageError(Sentence("add.no-such-label", label=word, available=", ".join(LABEL_WORDS)))
        found[name] = LABEL_WORDS[word.lower()]
    return found


def modality_of(dataset: Mapping[str, Any], scheme: str) -> str:
    """What kind of images the model is for: "CT", "MR" or "other".

    Args:
        dataset: the dataset.json.
        scheme: nnU-Net's normalisation: one of them is for CT only.

    Raises:
        ModelError: the model needs more than one image.
        ModelCorruptError: it names no image.
    """
    channels = dataset.get("channel_names", dataset.get("modality"))
    if not isinstance(channels, dict) or not channels:
        _wrong("channel_names is missing")
    if len(channels) != 1:
        refuse("add.channels", count=len(channels), names=quoted(list(channels.values())[:6]))
    name = str(next(iter(channels.values()))).lower()
    if scheme == "CTNormalization" or re.search(r"\bct\b|computed", name):
        return CT
    return MR if re.search(r"mr|t1|t2|flair|dwi|adc", name) else OTHER


def _values(name: str, value: Any) -> Tuple[int, ...]:
    values: List[Any] = value if isinstance(value, list) else [value]
    if not values or not all(type(item) is int and 0 <= item <= MAX_CHANNELS for item in values):
        _wrong(f"the label {quoted(name)} must be a whole number from 0 to {MAX_CHANNELS}, or a list of them")
    return tuple(values)


def _region_values(dataset: Mapping[str, Any], count: int) -> Tuple[int, ...]:
    order: Any = dataset.get("regions_class_order")
    possible = isinstance(order, list) and len(order) == count
    if not possible or not all(type(value) is int and 1 <= value <= MAX_CHANNELS for value in order):
        _wrong(f"regions_class_order must be {count} whole numbers")
    return tuple(order)


def _wrong(reason: str) -> NoReturn:
    raise ModelCorruptError(Sentence("add.file-wrong", name="dataset.json", reason=reason))
