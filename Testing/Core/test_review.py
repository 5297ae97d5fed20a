"""A result says who had the last word on it, in its JSON and at the top of its report."""

import json
from dataclasses import replace
from pathlib import Path

import doubles
import pytest
from test_report import Page, phantom, report

from LiverSegLib.errors import UsageError
from LiverSegLib.outputs import write_results
from LiverSegLib.review import ACCEPTED, EDITED, Review, SegmentChange

CHANGES = (SegmentChange("liver", -12.34, 0.97123), SegmentChange("tumour", 4.2, 0.99996))
BY_HAND = Review(ACCEPTED, "Dr. <b>Änne</b> Weber", "2026-11-29T17:40:00+01:00", CHANGES)


@pytest.fixture(scope="module")
def case():
    return phantom()


@pytest.mark.parametrize(
    ("review", "words"),
    [
        (Review(), "Automatic result, not reviewed"),
        (Review(EDITED), "Edited, not accepted"),
        (BY_HAND, "Accepted by Dr. <b>Änne</b> Weber on 2026-11-29 at 17:40"),
        (Review(ACCEPTED, "A", "2026-11-29T17:40:31.5Z"), "Accepted by A on 2026-11-29 at 17:40"),
        (Review(ACCEPTED), "Accepted"),
    ],
)
def test_the_state_in_words(review, words):
    assert review.in_words() == words


def test_the_zone_of_the_time_is_told():
    assert (
        BY_HAND.zone() == "UTC+01:00"
        and Review(ACCEPTED, "A", "2026-11-29T17:40:00-0330").zone() == "UTC-03:30"
    )
    assert Review(ACCEPTED, "A", "2026-11-29T17:40:00Z").zone() == "UTC" and Review().zone() == ""


@pytest.mark.parametrize("review", [Review(), Review(EDITED, changes=CHANGES), BY_HAND])
def test_json_brings_it_back(review):
    assert Review.from_dict(json.loads(json.dumps(review.to_dict()))) == review


def test_what_is_not_known_is_left_out():
    assert Review().to_dict() == {"state": "automatic"}
    assert Review.from_dict({"state": "edited", "by": None, "at": None, "changes": []}) == Review(EDITED)
    assert Review.from_dict(None) is None
    unknown = {"state": "edited", "changes": [{"key": "spleen", "volume_ml": None, "dice": None}]}
    assert Review.from_dict(unknown).changes == (SegmentChange("spleen"),)


@pytest.mark.parametrize(
    "content",
    [
        "accepted", [], {}, {"state": "signed"}, {"state": ["edited"]}, {"state": "accepted", "by": 3},
        {"state": "accepted", "at": "yesterday"}, {"state": "accepted", "at": "2026-11-29T17:40:00"},
        {"state": "edited", "changes": [{"volume_ml": 1.0}]}, {"state": "edited", "changes": 5},
        {"state": "edited", "changes": [{"key": "liver", "dice": "much"}]},
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_no_acceptance(content):
    with pytest.raises(UsageError, match="Who reviewed this result cannot be read") as caught:
        Review.from_dict(content)
    assert caught.value.sentence.key == "result.review"


class TestReport:
    def banner(self, text):
        return [
            attributes
            for attributes in Page(text).all("p")
            if attributes.get("class", "").startswith("review")
        ]

    @pytest.mark.parametrize("review", [Review(), Review(EDITED), BY_HAND])
    def test_the_state_stands_at_the_top_before_every_number(self, case, review):
        text = report(case, review=review)
        page = Page(text)
        (banner,) = self.banner(text)
        assert banner["class"] == f"review {review.state}"
        assert review.in_words() in page.text
        assert (
            page.text.index(review.in_words())
            < page.text.index("Research use only")
            < page.text.index("1234")
        )
        assert ("UTC+01:00" in page.text) == (review is BY_HAND)

    def test_it_is_printed_too(self, root):
        style = (root / "LiverSegLib" / "report" / "style.css").read_text(encoding="utf-8")
        printed = style[style.index("@media print") :]
        assert ".review {" in printed and "display:none" not in style

    def test_a_name_does_no_harm(self, case):
        text = report(case, review=BY_HAND)
        assert "<b>" not in text and "Dr. &lt;b&gt;Änne&lt;/b&gt; Weber" in text

    def test_what_was_changed_stands_in_a_table(self, case):
        words = Page(report(case, review=Review(EDITED, changes=CHANGES))).text
        assert "Changes to the automatic result" in words
        assert "Liver without tumors −12.3 0.971" in words and "Liver tumor +4.20 0.999" in words

    @pytest.mark.parametrize("review", [None, Review(), Review(ACCEPTED, "A")])
    def test_without_changes_there_is_no_table(self, case, review):
        assert "Changes to the automatic result" not in report(case, review=review)

    def test_who_answers_for_the_numbers(self, case):
        automatic, edited, accepted = (
            Page(report(case, review=review)).text for review in (None, Review(EDITED), BY_HAND)
        )
        assert automatic.count("Made automatically. Masks and numbers must be checked") == 2
        assert edited.count("Made automatically, then edited. Masks and numbers must be checked") == 2
        assert accepted.count("Made automatically, then accepted by a reader.") == 2
        assert "must be checked" not in accepted

    def test_an_older_result_has_no_state(self, case):
        assert self.banner(report(case)) == []


class TestFiles:
    def written(self, tmp_path, review):
        result = replace(doubles.result(doubles.scan()), review=review)
        files = write_results(result, tmp_path, rendering=False)
        page = Page(files["report"].read_text(encoding="utf-8")).text
        return json.loads(Path(files["measurements"]).read_text(encoding="utf-8")), page

    def test_json_and_report_say_the_same(self, tmp_path):
        content, page = self.written(tmp_path, BY_HAND)
        assert Review.from_dict(content["review"]) == BY_HAND and BY_HAND.in_words() in page

    def test_an_older_result_is_written_as_before(self, tmp_path):
        content, page = self.written(tmp_path, None)
        assert "review" not in content and "not reviewed" not in page
