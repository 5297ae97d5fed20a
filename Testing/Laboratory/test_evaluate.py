"""`liverseg evaluate` and `liverseg compare`: what they score, write, say and return, on made-up folders."""

import csv
import json
import re

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.surface_distance import compute_average_surface_distance
from scipy import ndimage

from LiverSegLib.cli import main
from LiverSegLib.evaluation import evaluation_page
from LiverSegLib.evaluation.case_files import CaseFile, find_cases, match_cases
from LiverSegLib.evaluation.compare_results import compare_results
from LiverSegLib.evaluation.label_images import on_grid, read_labels
from LiverSegLib.evaluation.result_files import read_result
from LiverSegLib.evaluation.run import evaluate
from LiverSegLib.evaluation.score import Settings
from LiverSegLib.evaluation.structures import LIVERSEG
from LiverSegLib.evaluation.summary import summarise
from LiverSegLib.evaluation.surface_distances import normalised_surface_dice, surface_distances
from LiverSegLib.images.grid import Grid

SPACING = (1.5, 1.0, 3.0)


def labels_of(*, liver=True, spleen=True, tumour=True):
    """Labels 20 x 30 x 40 (z, y, x): a liver with one tumor, and a spleen."""
    labels = np.zeros((20, 30, 40), np.uint8)
    if liver:
        labels[4:14, 6:22, 4:22] = 1
    if liver and tumour:
        labels[6:9, 10:15, 8:13] = 3
    if spleen:
        labels[6:12, 18:26, 28:36] = 2
    return labels


def image_of(labels, spacing=SPACING, origin=(0.0, 0.0, 0.0)):
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    return image


def write(labels, path, **place):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = labels if isinstance(labels, sitk.Image) else image_of(labels, **place)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def folders(tmp_path):
    """Predictions and references of three cases: one perfect, one moved by a voxel along x, one without its
    spleen."""
    references, predictions = tmp_path / "references", tmp_path / "predictions"
    truth = labels_of()
    missing = truth.copy()
    missing[missing == 2] = 0
    for case, found in (("a", truth), ("b", np.roll(truth, 1, axis=2)), ("c", missing)):
        write(truth, references / f"{case}_label.nii.gz")
        write(found, predictions / f"{case}.nrrd")
    return predictions, references


@pytest.fixture
def without_plots(monkeypatch):
    """Box plots take seconds; tests that are not of the page go without."""
    monkeypatch.setattr(evaluation_page, "box_plots", lambda summaries: "")


def run(folders, tmp_path, *options, output="out", pictures=0):
    predictions, references = folders
    options = [*options, "--pictures", str(pictures)]
    return main(["evaluate", str(predictions), str(references), "-o", str(tmp_path / output), *options])


def scores(folder):
    with open(folder / "cases.csv", encoding="utf-8", newline="") as file:
        return {(row["case"], row["structure"]): row for row in csv.DictReader(file)}


# --- surfaces by MONAI -------------------------------------------------------------------------------------


def random_masks(seed):
    rng = np.random.default_rng(seed)
    masks = [ndimage.binary_dilation(rng.random((9, 10, 12)) < 0.01, iterations=2) for _ in range(2)]
    masks[0][0, 4, 4] = masks[1][8, 5, 5] = True  # both touch the array's border
    return masks


@pytest.mark.parametrize("seed", range(4))
def test_distances_are_monais(seed):
    a, b = random_masks(seed)
    measured = {"include_background": True, "spacing": SPACING[::-1]}
    ours = surface_distances(a, b, SPACING)
    first, second = (torch.from_numpy(mask)[None, None] for mask in (a, b))
    mean = compute_average_surface_distance(first, second, symmetric=True, **measured)
    assert ours.mean == pytest.approx(float(mean), rel=1e-5)
    for percentile, value in ((None, ours.maximum), (95, ours.percentile95)):
        theirs = compute_hausdorff_distance(first, second, percentile=percentile, **measured)
        assert value == pytest.approx(float(theirs), rel=1e-5)


def plate(start, stop):
    mask = np.zeros((14, 40, 40), bool)
    mask[start:stop, 2:38, 2:38] = True
    return mask


