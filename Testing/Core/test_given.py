"""Segmentations that LiverSeg did not make, handed over by another program: masks, and who drew them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from fatty_phantom import fatty_scan
from test_worker import doubles

from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.given_result import measured
from LiverSegLib.images import read_scan
from LiverSegLib.images.grid import Grid
from LiverSegLib.report import build_report
from LiverSegLib.report.review import made
from LiverSegLib.review import Given, Review, SegmentChange
from LiverSegLib.segmentations.contours import Contour
from LiverSegLib.segmentations.in_memory import HeldSegment, mask_of_held
from LiverSegLib.sentences import restored
from LiverSegLib.worker import given_tasks
from LiverSegLib.worker.context import TaskContext
from LiverSegLib.worker.given_messages import GivenSegment, TakeSegmentation
from LiverSegLib.worker.tasks import work_off

GRID = Grid((40, 32, 12), (0.8, 0.9, 2.5), (-20.0, 30.0, 100.0), doubles.OBLIQUE)


@pytest.fixture(scope="module")
def truth():
    """Liver with a tumor in it, spleen; uint8 (12, 32, 40)."""
    labels = np.zeros(GRID.shape, np.uint8)
    labels[2:9, 6:25, 5:22] = 1
    labels[3:7, 10:20, 28:36] = 2
    labels[4:6, 10:14, 8:13] = 3
    return labels


def held(labels, grid=GRID, liver=(1, 3)):
    return [
        HeldSegment("Leber", "liver", np.isin(labels, liver), grid),
        HeldSegment("Milz", "spleen", labels == 2, grid),
        HeldSegment("Herd", "tumor", labels == 3, grid),
        HeldSegment("Haut", "none", labels == 0, grid),
    ]


def taken(segments, grid=GRID):
    given = mask_of_held(segments, grid, "Mine", "segmentation in 3D Slicer")
    return sitk.GetArrayFromImage(given.labels), [warning.key for warning in given.warnings], given


class TestVoxels:
    def test_voxels_of_the_scan_stay_as_they_are(self, truth):
        labels, said, given = taken(held(truth))
        assert np.array_equal(labels, truth) and said == []
        assert given.used == (("Leber", "liver"), ("Milz", "spleen"), ("Herd", "tumour"))
        assert (given.left_out, given.kind) == (("Haut",), "segmentation in 3D Slicer")

    def test_a_part_of_the_scan_is_put_where_it_lies(self, truth):
        box = (slice(2, 9), slice(6, 25), slice(5, 40))
        labels, said, _given = taken(held(truth[box], GRID.crop(box)))
        assert np.array_equal(labels, truth) and said == []

    def test_another_grid_is_resampled_with_a_sentence(self, truth):
        fine = replace(GRID, size=(80, 64, 12), spacing=(0.4, 0.45, 2.5), origin=tuple(
            GRID.points([(-0.25, -0.25, 0.0)])[0].tolist()
        ))  # fmt: skip
        labels, said, _given = taken(held(truth.repeat(2, axis=1).repeat(2, axis=2), fine))
        assert said == ["segmentation.resampled"]
        assert np.count_nonzero(labels != truth) < 0.05 * np.count_nonzero(truth)

    def test_two_segments_become_one_structure(self, truth):
        left, right = np.isin(truth, (1, 3)), np.isin(truth, (1, 3))
        left[..., 12:], right[..., :12] = False, False
        segments = [HeldSegment("A", "liver", left, GRID), HeldSegment("A", "liver", right, GRID)]
        assert np.array_equal(taken(segments)[0], np.isin(truth, (1, 3)))

    def test_what_lies_beyond_the_scan_is_counted(self, truth):
        below = replace(GRID, origin=tuple(GRID.points([(0.0, 0.0, -4.0)])[0].tolist()))
        labels, said, given = taken(held(truth, below)[:1])
        assert np.array_equal(labels[:5], np.isin(truth, (1, 3))[4:9]) and not labels[5:].any()
        assert said == ["segmentation.outside"] and "29 %" in given.warnings[0]

    def test_elsewhere_empty_and_without_a_liver(self, truth):
        away = replace(GRID, origin=(900.0, 900.0, 900.0))
        with pytest.raises(InputError, match="Mine does not lie within the scan"):
            taken(held(truth, away))
        nothing = [HeldSegment("Leber", "liver", np.zeros((2, 2, 2), bool), GRID)]
        for segments in (nothing, [HeldSegment("Leber", "liver")]):
            with pytest.raises(InputError, match="its segments are empty"):
                taken(segments)
        with pytest.raises(InputError, match="No segment of Mine is known as the liver"):
            taken(held(truth)[1:])
        with pytest.raises(UsageError, match="no structure kidney"):
            taken([HeldSegment("Leber", "kidney", truth == 1, GRID)])


class TestTumors:
    def test_a_liver_without_its_tumors_is_said(self, truth):
        labels, said, _given = taken(held(truth, liver=(1,)))
        assert np.array_equal(labels, truth) and said == ["segmentation.liver-without-tumors"]

    def test_tumors_away_from_the_liver_are_said(self, truth):
        odd = truth.copy()
        odd[9:11, 28:31, 34:38] = 3
        segments = [held(truth)[0], *held(odd)[1:]]
        labels, said, given = taken(segments)
        assert said == ["segmentation.loose-tumors"] and "0.04 ml" in given.warnings[0]
        assert np.array_equal(labels, odd)

    def test_liver_wins_over_spleen_and_says_so(self, truth):
        segments = held(truth)
        big = segments[1].voxels.copy()
        big[3:7, 6:25, 10:36] = True
        labels, said, _given = taken([segments[0], replace(segments[1], voxels=big)])
        assert said == ["segmentation.overlap"] and (labels[3:7, 6:25, 10:22] == 1).all()


def ring(z, low, high):
    """A square contour in a slice, LPS mm."""
    corners = [(low, low), (low, high), (high, high), (high, low)]
    return GRID.points([(x, y, z) for y, x in corners])


class TestContours:
    def test_contours_are_those_of_a_structure_set(self):
        contours = tuple(Contour(ring(z, 4.5, 15.5)) for z in range(3, 8))
        labels, said, _given = taken([HeldSegment("Leber", "liver", contours=contours)])
        expected = np.zeros(GRID.shape, np.uint8)
        expected[3:8, 5:16, 5:16] = 1
        assert np.array_equal(labels, expected) and said == []

    def test_contours_elsewhere_are_not_empty_ones(self):
        away = Contour(ring(3, 4.5, 15.5) + 900.0)
        with pytest.raises(InputError, match="does not lie within the scan"):
            taken([HeldSegment("Leber", "liver", contours=(away,))])


def test_a_closed_surface_holds_the_voxels_whose_centres_lie_within():
    pytest.importorskip("vtk")
    from LiverSegLib.surfaces import surface, surface_arrays
    from LiverSegLib.surfaces.voxels import voxels_inside

    z, y, x = np.indices((30, 40, 50))
    ball = ((z - 14) ** 2 / 100 + (y - 20) ** 2 / 150 + (x - 25) ** 2 / 200 < 1).astype(np.uint8)
    grid = Grid((50, 40, 30), (1.0, 1.1, 1.5), (3.0, -8.0, 40.0), doubles.OBLIQUE)
    points, triangles = surface_arrays(surface(grid.image(ball), (1,)))
    found = voxels_inside(points, triangles, grid)
    assert 2 * np.count_nonzero(found & (ball == 1)) / (found.sum() + ball.sum()) > 0.99
    box = (slice(0, 15), slice(0, 40), slice(0, 50))
    assert np.array_equal(voxels_inside(points, triangles, grid.crop(box)), found[:15])
    assert not voxels_inside(points + 500, triangles, grid).any()


@pytest.fixture(scope="module")
def case():
    return fatty_scan()


@pytest.fixture
def desk(tmp_path, case):
    """The worker's side of it: a function that takes segments and returns summary and labels."""
    image, labels = case
    np.save(tmp_path / "voxels.npy", sitk.GetArrayFromImage(image))
    np.save(tmp_path / "labels.npy", sitk.GetArrayFromImage(labels))
    told = []
    context = TaskContext(
        tmp_path, lambda *facts: told.append(facts), lambda: False, lambda *names: pytest.fail("no model")
    )

    def take(segments, **more):
        request = TakeSegmentation(
            "t", str(tmp_path / "voxels.npy"), Grid.of(image), tuple(segments), "Hers", "a kind", **more
        )
        reply = work_off(request, context)
        summary = restored(json.loads((tmp_path / "result-t" / reply.summary).read_text(encoding="utf-8")))
        return summary, np.load(tmp_path / "result-t" / reply.labels), reply, told

    take.file, take.grid = str(tmp_path / "labels.npy"), Grid.of(labels)
    return take


