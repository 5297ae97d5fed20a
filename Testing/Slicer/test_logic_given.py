"""A segmentation that LiverSeg did not make becomes a result: its numbers, and whose it is; hers stays."""

import tempfile

import given_samples as samples
import logic_doubles
import numpy as np
import pytest
from logic_doubles import Ending, Told, addVolume, command


@pytest.fixture(scope="module")
def worker(slicerSession, tmp_path_factory):
    """A worker that the tests share; in the end nothing is left of it on the disk."""
    from LiverSegSlicer.work.worker_process import WorkerProcess

    place = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place))
        patch.setattr(tempfile, "tempdir", str(place))
        made = WorkerProcess(command())
        yield made
        made.quit()
    assert list(place.iterdir()) == []


@pytest.fixture
def logic(host, scene, worker):
    from LiverSegSlicer.logic import Logic

    yield Logic(worker)
    host.settle(0.02)
    assert worker.occupant is None and logic_doubles.leftFiles(worker) == set()


@pytest.fixture
def truth():
    import doubles

    return doubles.labels_array()


def printOf(segmentationNode):
    """All of a segmentation that must stay as it is."""
    from LiverSegSlicer.scene import fingerprint

    segmentation = segmentationNode.GetSegmentation()
    names = []
    for segmentID in segmentation.GetSegmentIDs():
        found = []
        segmentation.GetSegment(segmentID).GetContainedRepresentationNames(found)
        names.append((segmentID, tuple(found)))
    return fingerprint.fingerprintOf(segmentationNode), names, segmentationNode.GetName()


def labelsOf(node, volumeNode):
    from LiverSegSlicer.scene import segments

    return segments.labelsOf(node, volumeNode)


def warningsOf(node):
    from LiverSegSlicer.scene import parts

    return [str(text) for text in parts.summaryOf(node)["warnings"]]


class TestResult:
    def test_label_maps_become_a_result_of_its_own_and_hers_stays(self, logic, truth):
        from LiverSegSlicer.scene import parts, review

        volumeNode, told = addVolume(), Told()
        node = samples.hers(volumeNode, truth)
        before = printOf(node)
        result = logic.measureSegmentation(node, volumeNode, made="manual", progress=told)
        assert result is not node and parts.isResult(result) and not parts.isResult(node)
        assert np.array_equal(labelsOf(result, volumeNode), truth) and printOf(node) == before
        assert list(result.GetSegmentation().GetSegmentIDs()) == ["liver", "spleen", "tumour"]
        assert result.GetSegmentation().ContainsRepresentation("Closed surface")
        assert result.GetName() == "CT segmentation from Hers"
        summary = parts.summaryOf(result)
        assert summary["provenance"]["labels"] == {
            "name": "Hers", "made": "manual", "kind": "segmentation in 3D Slicer",
            "segments": {"Leber": "liver", "Milz": "spleen", "Läsion 1": "tumour"}, "left_out": ["Haut"],
        }  # fmt: skip
        assert "model" not in summary["provenance"] and review.reviewOf(result).state == review.GIVEN
        assert parts.part(result, parts.LESIONS_TABLE).GetNumberOfRows() == 1
        assert told.fractions == sorted(told.fractions) and "Taking the segmentation over" in told.texts

    def test_it_is_measured_as_the_file_of_it_would_be(self, logic, truth, tmp_path):
        import slicer

        import LiverSegLib
        from LiverSegLib.sentences import restored
        from LiverSegSlicer.scene import parts

        volumeNode = addVolume()
        node = samples.hers(volumeNode, truth)
        scan, file = str(tmp_path / "ct.nrrd"), str(tmp_path / "a.seg.nrrd")
        assert slicer.util.saveNode(volumeNode, scan) and slicer.util.saveNode(node, file)
        expected = LiverSegLib.measure_segmentation(scan, file).measurements.to_dict()
        found = parts.summaryOf(logic.measureSegmentation(node, volumeNode))["measurements"]
        assert [organ["volume_ml"] for organ in found["organs"]] == [
            pytest.approx(organ["volume_ml"]) for organ in restored(expected)["organs"]
        ]

    def test_contours_of_a_structure_set(self, logic, truth):
        volumeNode = addVolume()
        rings = dict.fromkeys(range(3, 9), (6, 20))
        node = samples.addContours(samples.addSegmentation(), volumeNode, "Leber", rings)
        before = printOf(node)
        labels = labelsOf(logic.measureSegmentation(node, volumeNode), volumeNode)
        expected = np.zeros_like(labels)
        expected[3:9, 6:21, 6:21] = 1
        assert np.array_equal(labels, expected) and printOf(node) == before

    @pytest.mark.parametrize("cells", ["triangles", "quads"])
    def test_a_surface_alone(self, logic, cells):
        import vtk

        volumeNode = addVolume()
        matrix = vtk.vtkMatrix4x4()
        volumeNode.GetIJKToRASMatrix(matrix)
        cube = vtk.vtkCubeSource()
        cube.SetBounds(5.5, 20.5, 7.5, 22.5, 3.5, 8.5)
        turn, place = vtk.vtkTransformPolyDataFilter(), vtk.vtkTransform()
        place.SetMatrix(matrix)
        turn.SetTransform(place)
        turn.SetInputConnection(cube.GetOutputPort())
        last = turn
        if cells == "triangles":
            last = vtk.vtkTriangleFilter()
            last.SetInputConnection(turn.GetOutputPort())
        last.Update()
        node = samples.addShape(samples.addSegmentation(), "Leber", "Closed surface", last.GetOutput())
        labels = labelsOf(logic.measureSegmentation(node, volumeNode), volumeNode)
        expected = np.zeros_like(labels)
        expected[4:9, 8:23, 6:21] = 1
        assert np.array_equal(labels, expected)

    def test_under_transforms_of_both(self, logic, truth):
        import scene_samples
        import slicer

        volumeNode = addVolume()
        node = samples.hers(volumeNode, truth)
        moved = scene_samples.addTransform(scene_samples.MOVED)
        volumeNode.SetAndObserveTransformNodeID(moved.GetID())
        node.SetAndObserveTransformNodeID(moved.GetID())
        result = logic.measureSegmentation(node, volumeNode)
        assert np.array_equal(labelsOf(result, volumeNode), truth)
        node.SetAndObserveTransformNodeID(None)
        node.GetSegmentation().ApplyLinearTransform(_matrixOf(moved))
        result = logic.measureSegmentation(node, volumeNode)
        assert np.array_equal(labelsOf(result, volumeNode), truth)
        bending = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", "bend")
        node.SetAndObserveTransformNodeID(bending.GetID())
        with pytest.raises(Exception, match="non-linear transform bend"):
            logic.measureSegmentation(node, volumeNode)

    def test_another_grid_and_another_scan_are_said(self, logic, truth):
        import slicer

        volumeNode = addVolume()
        other = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, volumeNode, "Other CT")
        matrix = _matrixOf(other)
        for row in range(3):
            matrix.SetElement(row, 3, matrix.GetElement(row, 3) + 0.4 * matrix.GetElement(row, 0))
        other.SetIJKToRASMatrix(matrix)
        node = samples.hers(other, truth)
        said = warningsOf(logic.measureSegmentation(node, volumeNode))
        assert "Hers was drawn on Other CT, not on this scan." in said
        assert any("was resampled: volumes may differ a little" in text for text in said)


