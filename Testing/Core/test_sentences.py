"""Sentences keep their identity on the way through JSON."""

import copy
import json
import pickle

import pytest
import worker_client

from LiverSegLib import sentences
from LiverSegLib.errors import NotCTError
from LiverSegLib.measure import Measurements, Organ
from LiverSegLib.sentence_texts import SENTENCES
from LiverSegLib.sentences import Sentence, restored, with_identity
from LiverSegLib.steatosis.assess import Assessment, Conditions, assess
from LiverSegLib.worker import protocol
from LiverSegLib.worker.failures import failure


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


def test_list_of_words_keeps_the_identity_of_each(monkeypatch):
    monkeypatch.setattr(sentences, "SENTENCES", SENTENCES)
    words = [Sentence(f"border.{word}") for word in ("superior", "right", "left")]
    said = sentences.listed(words)
    assert said == "superior, right and left" and sentences.listed(words[:1]) == "superior"
    assert said.arguments["rest"].arguments["second"].key == "border.left"
    assert sentences.in_commas(words) == "superior, right, left"
    assert restored(json.loads(json.dumps(with_identity(said)))).arguments["first"].key == "border.superior"


def test_error_carries_its_sentence_to_the_other_side_of_the_protocol(monkeypatch):
    monkeypatch.setattr(sentences, "SENTENCES", SENTENCES)
    error = NotCTError(Sentence("refused.modality", modality="MR"))
    back = worker_client.raised(protocol.decode(protocol.encode(failure("1", error))))
    assert type(back) is NotCTError and str(back) == "This is no CT: its modality is MR."
    assert back.sentence.key == "refused.modality" and back.sentence.arguments == {"modality": "MR"}
    plain = worker_client.raised(protocol.decode(protocol.encode(failure("1", NotCTError("Plain.")))))
    assert plain.sentence == "Plain."


def test_measurements_and_assessment_restore_their_sentences(monkeypatch):
    monkeypatch.setattr(sentences, "SENTENCES", SENTENCES)
    organs = tuple(Organ(key, key, 0.0) for key in ("liver", "spleen", "tumour"))
    measured = Measurements(
        organs=organs, warnings=(Sentence("volume.no-liver"), "plain, of an older version")
    )
    travelled = json.loads(json.dumps(with_identity(measured.to_dict())))
    first, second = Measurements.from_dict(travelled).warnings
    assert first.key == "volume.no-liver" and second == "plain, of an older version"
    assert json.loads(json.dumps(measured.to_dict()))["warnings"][0] == "No liver was found."
    judged = assess([], [], conditions=Conditions())
    back = Assessment.from_dict(json.loads(json.dumps(with_identity(judged.to_dict()))))
    assert back.reasons_not_to_grade == judged.reasons_not_to_grade
    assert back.grade_text.key == "grade.none" and all(text.key for text in back.reasons_not_to_grade)


def test_copies_keep_the_identity():
    sentence = Sentence("spacing", mm=5)
    for other in (copy.deepcopy(sentence), pickle.loads(pickle.dumps(sentence))):
        assert other == sentence and other.key == "spacing"
