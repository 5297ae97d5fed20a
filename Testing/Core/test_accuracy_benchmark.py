"""Two models side by side, as `make bench-accuracy BESIDE=...` prints them."""

import json
import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "Testing" / "Benchmarks"))
import accuracy_beside  # noqa: E402

from LiverSegLib.errors import InputError  # noqa: E402


def test_scans_of_one_patient_count_once_and_fewer_false_lesions_are_better():
    before = [
        {"case": "a1", "liver dice": 0.90, "false lesions": 3},
        {"case": "a2", "liver dice": 0.94},
        {"case": "b", "liver dice": 0.95, "false lesions": 2},
        {"case": "only before", "liver dice": 0.1},
    ]
    after = [
        {"case": "a1", "liver dice": 0.94, "false lesions": 0},
        {"case": "a2", "liver dice": 0.96, "liver tumour dice": 0.5},
        {"case": "b", "liver dice": 0.94, "false lesions": 1},
    ]
    lines = accuracy_beside.side_by_side(before, after)
    assert [(row["case"], row["figure"]) for row in lines] == [
        ("a1", "liver dice"), ("a1", "false lesions"), ("a2", "liver dice"), ("b", "liver dice"),
        ("b", "false lesions"),
    ]  # fmt: skip
    liver, false = accuracy_beside.paired_by_patient(lines, {"a1": "a", "a2": "a"})
    assert liver["patients"] == 2 and liver["before"] == pytest.approx((0.92 + 0.95) / 2)
    assert (liver["better"], liver["worse"]) == (1, 1)
    assert false["figure"] == "false lesions" and (false["better"], false["worse"]) == (2, 0)
    assert liver["p"] == 1.0 and false["p"] == 0.5


def test_an_earlier_run_is_read_and_another_file_refused(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps({"accuracy": {"table": [{"case": "a", "liver dice": 0.9}]}}))
    assert accuracy_beside.read_rows(path) == [{"case": "a", "liver dice": 0.9}]
    path.write_text("[]")
    with pytest.raises(InputError, match="holds no table as accuracy.py --json writes it"):
        accuracy_beside.read_rows(path)
