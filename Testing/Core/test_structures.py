"""Structures beyond liver, spleen and tumours: chosen, measured, written, reported, handed over."""

import csv
import json
import tracemalloc
from dataclasses import replace

import doubles
import foreign_double
import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib.cli.segment import chosen_structures
from LiverSegLib.cli.structures_view import structure_lines
from LiverSegLib.errors import InputError, UsageError
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.measure.structures import StructureVolume, measure_structures
from LiverSegLib.outputs import check_output_folder, write_results
from LiverSegLib.report.structures import structures_section
from LiverSegLib.structures import Structure, Structures, chosen, further, keep
from LiverSegLib.worker import protocol, scratch
from LiverSegLib.worker.context import TaskContext
from LiverSegLib.worker.tasks import report, work_off

MANY = ["liver", "spleen", *(f"bone_{number}" for number in range(115)), "portal_vein"]
"""118 classes, as the largest model in use has."""


def many_structures(shape=(14, 22, 26), keys=MANY, dtype=np.uint8):
    """All of them in a mask: each has one voxel at least, and is larger the higher its value."""
    table = foreign_double.table_of(keys)
    values = np.repeat(np.arange(1, len(keys) + 1), np.arange(1, len(keys) + 1))
    labels = np.zeros(np.prod(shape), dtype)
    labels[-values.size :] = values
    return Structures(labels.reshape(shape), table)


def result_with(structures, names=None):
    """A result of the doubles' scan with these structures."""
    result = doubles.result()
    if not chosen(structures.table, names):
        return result
    kept = keep(structures, chosen(structures.table, names), doubles.labels_array())
    grid, liver_ml = Grid.of(result.labels), result.measurements.organ("liver").volume_ml
    return replace(result, structures=kept, structure_volumes=measure_structures(kept, grid, liver_ml))


@pytest.fixture
def segments():
    """The liver in two halves, drawn beyond it, and a gallbladder."""
    table = foreign_double.table_of(["liver_segment_1", "liver_segment_2", "gallbladder"])
    labels = np.ones((14, 22, 26), np.uint8)
    labels[:, :, 9:] = 2
    labels[:2] = 3
    return Structures(labels, table)


class TestChoosing:
    def test_what_liversegs_own_labels_show_is_no_further_structure(self):
        table = foreign_double.table_of(["liver", "spleen", "liver_tumor", "aorta"])
        assert [item.key for item in further(table)] == ["aorta"]

    def test_parts_of_the_liver_are_further_structures(self, segments):
        assert further(segments.table) == segments.table

    @pytest.mark.parametrize(
        "names, keys",
        [
            (None, ["liver_segment_1", "liver_segment_2", "gallbladder"]),
            ([], []),
            (["Gallbladder", "LIVER_SEGMENT_1"], ["liver_segment_1", "gallbladder"]),
        ],
    )
    def test_by_key_or_name_in_the_models_order(self, segments, names, keys):
        assert [item.key for item in chosen(segments.table, names)] == keys

    def test_an_unknown_name_is_answered_with_those_like_it(self, segments):
        with pytest.raises(UsageError, match=r"'gall'.*gallbladder"):
            chosen(segments.table, ["gall"])

    def test_parts_are_kept_within_the_organ_and_with_its_tumours(self, segments):
        labels = doubles.labels_array()
        kept = keep(segments, segments.table, labels)
        part = (kept.labels == 1) | (kept.labels == 2)
        liver = np.isin(labels, (LIVER, TUMOUR))
        liver[:2] = False
        assert np.array_equal(part, liver)
        assert np.array_equal(kept.labels == 3, segments.labels == 3)

    def test_parts_of_spleen_and_tumours_are_kept_within_those(self):
        table = [
            Structure(value, f"part{value}", f"Part {value}", (1, 2, 3), label)
            for value, label in ((1, SPLEEN), (2, SPLEEN), (3, TUMOUR), (4, TUMOUR))
        ]
        labels = np.array([[[SPLEEN, LIVER, TUMOUR, TUMOUR]]], np.uint8)
        found = Structures(np.array([[[1, 2, 3, 1]]], np.uint8), tuple(table))
        assert keep(found, table, labels).labels.tolist() == [[[1, 0, 3, 0]]]

    @pytest.mark.parametrize("text, names", [("all", None), ("NONE", ()), ("a, b c,", ("a", "b c"))])
    def test_on_the_command_line(self, text, names):
        assert chosen_structures(text) == names