def _matrixOf(node):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    if node.IsA("vtkMRMLTransformNode"):
        node.GetMatrixTransformToParent(matrix)
        place = vtk.vtkTransform()
        place.SetMatrix(matrix)
        return place
    node.GetIJKToRASMatrix(matrix)
    return matrix


class TestRoles:
    @pytest.mark.parametrize(
        ("roles", "sentence"),
        [
            ({"Leber": "none"}, "No segment is the liver: say which one is."),
            ({"Niere": "liver"}, "has no segment Niere. It has: Leber, Milz"),
            ({"Leber": "kidney"}, "no structure kidney; choose one of: liver, spleen, tumor, none"),
        ],
    )
    def test_what_cannot_be_meant_is_said(self, logic, truth, roles, sentence):
        from LiverSegLib.errors import UsageError

        volumeNode = addVolume()
        node = samples.hers(volumeNode, truth)
        with pytest.raises(UsageError, match=sentence):
            logic.measureSegmentation(node, volumeNode, roles)


class TestRefused:
    def test_elsewhere_empty_and_ours(self, logic, truth):
        import slicer

        from LiverSegLib.errors import InputError, UsageError

        volumeNode, counts = addVolume(), None
        node = samples.hers(volumeNode, truth)
        result = logic.measureSegmentation(node, volumeNode)
        counts = logic_doubles.nodeCounts()
        with pytest.raises(UsageError, match="that LiverSeg has not made itself"):
            logic.measureSegmentation(result, volumeNode)
        empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Empty")
        with pytest.raises(UsageError, match="Choose a segmentation with segments"):
            logic.measureSegmentation(empty, volumeNode)
        empty.GetSegmentation().AddEmptySegment("", "Leber")
        with pytest.raises(InputError, match="What was chosen of Empty holds nothing"):
            logic.measureSegmentation(empty, volumeNode)
        slicer.mrmlScene.RemoveNode(empty)
        away = slicer.modules.volumes.logic().CloneVolume(slicer.mrmlScene, volumeNode, "Away")
        away.SetOrigin(900, 900, 900)
        apart = samples.hers(away, truth, "Apart")
        with pytest.raises(InputError, match="Apart does not lie within the scan"):
            logic.measureSegmentation(apart, volumeNode)
        for node in (apart, away):
            slicer.mrmlScene.RemoveNode(node)
        assert logic_doubles.nodeCounts() == counts

    def test_what_changes_meanwhile_ends_it_and_so_does_cancel(self, host, logic, truth):
        from LiverSegLib.errors import CancelledError, InputChangedError

        volumeNode = addVolume()
        node = samples.hers(volumeNode, truth)
        counts = logic_doubles.nodeCounts()

        def ends(act):
            ending, runs = Ending(), []
            told = Told("Handing the segmentation over", lambda: act(runs[0]))
            runs.append(logic.measureSegmentationAsync(node, volumeNode, progress=told, completed=ending))
            host.waitFor(ending.happened, 60)
            host.settle(0.05)
            return ending.only()[1]

        assert isinstance(ends(lambda run: run.cancel()), CancelledError)
        remove = node.GetSegmentation().RemoveSegment
        assert isinstance(
            ends(lambda run: remove("Segment_4") or remove(_idOf(node, "Haut"))), InputChangedError
        )
        assert logic_doubles.nodeCounts() == counts
        assert logic.measureSegmentation(node, volumeNode) is not None