def test_the_worker_measures_what_was_handed_over_and_says_whose_it_is(desk, case):
    parts = [
        GivenSegment("Leber", "liver", desk.file, desk.grid, 1),
        GivenSegment("Milz", "spleen", desk.file, desk.grid, 2),
        GivenSegment("Herd", "tumor", desk.file, desk.grid, 3),
        GivenSegment("Haut", "none"),
    ]
    summary, labels, reply, told = desk(
        parts, made="manual", drawn_on="Other CT", description="Abdomen nativ", surfaces=False
    )
    expected = measured(read_scan(case[0]), mask_of_held(
        held(sitk.GetArrayFromImage(case[1]), Grid.of(case[1])), Grid.of(case[0]), "Hers", "a kind"
    ), {})  # fmt: skip
    assert np.array_equal(labels, sitk.GetArrayFromImage(case[1])) and reply.surfaces == ()
    found = summary["measurements"]
    assert found["organs"] == restored(expected.measurements.to_dict())["organs"]
    assert summary["provenance"]["labels"] == {
        "name": "Hers", "made": "manual", "kind": "a kind",
        "segments": {"Leber": "liver", "Milz": "spleen", "Herd": "tumour"}, "left_out": ["Haut"],
    }  # fmt: skip
    assert "model" not in summary["provenance"] and summary["review"] == {"state": "given"}
    assert summary["warnings"][0] == "Hers was drawn on Other CT, not on this scan."
    fractions = [fact[0] for fact in told]
    assert fractions == sorted(fractions) and len(fractions) >= 4


