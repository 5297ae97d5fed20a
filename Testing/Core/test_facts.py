"""What is known of a scan: written to JSON and read back, whatever somebody made of it meanwhile."""

import json
import subprocess
import sys

import pytest

from LiverSegLib.measure.facts import NOTHING_KNOWN, ClinicalFacts, PhaseEstimate

FACTS = ClinicalFacts(
    PhaseEstimate("portal", 0.93, "The aorta is bright.", 143.0), 120.0, "OMNIPAQUE", "PV", ("One.",)
)


@pytest.mark.parametrize("facts", [FACTS, NOTHING_KNOWN, ClinicalFacts(PhaseEstimate("unknown", 0.0, ""))])
def test_facts_come_back_from_json_as_they_were(facts):
    assert ClinicalFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


@pytest.mark.parametrize(
    "odd",
    [None, [], "facts", {"kvp": "high"}, {"kvp": True}, {"phase": 3}, {"phase": {}}, {"left_out": 5},
     {"phase": {"phase": "portal", "confidence": "much", "reason": "x"}}],
    ids=str,
)  # fmt: skip
def test_what_somebody_overwrote_is_as_nothing_known(odd):
    assert ClinicalFacts.from_dict(odd) == NOTHING_KNOWN


def test_reading_facts_loads_nothing_heavy():
    code = "import sys, LiverSegLib.measure.facts; print({'SimpleITK', 'scipy', 'torch'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
    )
