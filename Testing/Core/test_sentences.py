"""Sentences keep their identity on the way through JSON."""

import copy
import json
import pickle

import pytest

from LiverSegLib import sentences
from LiverSegLib.sentences import Sentence, restored, with_identity


@pytest.fixture(autouse=True)
def two_sentences(monkeypatch):
    monkeypatch.setattr(
        sentences,
        "SENTENCES",
        {"spacing": "Slices are {mm:.1f} mm apart.", "both": "{first} Also: {second}"},
    )


def test_sentence_is_its_english_text():
    sentence = Sentence("spacing", mm=5)
    assert sentence == "Slices are 5.0 mm apart."
    assert (sentence.key, sentence.arguments) == ("spacing", {"mm": 5})


def test_sentence_that_is_not_listed_is_an_error():
    with pytest.raises(KeyError):
        Sentence("no such sentence")
    with pytest.raises(KeyError):
        Sentence("spacing", slices=5)


def test_identity_goes_through_json():
    inner = Sentence("spacing", mm=2.5)
    data = {"warnings": (Sentence("both", first=inner, second="plain"), "plain text"), "number": 3}
    travelled = json.loads(json.dumps(with_identity(data)))
    back = restored(travelled)
    outer, plain = back["warnings"]
    assert outer == data["warnings"][0] and plain == "plain text" and back["number"] == 3
    assert isinstance(outer, Sentence) and outer.key == "both"
    assert isinstance(outer.arguments["first"], Sentence)


@pytest.mark.parametrize("arguments", [{}, {"mm": "five"}])
def test_sentence_of_another_version_is_its_text(arguments):
    for key in ("spacing", "from the future"):
        assert restored({"sentence": key, "arguments": arguments, "text": "As written."}) == "As written."


def test_copies_keep_the_identity():
    sentence = Sentence("spacing", mm=5)
    for other in (copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert other == sentence and other.key == "spacing"
