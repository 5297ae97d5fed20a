"""What an evaluation is made of: LiTS's and CHAOS's definitions, paired tests, structures, names of cases."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from LiverSegLib.cli import main
from LiverSegLib.errors import InputError, UnreadableImageError, UsageError
from LiverSegLib.evaluation.case_files import case_name, find_cases, find_images, match_cases
from LiverSegLib.evaluation.chaos import chaos_score, scored, summarise_chaos
from LiverSegLib.evaluation.lits import lesion_pairs, score_lits_case, summarise_lits
from LiverSegLib.evaluation.paired import compare_pairs, holm, signed_rank_test, smallest_p
from LiverSegLib.evaluation.structures import chosen_structures, parse_structures
from LiverSegLib.masks.components import connected_components

MM = (1.0, 1.0, 1.0)


def row_of(*runs, length=40):
    """A mask 3 x 3 x length with blocks at [start, stop) along x."""
    mask = np.zeros((3, 3, length), dtype=bool)
    for start, stop in runs:
        mask[:, :, start:stop] = True
    return mask


def lits_case(reference, prediction, liver=None, predicted_liver=None):
    liver = np.ones_like(reference) if liver is None else liver
    return score_lits_case(
        liver, reference, liver if predicted_liver is None else predicted_liver, prediction, MM
    )


# --- LiTS --------------------------------------------------------------------------------------------------


def pairs(reference, prediction):
    found = (connected_components(mask, corners=False) for mask in (reference, prediction))
    (references, count), (predictions, predicted) = found
    return lesion_pairs(references, count, predictions, predicted)


def test_one_lesion_in_two_pieces_is_one_pair():
    (found,) = pairs(row_of((0, 10)), row_of((0, 4), (6, 10)))
    assert found.references == (1,) and found.predictions == (1, 2) and found.iou == pytest.approx(0.8)
    case = lits_case(row_of((0, 10)), row_of((0, 4), (6, 10)))
    detection = summarise_lits([case])["detection"]["iou_above_0.5"]
    assert (detection["true_positives"], detection["false_positives"], detection["false_negatives"]) == (
        1,
        1,
        0,
    )
    assert detection["precision"] == 0.5 and detection["recall"] == 1.0


def test_two_lesions_under_one_prediction_are_one_pair():
    (found,) = pairs(row_of((0, 4), (6, 10)), row_of((0, 10)))
    assert found.references == (1, 2) and found.predictions == (1,) and found.iou == pytest.approx(0.8)


def test_a_prediction_belongs_to_what_it_overlaps_most():
    # the second prediction bridges both lesions, but the first lesion is covered more by the first prediction
    reference = row_of((0, 10), (12, 20))
    prediction = row_of((0, 7), (8, 20))
    found = pairs(reference, prediction)
    assert [(pair.references, pair.predictions) for pair in found] == [((1,), (1,)), ((2,), (2,))]
    assert found[0].iou == pytest.approx(0.7) and found[1].iou == pytest.approx(8 / 12)


def test_corners_do_not_join_lesions():
    reference = np.zeros((4, 4, 4), dtype=bool)
    reference[:2, :2, :2] = reference[2:, 2:, 2:] = True
    assert lits_case(reference, reference).references == 2


def test_lits_counts_pairs_above_half():
    reference = row_of((0, 10), (20, 30), (35, 37))
    prediction = row_of((0, 9), (24, 40))
    case = lits_case(reference, prediction)
    assert case.references == 3 and case.predictions == 2
    assert case.detected == (2, 1)
    figures = summarise_lits([case])
    assert figures["detection"]["iou_above_0"]["recall"] == pytest.approx(2 / 3)
    assert figures["detection"]["iou_above_0.5"]["precision"] == 0.5
    assert figures["lesion"]["dice"] == pytest.approx(18 / 19) and figures["lesion"]["pairs_detected"] == 1
    assert figures["lesion"]["dice_global"] == pytest.approx(2 * (9 + 6 + 2) / (22 + 25))


def test_lits_rules_for_empty_masks():
    nothing, lesion = row_of(), row_of((0, 5))
    figures = summarise_lits([lits_case(nothing, nothing), lits_case(lesion, nothing)])
    assert figures["lesion"]["dice_per_case"] == 0.5  # 1 where both are empty
    assert figures["detection"]["iou_above_0"]["recall"] == 0.0
    assert figures["lesion"]["assd_mm"] is None
    no_liver = lits_case(lesion, nothing, predicted_liver=nothing)
    assert no_liver.liver_dice == 0.0 and no_liver.burden_error is None
    assert summarise_lits([no_liver])["liver"]["assd_mm"] is None


def test_burden_is_lesion_by_liver():
    liver = row_of((0, 20))
    cases = [
        lits_case(row_of((0, 4)), row_of((0, 2)), liver),  # 0.2 and 0.1
        lits_case(row_of((0, 4)), row_of((0, 10)), liver),  # 0.2 and 0.5
    ]
    assert [case.burden_error for case in cases] == pytest.approx([0.1, -0.3])
    burden = summarise_lits(cases)["burden"]
    assert burden["rmse"] == pytest.approx(np.sqrt((0.01 + 0.09) / 2)) and burden[
        "max_error"
    ] == pytest.approx(0.3)


def test_lits_figures_are_ready_for_json():
    assert json.dumps(summarise_lits([lits_case(row_of((0, 5)), row_of((1, 6)))]), allow_nan=False)


# --- CHAOS -------------------------------------------------------------------------------------------------


def test_chaos_points_end_at_the_thresholds():
    assert scored(1.0, 0.0, 0.0, 0.0).score == 100.0
    assert scored(0.8, 5.0, 15.0, 60.0).score == 0.0
    assert scored(0.9, 2.5, 3.0, 15.0).score == pytest.approx((90 + 50 + 80 + 75) / 4)


def test_chaos_of_masks():
    reference = row_of((5, 25))
    assert chaos_score(reference, reference, MM).score == 100.0
    found = chaos_score(reference, row_of((5, 26)), (2.0, 1.0, 1.0))
    assert found.ravd_percent == pytest.approx(5.0) and found.points_ravd == pytest.approx(0.0)
    # of the two end layers of each mask one moved by 2 mm: the array's other faces are no surface
    assert found.assd_mm == pytest.approx(1.0) and found.mssd_mm == pytest.approx(2.0)
    assert chaos_score(reference, row_of(), MM).score == 0.0 and chaos_score(row_of(), row_of(), MM) is None
    assert summarise_chaos([])["score"] is None


# --- paired comparisons ------------------------------------------------------------------------------------


def test_signed_rank_test_is_scipys_without_ties():
    rng = np.random.default_rng(4)
    for n in (5, 8, 20, 40):
        differences = rng.normal(0.3, 1.0, n)
        found = signed_rank_test(differences)
        theirs = stats.wilcoxon(differences, method="exact")
        assert found.exact and found.p_value == pytest.approx(theirs.pvalue)
        assert min(found.positive, found.negative) == theirs.statistic


def test_signed_rank_test_with_ties_counts_all_signs():
    differences = np.array([1.0, 1.0, 2.0, -2.0, 3.0, 3.0, 1.0])
    found = signed_rank_test(differences)
    ranks = stats.rankdata(np.abs(differences))
    signs = np.array(np.meshgrid(*[(0, 1)] * 7)).reshape(7, -1)
    sums = ranks @ signs
    observed = min(found.positive, found.negative)
    assert found.p_value == pytest.approx(2 * np.mean(sums <= observed))


def test_many_differences_are_tested_by_the_normal_distribution():
    differences = np.random.default_rng(1).normal(0.2, 1.0, 80)
    found = signed_rank_test(differences)
    theirs = stats.wilcoxon(differences, correction=False, method="approx")
    assert not found.exact and found.p_value == pytest.approx(theirs.pvalue, rel=1e-6)


def test_paired_comparison_by_hand():
    found = compare_pairs([0.9, 0.8, 0.7, 0.6], [0.95, 0.8, 0.8, 0.55])
    assert (found.wins, found.ties, found.losses) == (2, 1, 1)
    assert found.mean == pytest.approx(0.025) and found.median == pytest.approx(0.025)
    # ranks of 0.05, 0.10, 0.05: 1.5, 3, 1.5
    assert found.test.positive == 4.5 and found.test.negative == 1.5
    assert found.test.rank_biserial == pytest.approx(0.5)
    assert found.interval.low <= found.mean <= found.interval.high


def test_lower_can_be_better():
    assert compare_pairs([5.0, 6.0], [4.0, 5.0], higher_is_better=False).wins == 2


def test_order_of_cases_does_not_matter():
    rng = np.random.default_rng(9)
    first, second = rng.random(15), rng.random(15)
    order = rng.permutation(15)
    assert compare_pairs(first, second) == compare_pairs(first[order], second[order])


def test_equal_results_show_nothing():
    found = compare_pairs([0.5, 0.6], [0.5, 0.6])
    assert found.test.p_value == 1.0 and found.test.rank_biserial == 0.0 and found.ties == 2
    assert compare_pairs([0.5], [0.6]).interval is None
    with pytest.raises(UsageError):
        compare_pairs([], [])
    with pytest.raises(UsageError):
        compare_pairs([np.nan], [1.0])


def test_holm_keeps_the_order_and_passes_over_nothing():
    assert holm([0.01, None, 0.04, 0.03]) == pytest.approx([0.03, None, 0.06, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_few_cases_cannot_show_a_difference():
    assert smallest_p(5) > 0.05 > smallest_p(6)
    assert signed_rank_test(np.arange(1.0, 7.0)).p_value == pytest.approx(smallest_p(6))


# --- structures --------------------------------------------------------------------------------------------


def test_structures_are_read_from_text():
    liver, lesion = parse_structures("lits", "liverseg")
    assert liver.values == (1, 2) and liver.predicted == (1, 3) and lesion.values == (2,) and lesion.is_lesion
    assert [item.name for item in chosen_structures(parse_structures(None), "spleen, liver")] == [
        "spleen",
        "liver",
    ]
    labels = np.array([[[0, 1, 2, 3]]])
    assert parse_structures(None)[0].mask(labels).tolist() == [[[False, True, False, True]]]


@pytest.mark.parametrize(
    "labels, predicted, said",
    [
        ("liver", None, "write liver=1"),
        ("liver=0", None, "background"),
        ("liver=1,liver=2", None, "twice"),
        ("liver=63", "spleen=1", 'have "spleen"'),
    ],
)
def test_structures_that_make_no_sense_are_refused(labels, predicted, said):
    with pytest.raises(UsageError, match=said):
        parse_structures(labels, predicted)


# --- files -------------------------------------------------------------------------------------------------


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_cases_are_named_by_their_files():
    names = (
        "case_01_seg.nii",
        "volume-7.nii",
        "test-segmentation-7.nii.gz",
        "x-prediction.nrrd",
        "seg.nii.gz",
    )
    assert [case_name(name) for name in names] == ["case_01", "7", "7", "x", "seg"]


def test_label_files_win_over_scans_in_one_folder(tmp_path):
    (
        touch(tmp_path / "a.nii.gz"),
        touch(tmp_path / "a_label.nii.gz"),
        touch(tmp_path / "b" / "segmentation.nii.gz"),
    )
    found = find_cases(tmp_path)
    assert found["a"].path.name == "a_label.nii.gz" and found["b"].path.parent.name == "b"
    assert find_images(tmp_path) == {"a": tmp_path / "a.nii.gz"}
    touch(tmp_path / "a_seg.mha")
    with pytest.raises(InputError, match='"a" has more than one'):
        find_cases(tmp_path)


def test_data_set_says_what_is_annotated_and_which_split(tmp_path):
    cases = [
        {"id": "p", "label": "l/p.nii", "image": "i/p.nii", "annotated": ["spleen"], "split": "val"},
        {"id": "q", "label": "l/q.nii", "split": "train"},
        {"id": "r", "image": "i/r.nii", "split": "val"},
    ]
    (tmp_path / "dataset.json").write_text(json.dumps({"cases": cases}))
    found = find_cases(tmp_path, split="val")
    assert list(found) == ["p"] and found["p"].annotated == ("spleen",)
    assert found["p"].path == tmp_path / "l/p.nii" and found["p"].image == tmp_path / "i/p.nii"
    assert list(find_cases(tmp_path)) == ["p", "q"]
    with pytest.raises(InputError, match="no case with a label of the split test"):
        find_cases(tmp_path, split="test")


def test_a_table_names_cases_and_files(tmp_path):
    (tmp_path / "t.csv").write_text("case,file\none,x/1.nii\n")
    assert find_cases(tmp_path / "t.csv")["one"].path == tmp_path / "x/1.nii"
    (tmp_path / "t.csv").write_text("name,file\none,x/1.nii\n")
    with pytest.raises(InputError, match='needs the columns "case" and "file"'):
        find_cases(tmp_path / "t.csv")


def test_missing_and_extra_cases_are_listed(tmp_path):
    for name in ("a", "b"):
        touch(tmp_path / "references" / f"{name}.nii.gz")
    for name in ("b_seg", "c_seg"):
        touch(tmp_path / "predictions" / f"{name}.nii.gz")
    found = match_cases(find_cases(tmp_path / "predictions"), find_cases(tmp_path / "references"))
    assert [pair[0].case for pair in found.pairs] == ["b"]
    assert found.missing == ("a",) and found.extra == ("c",)


def test_references_given_as_predictions_are_refused(tmp_path):
    touch(tmp_path / "a" / "one.nii"), touch(tmp_path / "a" / "two.nii")
    with pytest.raises(InputError, match="one.nii is given as prediction and as reference"):
        match_cases(find_cases(tmp_path / "a"), find_cases(tmp_path / "a"))


def test_a_data_set_without_labels_or_with_a_case_twice_is_refused(tmp_path):
    for cases, said in (
        ([{"id": "p", "label": None}], "no case with a label"),
        ([{"id": "p", "label": "a.nii"}, {"id": "p", "label": "b.nii"}], '"p" twice'),
    ):
        (tmp_path / "dataset.json").write_text(json.dumps({"cases": cases}))
        with pytest.raises(InputError, match=said):
            find_cases(tmp_path)


def test_nothing_to_match_is_said(tmp_path):
    touch(tmp_path / "a" / "one.nii"), touch(tmp_path / "a" / "two.nii"), touch(tmp_path / "b" / "three.nii")
    with pytest.raises(InputError, match='"one", "two" against "three"'):
        match_cases(find_cases(tmp_path / "a"), find_cases(tmp_path / "b"))
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(UnreadableImageError):
            find_cases(path)


# --- what the documents say --------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_every_option_is_documented(command, capsys):
    documented = (Path(__file__).resolve().parents[2] / "docs" / "terminal.md").read_text(encoding="utf-8")
    assert main([command, "--help"]) == 0
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert options and all(option in documented for option in options)
