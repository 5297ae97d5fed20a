"""What the core says is shown in the language of Slicer's user, whole."""

import ast
import string
from pathlib import Path

import pytest
import scene_samples  # noqa: F401 (it puts the module on the path)

import LiverSegLib
from LiverSegLib.sentence_texts import SENTENCES
from LiverSegLib.sentences import Sentence, with_identity
from SlicerHost import i18n

TEXTS = sorted(Path(LiverSegLib.__file__).parent.glob("*_texts.py"))
"""The files in which Slicer's update_translations.py finds what the core says."""


@pytest.fixture
def german(monkeypatch):
    """A translation of three sentences and a word."""
    monkeypatch.setattr(
        i18n,
        "translations",
        {
            "The {organ} reaches {place}: its volume is a lower bound.": "{place}: dort endet {organ}.",
            "the {border} border of the scan": "Rand {border}",
            "superior": "oben",
            "No liver was found.": "Keine Leber gefunden.",
            "Under {mm:.0f} mm: not measurable by RECIST 1.1.": "Unter {wrong} mm.",
        },
    )


@pytest.fixture
def sentence(host):
    from LiverSegSlicer.sentences import sentence

    return sentence


def literals(path):
    """Identifier -> template, of all that stands as "identifier": _("template") in a file."""
    found = {}
    for table in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(table, ast.Dict):
            for key, value in zip(table.keys, table.values):
                if key is not None:
                    assert ast.unparse(value.func) == "_" and len(value.args) == 1, ast.unparse(key)
                    found[key.value] = ast.literal_eval(value.args[0])
    return found


def test_every_sentence_of_the_core_stands_as_a_literal_for_translators():
    assert {key: text for path in TEXTS for key, text in literals(path).items()} == SENTENCES


def test_slicer_looks_for_a_translation_where_the_literal_stands(host, monkeypatch):
    asked = []
    from LiverSegSlicer import sentences

    monkeypatch.setattr(sentences, "translate", lambda context, text: asked.append((context, text)) or text)
    for path in TEXTS:
        for key, template in literals(path).items():
            names = {name for _, name, _, _ in string.Formatter().parse(template) if name}
            sentences.sentence(Sentence(key, **dict.fromkeys(names, 1)))
            assert asked.pop() == (f"LiverSegLib.{path.stem}", template)


def test_no_template_is_a_bare_part_of_speech_for_gluing():
    for key, text in SENTENCES.items():
        assert text == text.strip(), key
        assert all(name or literal for literal, name, _, _ in string.Formatter().parse(text)), key


def test_sentence_is_made_in_the_language_of_the_user(german, sentence):
    place = Sentence("place.border", border=Sentence("border.superior"))
    said = Sentence("volume.cut-off", organ=Sentence("organ.liver"), place=place)
    assert said == "The liver reaches the superior border of the scan: its volume is a lower bound."
    for form in (said, with_identity(said)):
        assert sentence(form) == "Rand oben: dort endet liver."
    assert type(sentence(said)) is str


def test_reason_for_the_contrast_phase_is_translated_whole_within_another_sentence(monkeypatch, sentence):
    from LiverSegLib.measure.phase import Attenuations, decide
    from LiverSegLib.steatosis.assess import Conditions, assess

    monkeypatch.setattr(
        i18n,
        "translations",
        {
            "Liver {hu:.0f} HU": "Leber {hu:.0f} HE",
            "aorta {hu:.0f} HU": "Aorta {hu:.0f} HE",
            "{measured}: liver and blood are alike.": "Leber und Blut gleichen sich ({measured}).",
            "The scan holds contrast medium: it looks like the delayed phase.": "Spätphase.",
        },
    )
    estimate = decide(Attenuations(110, None, 112))
    conditions = Conditions(phase=estimate.phase, phase_reason=estimate.reason)
    judged = assess([], [], conditions=conditions).reasons_not_to_grade
    said = [sentence(with_identity(reason)) for reason in judged]
    assert "Spätphase. Leber und Blut gleichen sich (Leber 110 HE, Aorta 112 HE)." in said


def test_plain_text_of_older_results_is_shown_as_it_is(german, sentence):
    assert sentence("No liver was found.") == "No liver was found."
    assert sentence({"sentence": "from the future", "arguments": {}, "text": "As it came."}) == "As it came."


def test_wrong_translation_falls_back_to_english(german, sentence):
    assert sentence(Sentence("lesion.too-small", mm=10)) == "Under 10 mm: not measurable by RECIST 1.1."