def test_surface_dice_of_moved_plates():
    # two faces of 36 x 36 voxels each, moved by 6 mm: all lies within 6 mm, only edges within 2.9 mm
    a, b = plate(3, 6), plate(5, 8)
    assert normalised_surface_dice(a, b, SPACING, 6.0) == pytest.approx(1.0)
    assert normalised_surface_dice(a, b, SPACING, 2.9) < 0.25
    assert normalised_surface_dice(a, a, SPACING, 0.0) == 1.0


def test_surface_dice_takes_spacing_in_the_right_order():
    # moved along x, where voxels are 1.5 mm
    cube = np.zeros((16, 16, 16), bool)
    cube[4:10, 4:10, 4:10] = True
    moved = np.roll(cube, 2, axis=2)
    assert normalised_surface_dice(cube, moved, SPACING, 3.0) == pytest.approx(1.0)
    assert normalised_surface_dice(cube, moved, SPACING, 2.9) < 1.0
    lower = np.roll(cube, 2, axis=0)
    assert normalised_surface_dice(cube, lower, SPACING, 5.9) < 1.0
    assert normalised_surface_dice(cube, lower, SPACING, 6.0) == pytest.approx(1.0)


def test_surface_dice_does_not_depend_on_the_border():
    a, b = random_masks(11)
    inside = [np.pad(mask, 3) for mask in (a, b)]
    assert normalised_surface_dice(a, b, SPACING, 1.0) == pytest.approx(
        normalised_surface_dice(*inside, SPACING, 1.0)
    )
    nothing = np.zeros_like(a)
    assert normalised_surface_dice(nothing, nothing, SPACING, 1.0) == 1.0
    assert normalised_surface_dice(a, nothing, SPACING, 1.0) == 0.0


def test_surface_elements_have_the_area_of_the_face():
    # of two cubes that share all faces but one, moved far, just the far face lies outside the tolerance
    long, short = np.zeros((30, 30, 60), bool), np.zeros((30, 30, 60), bool)
    short[5:25, 5:25, 5:25] = True
    long[5:25, 5:25, 5:55] = True
    share = normalised_surface_dice(long, short, (1.0, 1.0, 1.0), 0.5)
    face, side = 400.0, 80.0
    total = (2 * face + side * 20) + (2 * face + side * 50)
    outside = face + side * 30 + face  # the long one's end and sides, the short one's end
    assert share == pytest.approx(1 - outside / total, abs=0.02)


# --- the command -------------------------------------------------------------------------------------------


def test_evaluate_writes_table_json_and_page(folders, tmp_path, without_plots, capsys):
    assert run(folders, tmp_path) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "evaluation.json", "cases.csv", "evaluation.html",
    }  # fmt: skip
    found = scores(tmp_path / "out")
    assert len(found) == 9 and float(found["a", "liver"]["dice"]) == 1.0
    assert float(found["a", "liver"]["assd_mm"]) == 0.0 and float(found["a", "spleen"]["surface_dice"]) == 1.0
    # 10 x 16 x 18 voxels moved by one: 17 of 18 shared
    assert float(found["b", "liver"]["dice"]) == pytest.approx(17 / 18, abs=1e-5)
    assert float(found["b", "liver"]["mssd_mm"]) == 1.5 and float(found["b", "liver"]["rvd_percent"]) == 0.0
    assert float(found["b", "liver"]["reference_ml"]) == pytest.approx(10 * 16 * 18 * 4.5e-3)
    assert "Means over the cases" in capsys.readouterr().out


def test_empty_masks_are_counted_and_left_out_of_distances(folders, tmp_path, without_plots):
    predictions, references = folders
    write(labels_of(spleen=False, tumour=False), references / "d_label.nii.gz")
    write(labels_of(spleen=True, tumour=False), predictions / "d.nrrd")
    assert run(folders, tmp_path) == 0
    found = scores(tmp_path / "out")
    assert found["c", "spleen"]["presence"] == "missed" and found["c", "spleen"]["assd_mm"] == ""
    assert float(found["c", "spleen"]["dice"]) == 0.0 and float(found["c", "spleen"]["rvd_percent"]) == -100.0
    assert found["d", "spleen"]["presence"] == "false" and found["d", "spleen"]["rvd_percent"] == ""
    assert found["d", "liver tumour"]["presence"] == "empty"
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    spleen = content["summary"][1]
    assert (spleen["cases_both"], spleen["cases_missed"], spleen["cases_false"]) == (2, 1, 1)
    assert spleen["metrics"]["dice"]["n"] == 3 and spleen["metrics"]["assd_mm"]["undefined"] == 1
    lesions = content["summary"][2]
    assert lesions["cases_empty"] == 1 and lesions["metrics"]["dice"]["n"] == 3
    assert lesions["lesions"]["iou_above_0.5"]["total"]["references"] == 3