def _idOf(node, name):
    return node.GetSegmentation().GetSegmentIdBySegmentName(name)


class TestAgain:
    def test_only_its_own_untouched_result_is_replaced(self, logic, truth):
        from LiverSegSlicer.scene import parts

        volumeNode = addVolume()
        automatic = logic.segment(volumeNode)
        node, second = samples.hers(volumeNode, truth), samples.hers(volumeNode, truth, "Second")
        result = logic.measureSegmentation(node, volumeNode)
        other = logic.measureSegmentation(second, volumeNode)
        assert len({automatic, result, other}) == 3
        assert logic.measureSegmentation(node, volumeNode) is result
        assert logic.segment(volumeNode) is automatic, "hers is never replaced by a run"
        assert logic.measureSegmentation(node, volumeNode, replaceUntouched=False) is not result
        spleen = result.GetSegmentation().GetSegment("spleen")
        spleen.SetName("Milz")
        assert logic.measureSegmentation(second, volumeNode) is other
        assert len([item for item in parts.allResults() if parts.volumeOf(item) is volumeNode]) == 4

    def test_an_edited_one_is_kept_and_says_that_it_was_given(self, logic, truth):
        import slicer

        from LiverSegSlicer.scene import parts, review

        volumeNode = addVolume()
        node = samples.hers(volumeNode, truth)
        result = logic.measureSegmentation(node, volumeNode)
        mask = (truth == 2).astype(np.uint8)
        mask[: int(np.median(np.nonzero(mask)[0]))] = 0
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, result, "spleen", volumeNode)
        logic.measure(result)
        assert review.reviewOf(result).state == review.EDITED
        assert parts.summaryOf(result)["provenance"]["labels"]["name"] == "Hers"
        assert logic.measureSegmentation(node, volumeNode) is not result


class TestWhatFollows:
    @pytest.mark.slow
    def test_the_report_says_whose_mask_it_is(self, logic, truth, tmp_path):
        import json

        volumeNode = addVolume()
        result = logic.measureSegmentation(samples.hers(volumeNode, truth), volumeNode, made="automatic")
        page = logic.report(result, tmp_path / "case").read_text(encoding="utf-8")
        assert "Given segmentation Hers" in page and "LiverSeg did not draw it" in page
        assert "Given segmentation, not reviewed" in page and "by a program" in page
        assert "Made automatically" not in page and "Hash of the model" not in page
        content = json.loads((tmp_path / "case" / "measurements.json").read_text(encoding="utf-8"))
        assert content["review"]["state"] == "given"

    def test_it_is_saved_with_the_scene(self, host, logic, truth, tmp_path):
        import slicer

        from LiverSegSlicer.scene import given, parts, review

        volumeNode = addVolume()
        logic.measureSegmentation(samples.hers(volumeNode, truth), volumeNode)
        path = str(tmp_path / "scene.mrb")
        assert slicer.util.saveScene(path)
        slicer.mrmlScene.Clear()
        slicer.util.loadScene(path)
        (result,) = parts.allResults()
        (node,) = given.givenSegmentations()
        assert review.reviewOf(result).state == review.GIVEN and given.isOf(result, node)
        assert logic.measureSegmentation(node, parts.volumeOf(result)) is result

    def test_there_is_nothing_to_explain(self, logic, truth):
        from LiverSegLib.errors import UsageError

        volumeNode = addVolume()
        result = logic.measureSegmentation(samples.hers(volumeNode, truth), volumeNode)
        with pytest.raises(UsageError, match="No model drew the lesions"):
            logic.explainLesion(result, 1)

    def test_it_is_corrected_like_any_other(self, logic, truth):
        volumeNode = addVolume()
        result = logic.measureSegmentation(samples.hers(volumeNode, truth), volumeNode)
        labels = labelsOf(result, volumeNode)
        point = np.argwhere(labels == 2)[0]
        ras = _pointOf(volumeNode, point)
        logic.refine(result, "spleen", exclude=[ras])
        assert labelsOf(result, volumeNode)[tuple(point)] != 2


def _pointOf(volumeNode, zyx):
    return list(_matrixOf(volumeNode).MultiplyPoint((*(float(n) for n in zyx[::-1]), 1.0))[:3])
