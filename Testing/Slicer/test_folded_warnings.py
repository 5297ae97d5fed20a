"""Warnings in one line: how many, and the first; a click shows all."""

import pytest

pytest_plugins = ["steatosis_fixtures"]

LONG = "The slices are 10 mm thick, so that an ROI of a centimetre lies in one slice and has few voxels."


@pytest.fixture
def warnings(hand, placed):
    """The block of the section Fatty liver."""
    return hand.panel._steatosis._verdict._warnings


def test_warnings_take_one_line_until_they_are_unfolded(hand, warnings):
    warnings.show([LONG, "Second.", LONG])
    hand.settle()
    assert hand.text("fattyWarningsButton") == "2 warnings"
    assert hand.text("fattyWarningsFirst").startswith("The slices are")
    assert not hand.seen("fattyWarningsLabel")
    assert hand.text("fattyWarningsFirst").endswith("…"), "elided, not clipped"
    oneLine = hand.widget("fattyWarningsNote").height()
    hand.click("fattyWarningsButton")
    assert hand.text("fattyWarningsLabel") == f"• {LONG}\n• Second."
    assert not hand.seen("fattyWarningsFirst") and hand.widget("fattyWarningsNote").height() > oneLine
    note, label, bar = (hand.widget(f"fattyWarnings{part}") for part in ("Note", "Label", "Bar"))
    assert bar.x() == 0 and label.width() > note.width() - 20, "the words have the width of the panel"
    hand.click("fattyWarningsButton")
    assert not hand.seen("fattyWarningsLabel") and hand.widget("fattyWarningsNote").height() == oneLine


def test_fold_stays_as_the_reader_left_it_and_goes_without_warnings(hand, warnings):
    warnings.show([LONG])
    hand.settle()
    assert hand.text("fattyWarningsButton") == "1 warning"
    hand.click("fattyWarningsButton")
    warnings.show(["Another."])
    assert hand.text("fattyWarningsLabel") == "Another."
    warnings.show([])
    assert not hand.seen("fattyWarningsNote")


def test_long_warning_does_not_widen_the_panel(hand, warnings):
    for _unfold in range(2):
        warnings.show([LONG * 3])
        hand.settle()
        assert hand.widget("fattySection").minimumSizeHint().width() <= 320
        hand.click("fattyWarningsButton")