def test_other_grids_are_resampled_with_a_note(folders, tmp_path, without_plots):
    predictions, _ = folders
    fine = sitk.Resample(
        image_of(labels_of()), (80, 30, 20), sitk.Transform(), sitk.sitkNearestNeighbor, (-0.375, 0, 0),
        (0.75, 1.0, 3.0),
    )  # fmt: skip
    write(fine, predictions / "a.nrrd")
    assert run(folders, tmp_path) == 0
    found = scores(tmp_path / "out")
    assert "resampled from 80 x 30 x 20" in found["a", "liver"]["notes"]
    assert float(found["a", "liver"]["dice"]) > 0.97
    assert "resampled" in (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")


def test_flipped_grids_are_matched_in_space(tmp_path):
    truth = image_of(labels_of())
    flipped = sitk.Flip(truth, (True, False, True))
    a = read_labels(write(truth, tmp_path / "a.nii.gz"))
    moved, _ = on_grid(read_labels(write(flipped, tmp_path / "b.nii.gz")), Grid.of(truth))
    assert np.array_equal(moved.array, a.array)


def test_cases_that_cannot_be_scored_are_named_and_the_others_go_on(folders, tmp_path, without_plots, capsys):
    predictions, references = folders
    write(image_of(labels_of(), origin=(500.0, 0.0, 0.0)), predictions / "a.nrrd")
    write(labels_of().astype(np.float32) + 0.5, predictions / "b.nrrd")
    write(labels_of(), references / "lonely.nii.gz")
    write(labels_of(), predictions / "extra.nrrd")
    assert run(folders, tmp_path) == 9
    said = " ".join(capsys.readouterr().err.split())
    assert '"a" was not scored: Prediction and reference lie at different places' in said
    assert '"b" was not scored' in said and "no whole numbers" in said
    assert '1 case has no prediction and took no part: "lonely"' in said and '"extra"' in said
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert [case["case"] for case in content["cases"]] == ["c"]
    assert [item["case"] for item in content["failed"]] == ["a", "b"]
    assert content["missing"] == ["lonely"] and content["extra"] == ["extra"]


def test_nothing_is_written_if_no_case_can_be_scored(folders, tmp_path, without_plots, capsys):
    predictions, _ = folders
    for case in "abc":
        (predictions / f"{case}.nrrd").write_bytes(b"NRRD0004\nnothing")
    assert run(folders, tmp_path) == 3
    assert "No case could be scored" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_files_of_others_are_not_overwritten(folders, tmp_path, without_plots):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cases.csv").write_text("mine")
    assert run(folders, tmp_path) == 7
    assert (tmp_path / "out" / "cases.csv").read_text(encoding="utf-8") == "mine"
    assert run(folders, tmp_path, output="twice") == 0 and run(folders, tmp_path, output="twice") == 0


def test_json_is_one_object(folders, tmp_path, without_plots, capsys):
    assert run(folders, tmp_path, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cases_scored"] == 3 and answer["definitions"]["dice"] and answer["versions"]["monai"]


def test_partial_annotation_is_left_out(folders, tmp_path, without_plots):
    predictions, references = folders
    entries = [
        {"id": case, "label": f"{case}_label.nii.gz", "annotated": names, "split": "val"}
        for case, names in (("a", ["liver"]), ("b", ["liver", "spleen"]), ("c", ["kidney"]))
    ]
    (references / "dataset.json").write_text(json.dumps({"cases": entries}))
    assert run(folders, tmp_path, "--split", "val") == 9
    assert set(scores(tmp_path / "out")) == {("a", "liver"), ("b", "liver"), ("b", "spleen")}
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert "annotates none of liver" in content["failed"][0]["reason"]


def test_other_values_and_fewer_structures(folders, tmp_path, without_plots):
    predictions, references = folders
    for case in "abc":
        labels = np.where(np.isin(labels_of(), (1, 3)), 63, 0).astype(np.uint8)
        write(labels, references / f"{case}_label.nii.gz")
    options = ("--labels", "liver=63", "--prediction-labels", "liver=1+3", "--structures", "liver")
    assert run(folders, tmp_path, *options) == 0
    found = scores(tmp_path / "out")
    assert set(found) == {(case, "liver") for case in "abc"} and float(found["a", "liver"]["dice"]) == 1.0


def test_lits_and_chaos_stand_in_json_and_page(folders, tmp_path, without_plots):
    assert run(folders, tmp_path, "--lits", "--chaos") == 0
    content = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert content["lits"]["liver"]["dice_per_case"] == pytest.approx((1 + 17 / 18 + 1) / 3)
    assert content["lits"]["detection"]["iou_above_0.5"]["true_positives"] == 3
    assert content["summary"][0]["chaos"]["points_dice"] == pytest.approx(100 * (1 + 17 / 18 + 1) / 3)
    page = (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")
    assert "<h2>LiTS</h2>" in page and "<h2>CHAOS</h2>" in page
    assert run(folders, tmp_path, "--lits", "--structures", "liver") == 2


def test_page_shows_worst_cases_first_and_needs_nothing_from_outside(folders, tmp_path):
    _, references = folders
    for case in "abc":
        ct = np.where(labels_of() > 0, 110, -80).astype(np.int16)
        write(ct, references / f"{case}.nii.gz")
    assert run(folders, tmp_path, "--images", str(references), pictures=3) == 0
    page = (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")
    captions = re.findall(r"<figcaption><b>(\w+)</b>", page)
    assert captions == list("bac") + list("cba") + list("bac")
    assert page.count("data:image/jpeg;base64,") == 9 and page.count("<svg") == 7
    assert not re.search(r'(?:src|href)="(?!data:|#)', page) and "<script" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "var(--ink)" in page and "Liver tumor" in page and "prefers-color-scheme:dark" in page


def test_names_cannot_break_the_page(folders, tmp_path):
    predictions, references = folders
    for case in "bc":
        (references / f"{case}_label.nii.gz").unlink(), (predictions / f"{case}.nrrd").unlink()
    write(labels_of(), references / "x<b>&.nii.gz")
    write(labels_of(), predictions / "x<b>&.nii.gz")
    assert run(folders, tmp_path, "--structures", "liver", pictures=2) == 0
    page = (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")
    assert "x<b>&" not in page and "x&lt;b&gt;&amp;" in page


def test_dicom_folders_and_results_of_liverseg_are_read(tmp_path):
    labels = labels_of()
    write(labels, tmp_path / "references" / "p1.mha")
    write(labels, tmp_path / "predictions" / "p1" / "segmentation.nii.gz")
    write(labels, tmp_path / "references" / "p2.mha")
    write_series(labels, tmp_path / "predictions" / "p2")
    matched = match_cases(find_cases(tmp_path / "predictions"), find_cases(tmp_path / "references"))
    found = evaluate(matched, Settings(LIVERSEG, surface_dice=False))
    assert [case.of("liver").metrics["dice"] for case in found.cases] == [1.0, 1.0]


def write_series(labels, folder):
    folder.mkdir(parents=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z, plane in enumerate(labels):
        image = sitk.GetImageFromArray(plane[None])
        image.SetSpacing(SPACING)
        tags = {
            "0008|0060": "CT",
            "0008|0018": f"1.2.3.{z + 1}",
            "0020|000e": "1.2.3",
            "0020|0032": f"0\\0\\{z * SPACING[2]}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(z + 1),
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{z:03d}.dcm"))
        writer.Execute(image)


def test_order_and_processes_do_not_matter(folders):
    matched = match_cases(*(find_cases(folder) for folder in folders))
    settings = Settings(LIVERSEG, surface_dice=False)
    shuffled = type(matched)(matched.pairs[::-1], (), ())
    told = []
    one = evaluate(matched, settings, progress=lambda done, count, case: told.append((done, count, case)))
    assert told == [(0, 3, "a"), (1, 3, "b"), (2, 3, "c")]
    assert evaluate(shuffled, settings) == one and evaluate(matched, settings, jobs=2) == one
    spleen = summarise(one)[1]
    assert [case for case, _ in spleen.scores] == ["c", "b", "a"] and spleen.pooled.dice < 1.0


def test_a_file_that_is_gone_is_a_failure_of_its_case(folders):
    matched = match_cases(*(find_cases(folder) for folder in folders))
    gone = (matched.pairs[0][0], CaseFile("a", matched.pairs[0][1].path.with_name("gone.nrrd")))
    found = evaluate(
        type(matched)((gone, *matched.pairs[1:]), (), ()), Settings(LIVERSEG, surface_dice=False)
    )
    assert [item.case for item in found.failed] == ["a"] and "There is no file" in found.failed[0].reason


# --- compare -----------------------------------------------------------------------------------------------


@pytest.fixture
def two_results(tmp_path, without_plots):
    """Results A and B on eight cases: B draws the liver exactly, A misses a growing part; B has no case h, A
    has no case i."""
    truth = labels_of()
    for number, case in enumerate("abcdefghi"):
        short = truth.copy()
        short[4 : 5 + number % 4, :, :22] = 0
        write(truth, tmp_path / "references" / f"{case}.nii.gz")
        if case != "i":
            write(short, tmp_path / "A" / f"{case}.nii.gz")
        if case != "h":
            write(truth, tmp_path / "B" / f"{case}.nii.gz")
    for name in "AB":
        options = ["--quiet", "--pictures", "0", "--structures", "liver,spleen"]
        folders = [str(tmp_path / name), str(tmp_path / "references")]
        assert main(["evaluate", *folders, "-o", str(tmp_path / f"result{name}"), *options]) == 9
    return tmp_path / "resultA", tmp_path / "resultB"


def test_compare_says_which_is_better(two_results, tmp_path, capsys):
    first, second = two_results
    assert main(["compare", str(first), str(second), "-o", str(tmp_path / "compared"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cases"] == list("abcdefg") and answer["only_a"] == ["h"] and answer["only_b"] == ["i"]
    dice = answer["comparisons"][0]
    assert dice["metric"] == "dice" and dice["wins"] == 7 and dice["test"]["rank_biserial"] == 1.0
    assert dice["test"]["p_value"] == pytest.approx(2 / 2**7)
    assert dice["p_holm"] == pytest.approx(min(1.0, 14 * 2 / 2**7))
    spleen = next(item for item in answer["comparisons"] if item["structure"] == "spleen")
    assert spleen["ties"] == 7 and spleen["test"]["p_value"] == 1.0
    assert answer["verdicts"][0].startswith("Liver, Dice: no difference shown: 7 cases")
    volumes = answer["volumes"][0]["bland_altman"]
    assert volumes["bias"] > 0 and volumes["lower"] < volumes["bias"] < volumes["upper"]
    page = (tmp_path / "compared" / "comparison.html").read_text(encoding="utf-8")
    assert "B against A" in page and page.count("<svg") == 2 and "no difference shown" in page
    assert "1 case is in A only and left out" in page
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', page)[:11]
    assert heads[1:5] == ["Cases", "A", "B", "Difference"] and heads[-1] == "p corrected"


def test_table_and_json_compare_alike(two_results):
    first, second = two_results
    one = compare_results(read_result(first), read_result(second))
    other = compare_results(read_result(first / "cases.csv"), read_result(second / "cases.csv"))
    for ours, theirs in zip(one.metrics, other.metrics):
        assert ours.metric == theirs.metric and ours.paired.mean == pytest.approx(
            theirs.paired.mean, abs=1e-3
        )
        assert ours.paired.test.p_value == pytest.approx(theirs.paired.test.p_value)


def test_a_difference_is_said_in_words(two_results):
    first, second = (read_result(path) for path in two_results)
    found = compare_results(first, second)
    shown = [item for item in found.metrics if item.structure == "liver"][0]
    said = type(shown)(**{**vars(shown), "p_holm": 0.01}).sentence("old", "new")
    assert re.match(r"Liver, Dice: new is better by 0\.\d{4} on average, 95 % interval 0\.\d+ to", said)
    worse = compare_results(second, first).metrics[0]
    said = type(worse)(**{**vars(worse), "p_holm": 0.01}).sentence("old", "new")
    assert "old is better by 0." in said and "−" not in said


def test_what_is_no_result_is_refused(tmp_path, capsys):
    (tmp_path / "x.json").write_text('{"cases": 3}')
    assert main(["compare", str(tmp_path / "x.json"), str(tmp_path / "x.json")]) == 3
    assert "is no result of" in " ".join(capsys.readouterr().err.split())
    assert main(["compare", str(tmp_path), str(tmp_path / "x.json")]) == 3
