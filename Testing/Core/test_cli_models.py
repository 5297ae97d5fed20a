"""``liverseg models``: adding asks and shows, removing asks, the list needs no word."""

import json
import sys

import pytest
from nnunet_models import make_trained

from LiverSegLib.cli import main


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LIVERSEG_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return make_trained(tmp_path_factory.mktemp("results"))


def answer(monkeypatch, text):
    """What the user types."""
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_adding_shows_what_it_is_and_asks(trained, store, monkeypatch, capsys):
    answer(monkeypatch, "y\n")
    assert main(["models", "add", str(trained), "--label", "spleen=none", "--licence", "CC0"]) == 0
    said = capsys.readouterr().out
    assert "liver_tumor  liver tumor" in said and "spleen       a structure of its own" in said
    assert "CC0" in said and "--model Tiny-3d_fullres" in said
    assert [path.name for path in store.iterdir()] == ["Tiny-3d_fullres"]


def test_no_is_no(trained, store, monkeypatch, capsys):
    answer(monkeypatch, "n\n")
    assert main(["models", "add", str(trained)]) == 130
    assert not store.exists()


def test_json_wants_yes_and_answers_with_the_model(trained, store, capsys):
    assert main(["models", "add", str(trained), "--json"]) == 2
    assert "--yes" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert main(["models", "add", str(trained), "--json", "--yes", "--name", "mine"]) == 0
    model = json.loads(capsys.readouterr().out)["model"]
    assert model["name"] == "mine" and model["manifest"]["source"]["program"] == "nnU-Net v2"
    assert main(["models", "show", "mine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == model
    assert main(["models", "remove", "mine", "--json", "--yes"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed": str(store / "mine")}
    assert list(store.iterdir()) == []


def test_show_says_what_a_model_segments(store, capsys):
    assert main(["models", "show", "default"]) == 0
    said = capsys.readouterr().out
    assert "Structures" in said and "CC BY-SA" in said


def test_the_list_needs_no_word(store, capsys):
    assert main(["models"]) == 0
    short = capsys.readouterr().out
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out == short and "default" in short
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["add", "nowhere", "--yes"], 5, "does not exist"),
     (["remove", "default", "--yes"], 2, "part of LiverSeg"),
     (["remove", "nothing", "--yes"], 5, "no added model"), (["show", "nothing"], 5, "no model 'nothing'")],
)  # fmt: skip
def test_failures_have_their_sentence_and_code(store, capsys, words, code, said):
    assert main(["models", *words]) == code
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("given", ["liver", "=liver", "liver="])
def test_a_label_is_chosen_with_an_equals_sign(trained, store, capsys, given):
    assert main(["models", "add", str(trained), "--yes", "--label", given]) == 2
    assert "STRUCTURE=LABEL" in capsys.readouterr().err


def test_every_option_is_documented(root, capsys):
    import re

    documented = (root / "docs" / "terminal.md").read_text(encoding="utf-8")
    for command in ("list", "show", "add", "remove"):
        main(["models", command, "--help"])
        for option in set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}:
            assert option in documented, f"{option} of models {command} is missing in docs/terminal.md"


def test_a_model_without_liver_is_warned_of(tmp_path, store, capsys):
    folder = make_trained(tmp_path, labels={"background": 0, "kidney": 1})
    assert main(["models", "add", str(folder), "--yes"]) == 0
    assert "None of the model's structures is known as liver" in " ".join(capsys.readouterr().err.split())