class TestMeasuring:
    @pytest.mark.parametrize("count, dtype", [(118, np.uint8), (300, np.uint16)])
    def test_every_volume_is_its_voxels(self, count, dtype):
        keys = [f"bone_{number}" for number in range(count)]
        structures = many_structures((60, 30, 30), keys, dtype)
        grid = Grid((30, 30, 60), (2.0, 2.0, 2.5), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        volumes = measure_structures(structures, grid, 100.0)
        assert [volume.voxels for volume in volumes] == list(range(1, count + 1))
        assert volumes[-1].volume_ml == pytest.approx(count * 0.01)
        assert all(volume.liver_percent is None for volume in volumes)

    def test_parts_of_the_liver_have_a_share_of_it(self, segments):
        result = result_with(segments)
        liver = result.measurements.organ("liver")
        for volume in result.structure_volumes[:2]:
            assert volume.liver_percent == pytest.approx(100 * volume.voxels / liver.voxels)
        assert result.structure_volumes[2].liver_percent is None

    def test_what_reaches_the_border_of_the_scan_is_cut_off(self, segments):
        cut = [volume.truncated for volume in result_with(segments).structure_volumes]
        assert cut == [False, False, True]

    def test_many_structures_take_little_memory(self):
        structures = many_structures((100, 200, 200))
        grid = Grid((200, 200, 100), (1, 1, 1), (0, 0, 0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
        tracemalloc.start()
        measure_structures(structures, grid, 0.0)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < structures.labels.nbytes / 2

    def test_a_volume_comes_back_from_json(self, segments):
        for volume in result_with(segments).structure_volumes:
            assert StructureVolume.from_dict(json.loads(json.dumps(volume.to_dict()))) == volume

    @pytest.mark.parametrize("damage", [{"voxels": "many"}, {"colour": [1, 2]}, {"volume_ml": None}])
    def test_what_is_no_volume_is_refused(self, segments, damage):
        data = result_with(segments).structure_volumes[0].to_dict()
        with pytest.raises(InputError):
            StructureVolume.from_dict({**data, **damage})


class TestFiles:
    @pytest.mark.parametrize("label_format", ["nii.gz", "nrrd", "mha", "seg.nrrd"])
    @pytest.mark.parametrize("count, dtype", [(118, np.uint8), (300, np.uint16)])
    def test_mask_and_table_come_back(self, tmp_path, label_format, count, dtype):
        keys = [f"bone_{number}" for number in range(count)]
        shape = (14, 60, 60)
        structures = many_structures(shape, keys, dtype)
        image = sitk.GetImageFromArray(np.zeros(shape, np.uint8))
        image.SetDirection(doubles.OBLIQUE)
        result = replace(
            doubles.result(),
            labels=image,
            structures=structures,
            structure_volumes=measure_structures(structures, Grid.of(image), 0.0),
        )
        files = write_results(result, tmp_path, label_format=label_format, report=False, rendering=False)
        assert files["structures"].name == f"structures.{label_format}"
        back = sitk.ReadImage(str(files["structures"]))
        assert np.array_equal(sitk.GetArrayViewFromImage(back), structures.labels)
        assert back.GetDirection() == pytest.approx(image.GetDirection())
        with open(files["structures_csv"], encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["key"] for row in rows] == keys
        assert [int(row["value"]) for row in rows] == list(range(1, count + 1))

    def test_slicer_finds_names_and_colours_of_what_was_found(self, tmp_path, segments):
        segments.labels[segments.labels == 2] = 0
        files = write_results(
            result_with(segments), tmp_path, label_format="seg.nrrd", report=False, rendering=False
        )
        image = sitk.ReadImage(str(files["structures"]))
        names = [
            image.GetMetaData(f"Segment{number}_Name")
            for number in range(10)
            if image.HasMetaDataKey(f"Segment{number}_Name")
        ]
        assert names == ["Liver segment 1", "Gallbladder"]
        assert image.GetMetaData("Segment1_LabelValue") == "3"

    def test_json_lists_all_that_were_asked_for(self, tmp_path, segments):
        files = write_results(result_with(segments), tmp_path, report=False, rendering=False)
        content = json.loads(files["measurements"].read_text())
        assert [item["key"] for item in content["structures"]] == [item.key for item in segments.table]
        assert set(content["files"]) == {path.name for path in files.values()} - {"measurements.json"}

    def test_a_result_without_structures_writes_neither_and_takes_the_old_ones_away(self, tmp_path, segments):
        write_results(result_with(segments), tmp_path, report=False, rendering=False)
        write_results(doubles.result(), tmp_path, report=False, rendering=False)
        assert not list(tmp_path.glob("structures*"))
        assert "structures" not in json.loads((tmp_path / "measurements.json").read_text())

    def test_somebody_elses_file_of_that_name_is_told_before_the_work(self, tmp_path):
        (tmp_path / "structures.csv").write_text("mine")
        check_output_folder(tmp_path, report=False)
        with pytest.raises(Exception, match="structures.csv"):
            check_output_folder(tmp_path, report=False, structures=True)


class TestReport:
    def test_few_structures_stand_in_the_models_order_with_their_shares(self, segments):
        page = structures_section(result_with(segments).structure_volumes)
        names = ["Liver segment 1", "Liver segment 2", "Gallbladder"]
        assert [page.index(name) for name in names] == sorted(page.index(name) for name in names)
        assert "Share of the liver" in page and "≥ " in page and "<details" not in page

    def test_of_many_those_of_the_liver_stand_openly_and_the_rest_folds(self):
        page = structures_section(result_with(many_structures()).structure_volumes)
        openly, folded = page.split("<details", 1)
        assert "Portal vein" in openly and "Bone" not in openly
        assert folded.count("Bone") == 115 and "115 other structures" in folded

    def test_what_was_not_found_is_not_listed(self, segments):
        segments.labels[segments.labels == 3] = 0
        assert "Gallbladder" not in structures_section(result_with(segments).structure_volumes)
        segments.labels[:] = 0
        assert "no further structure" in structures_section(result_with(segments).structure_volumes)
        assert structures_section(()) == ""

    def test_hostile_names_stay_text(self, segments):
        bad = replace(segments.table[2], name="<script>alert(1)</script>")
        volumes = measure_structures(Structures(segments.labels, (bad,)), Grid.of(doubles.scan()), 0.0)
        assert "<script>" not in structures_section(volumes)

    def test_the_page_names_both_models(self, tmp_path, segments):
        second = {"name": "lesions", "version": "3", "sha256": "f" * 64, "licence": "CC-BY"}
        result = result_with(segments)
        result = replace(result, provenance={**result.provenance, "tumour_model": second})
        page = write_results(result, tmp_path, rendering=False)["report"].read_text(encoding="utf-8")
        assert "Model fake 1, tumors by lesions 3" in page
        assert "Hash of the model for tumors" in page and "f" * 64 in page
        assert "Further structures" in page


class TestTerminal:
    def shown(self, volumes, capsys):
        from LiverSegLib.cli.console import Console

        Console().show(*structure_lines(volumes))
        return capsys.readouterr().out

    def test_few_are_all_shown_with_their_share(self, segments, capsys):
        out = self.shown(result_with(segments).structure_volumes, capsys)
        assert "Liver segment 2" in out and "Gallbladder" in out and "Share of" in out

    def test_of_many_those_of_the_liver(self, capsys):
        out = self.shown(result_with(many_structures()).structure_volumes, capsys)
        assert "Portal vein" in out and "Bone" not in out
        assert "115 more structures were found; structures.csv lists their volumes." in out

    def test_nothing_is_said_of_nothing(self, capsys):
        assert structure_lines(()) == []


class TestWorker:
    @pytest.fixture
    def context(self, tmp_path):
        return TaskContext(
            tmp_path,
            progress=lambda *_: None,
            cancel=lambda: False,
            segmenter=lambda model, device, engine, tumours: self.Segmenter(tumours),
        )

    class Segmenter:
        def __init__(self, tumours):
            self.tumours = tumours

        def segment(self, source, structures=None, **options):
            keys = [f"bone_{number}" for number in range(300)]
            found = many_structures((14, 90, 90), keys, np.uint16)
            result = result_with(many_structures(), structures)
            if structures is None:
                result = replace(
                    result,
                    structures=found,
                    structure_volumes=measure_structures(found, Grid.of(doubles.scan()), 0.0),
                )
            return replace(result, provenance={**result.provenance, "tumours": self.tumours})

    def asked(self, context, **more):
        request = protocol.Segment("s", path="scan.nii.gz", surfaces=False, **more)
        answer = work_off(request, context)
        folder = context.folder / "result-s"
        return answer, json.loads((folder / "summary.json").read_text()), folder

    def test_structures_come_back_with_their_table(self, context):
        answer, summary, folder = self.asked(context)
        labels = np.load(folder / answer.structures)
        assert labels.dtype == np.uint16 and labels.max() == 300
        assert [item["value"] for item in summary["structures"]] == list(range(1, 301))

    def test_what_is_wanted_and_the_second_model_reach_the_segmenter(self, context):
        answer, summary, folder = self.asked(context, tumours="lesions", structures=("portal_vein",))
        assert [item["key"] for item in summary["structures"]] == ["portal_vein"]
        assert summary["provenance"]["tumours"] == "lesions"
        assert set(np.unique(np.load(folder / answer.structures))) == {0, 118}

    def test_nothing_wanted_is_nothing_sent(self, context):
        answer, summary, folder = self.asked(context, structures=())
        assert answer.structures is None and "structures" not in summary
        assert not (folder / "structures.npy").exists()

    def test_a_request_travels_with_both(self):
        request = protocol.Segment("s", path="p", tumours="lesions", structures=("a", "b"))
        assert protocol.decode(protocol.encode(request)) == request
        assert protocol.decode(protocol.encode(replace(request, structures=()))).structures == ()

    @pytest.mark.parametrize("with_mask", [True, False])
    def test_a_report_writes_them_with_the_mask_or_without(self, context, tmp_path, segments, with_mask):
        result, image = result_with(segments), doubles.scan()
        arrays = {"voxels": sitk.GetArrayViewFromImage(image), "labels": doubles.labels_array()}
        if with_mask:
            arrays["structures"] = result.structures.labels
        for name, array in arrays.items():
            scratch.save_array(tmp_path / f"{name}.npy", array)
        summary = {
            "name": "case", "measurements": result.measurements.to_dict(), "provenance": result.provenance,
            "warnings": [], "structures": [volume.to_dict() for volume in result.structure_volumes],
        }  # fmt: skip
        (tmp_path / "summary.json").write_text(json.dumps(summary))
        paths = {name: str(tmp_path / f"{name}.npy") for name in arrays}
        request = protocol.Report(
            "r", grid=Grid.of(image), summary=str(tmp_path / "summary.json"), folder=str(tmp_path / "out"),
            rendering=False, **paths,
        )  # fmt: skip
        files = report(request, context).files
        assert ("structures" in files) == with_mask and "structures_csv" in files
        if with_mask:
            back = sitk.ReadImage(str(tmp_path / "out" / files["structures"]))
            assert np.array_equal(sitk.GetArrayViewFromImage(back), result.structures.labels)
        written = json.loads((tmp_path / "out" / "measurements.json").read_text())
        assert written["structures"] == summary["structures"]

    def test_a_mask_of_another_shape_is_refused(self, context, tmp_path, segments):
        image = doubles.scan()
        arrays = {"voxels": sitk.GetArrayViewFromImage(image), "labels": doubles.labels_array()}
        arrays["structures"] = segments.labels[1:]
        for name, array in arrays.items():
            np.save(tmp_path / f"{name}.npy", array)
        result = doubles.result()
        summary = {
            "name": "case", "measurements": result.measurements.to_dict(), "provenance": {}, "warnings": [],
        }  # fmt: skip
        (tmp_path / "summary.json").write_text(json.dumps(summary))
        paths = {name: str(tmp_path / f"{name}.npy") for name in arrays}
        request = protocol.Report(
            "r",
            grid=Grid.of(image),
            summary=str(tmp_path / "summary.json"),
            folder=str(tmp_path / "out"),
            **paths,
        )
        with pytest.raises(UsageError, match="further structures"):
            report(request, context)