def test_a_structure_that_nobody_drew_is_not_absent(desk):
    summary, *_ = desk([GivenSegment("Leber", "liver", desk.file, desk.grid, 1)], surfaces=False)
    organs = {organ["key"]: organ for organ in summary["measurements"]["organs"]}
    assert organs["spleen"]["segmented"] is False and organs["liver"].get("segmented", True)


@pytest.mark.parametrize("change", [{"grid": None}, {"labels": "nowhere.npy"}])
def test_what_cannot_be_read_is_refused(desk, change):
    part = replace(GivenSegment("Leber", "liver", desk.file, desk.grid, 1), **change)
    with pytest.raises((UsageError, InputError)):
        desk([part])


def test_triangles_of_points_that_are_not_there_are_refused(tmp_path):
    np.save(tmp_path / "p.npy", np.zeros((3, 3), np.float32))
    np.save(tmp_path / "t.npy", np.array([[0, 1, 3]], np.int32))
    part = GivenSegment("L", "liver", points=str(tmp_path / "p.npy"), triangles=str(tmp_path / "t.npy"))
    context = TaskContext(tmp_path, lambda *facts: None, lambda: False, lambda *names: None)
    with pytest.raises(UsageError):
        given_tasks._held(part, GRID, context)


def test_the_report_says_whose_mask_it_is(case):
    grid = Grid.of(case[0])
    given = mask_of_held(held(sitk.GetArrayFromImage(case[1]), grid), grid, "Hers <&>", "a kind")
    result = measured(read_scan(case[0]), given, {"name": "Hers <&>", "made": "automatic"})
    told = {"image": case[0], "labels": result.labels, "measurements": result.measurements}
    change = SegmentChange("spleen", -1.0, 0.9)
    for review, words in (
        (result.review, "Given segmentation, not reviewed"),
        (Review("edited", changes=(change,)), "Changes to the given segmentation"),
        (Review("accepted", "Dr. Weber"), "then accepted by a reader"),
    ):
        page = build_report(**told, provenance=result.provenance, review=review)
        assert words in page and "Given segmentation Hers &lt;&amp;&gt;" in page
        assert "LiverSeg did not draw it" in page and "by a program" in page and "Leber as liver" in page
        assert "Made automatically" not in page and "model" not in page.lower().split("<body")[1]


def test_the_sentence_on_who_answers_for_the_numbers():
    given = Given("Hers")
    for review in (None, Review("given"), Review("edited"), Review("accepted")):
        assert "given to LiverSeg" in made(review, given) and "utomatic" not in made(review, given)
