"""The whole way from a scan to labels, numbers and provenance, on a made-up patient whose truth is known."""

import json
from dataclasses import replace

import numpy as np
import phantom
import pytest
import SimpleITK as sitk

import LiverSegLib
from LiverSegLib import networks
from LiverSegLib.errors import (
    CancelledError,
    InputChangedError,
    ModelCorruptError,
    ModelNotFoundError,
    NoLiverError,
    NotCTError,
    OutOfMemoryError,
    UsageError,
)
from LiverSegLib.inference import locate as locating
from LiverSegLib.inference import stage as stages
from LiverSegLib.measure.phase import PhaseEstimate
from LiverSegLib.review import Review

DIRECTIONS = {
    "usual": np.eye(3),
    "feet first": np.diag([1, 1, -1]),
    "left-handed": np.diag([-1, 1, 1]),
    "coronal": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "sagittal": np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}


@pytest.fixture(autouse=True)
def phantom_network(monkeypatch):
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return phantom.write_phantom_model(tmp_path_factory.mktemp("models") / "phantom")


@pytest.fixture
def segmenter(model):
    return LiverSegLib.Segmenter(str(model), "cpu", precision="float32", threads=1)


def dice(a, b):
    return 2 * np.sum(a & b) / (a.sum() + b.sum())


def check_against(result, image, truth):
    labels = sitk.GetArrayFromImage(result.labels)
    for get in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(result.labels, get)() == getattr(image, get)()
    assert result.labels.GetPixelID() == sitk.sitkUInt8
    assert dice(np.isin(labels, (1, 3)), np.isin(truth, (1, 3))) > 0.97
    assert (
        dice(labels == 2, truth == 2) > 0.9
    )  # at the spleen's rim fat and spleen mix to a liver's attenuation
    assert dice(labels == 3, truth == 3) > 0.85
    return labels


def test_a_scan_becomes_labels_numbers_and_provenance(segmenter):
    image, truth = phantom.patient()
    result = segmenter.segment(image)
    check_against(result, image, truth)
    liver = result.measurements.organ("liver")
    voxel_ml = np.prod(image.GetSpacing()) / 1000
    assert liver.volume_ml == pytest.approx(np.isin(truth, (1, 3)).sum() * voxel_ml, rel=0.04)
    assert len(result.measurements.lesions) == 1
    assert result.measurements.lesions[0].probability > 0.5
    json.dumps(result.provenance)
    json.dumps(result.measurements.to_dict())
    assert result.review == Review("automatic")
    assert result.provenance["model"]["name"] == "phantom"
    assert result.provenance["precision"] == "float32"
    assert set(result.provenance["seconds"]) >= {"read", "locate", "segment", "clean", "measure", "total"}
    assert len(result.provenance["input"]["sha256"]) == 64


@pytest.mark.parametrize("name", list(DIRECTIONS))
def test_any_orientation_gives_labels_voxel_for_voxel(segmenter, name):
    direction = DIRECTIONS[name]
    size = np.abs(np.linalg.inv(direction)) @ np.array([160, 116, 72])
    spacing = np.abs(np.linalg.inv(direction)) @ np.array([2.0, 2.0, 2.5])
    image, truth = phantom.patient(tuple(int(n) for n in size), tuple(spacing), direction.ravel())
    check_against(segmenter.segment(image), image, truth)


@pytest.mark.parametrize("degrees", [8, 30])
def test_an_oblique_scan_gives_labels_voxel_for_voxel(segmenter, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    direction = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    image, truth = phantom.patient((170, 150, 36), (2.0, 2.0, 5.0), direction.ravel())
    result = segmenter.segment(image)
    check_against(result, image, truth)
    assert any("oblique" in note for note in result.provenance["notes"]) == (degrees > 12)


@pytest.mark.parametrize("degrees", [8, 20])
def test_a_tilted_gantry_gives_labels_voxel_for_voxel(segmenter, degrees):
    tilt = np.radians(degrees)
    direction = np.array([[1, 0, 0], [0, 1, np.sin(tilt)], [0, 0, np.cos(tilt)]])
    image, truth = phantom.patient((160, 150, 40), (2.0, 2.0, 5.0), direction.ravel())
    result = segmenter.segment(image)
    check_against(result, image, truth)
    liver = result.measurements.organ("liver")
    voxel_ml = np.prod(image.GetSpacing()) * np.cos(tilt) / 1000
    assert liver.volume_ml == pytest.approx(np.isin(truth, (1, 3)).sum() * voxel_ml, rel=0.04)


@pytest.mark.parametrize("spacing", [(2.0, 2.0, 10.0), (0.9, 0.9, 5.0), (3.0, 3.0, 1.5)])
def test_any_spacing(segmenter, spacing):
    size = tuple(int(np.ceil(mm / s)) for mm, s in zip((320, 230, 180), spacing))
    image, truth = phantom.patient(size, spacing)
    check_against(segmenter.segment(image), image, truth)


def test_the_same_scan_gives_the_same_result(segmenter):
    image, _ = phantom.patient()
    first, second = segmenter.segment(image), segmenter.segment(image)
    assert np.array_equal(sitk.GetArrayFromImage(first.labels), sitk.GetArrayFromImage(second.labels))
    assert np.array_equal(first.probability, second.probability)


def test_mirroring_agrees_with_not_mirroring(segmenter):
    image, truth = phantom.patient()
    result = segmenter.segment(image, mirror=True)
    check_against(result, image, truth)
    assert result.provenance["options"]["mirror"] is True


def test_the_given_image_is_left_as_it_was(segmenter):
    image, _ = phantom.patient()
    before = sitk.GetArrayFromImage(image)
    segmenter.segment(image)
    assert np.array_equal(before, sitk.GetArrayFromImage(image))


def test_a_cut_liver_is_allowed_and_flagged(segmenter):
    image, _ = phantom.patient(centre=(0, 0, 60))
    result = segmenter.segment(image)
    liver = result.measurements.organ("liver")
    assert liver.truncated and not liver.reliable and "inferior" in liver.touches
    assert any("lower bound" in warning for warning in result.warnings)


def test_no_liver_is_said(segmenter):
    image, _ = phantom.patient(liver=False)
    with pytest.raises(NoLiverError, match="No liver was found"):
        segmenter.segment(image)


def test_a_liver_that_only_the_coarse_network_sees_is_none(segmenter, monkeypatch):
    image, _ = phantom.patient()
    locate = locating.locate
    monkeypatch.setattr(locating, "locate", lambda *a: replace(locate(*a), liver_ml=1e5))
    with pytest.raises(NoLiverError):
        segmenter.segment(image)


def test_a_small_minimum_keeps_and_a_large_one_drops_the_tumour(segmenter):
    image, _ = phantom.patient()
    assert len(segmenter.segment(image, minimum_lesion_ml=1).measurements.lesions) == 1
    dropped = segmenter.segment(image, minimum_lesion_ml=100)
    assert dropped.measurements.lesions == ()
    assert not (sitk.GetArrayFromImage(dropped.labels) == 3).any()


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory):
    """A model that says that its unenhanced lesions under 30 ml are mostly wrong."""
    folder = tmp_path_factory.mktemp("models") / "doubtful"
    return str(
        phantom.write_phantom_model(folder, minimum_lesion_ml={"unenhanced": 30, "late": 1, "arterial": 0})
    )


@pytest.mark.parametrize(
    ("phase", "asked", "kept", "used"),
    [
        ("unenhanced", None, 0, 30.0),
        ("unenhanced", 5.0, 1, 5.0),
        ("unenhanced", 0.0, 1, 0.0),
        ("late", None, 1, 1.0),
        ("portal", None, 1, 0.065),
        ("arterial", None, 1, 0.065),
    ],
)
def test_small_lesions_are_left_out_where_the_model_is_known_to_invent_them(
    doubtful, monkeypatch, phase, asked, kept, used
):
    estimate = PhaseEstimate(phase, 0.9, "Said so.")
    monkeypatch.setattr(LiverSegLib.api, "estimate_phase", lambda image, labels, **header: estimate)
    image, truth = phantom.patient()
    result = LiverSegLib.Segmenter(doubtful, "cpu", precision="float32", threads=1).segment(
        image, minimum_lesion_ml=asked
    )
    labels = sitk.GetArrayFromImage(result.labels)
    assert len(result.measurements.lesions) == kept and (labels == 3).any() == bool(kept)
    assert dice(np.isin(labels, (1, 3)), np.isin(truth, (1, 3))) > 0.97
    assert result.labels.GetOrigin() == image.GetOrigin()
    assert result.provenance["options"]["minimum_lesion_ml"] == used
    steps = [step["rule"] for step in result.provenance["cleanup"]["steps"]]
    said = [text for text in result.warnings if "left out" in text]
    assert ("doubtful-tumours" in steps, len(said)) == ((True, 1) if not kept else (False, 0))
    if said:
        assert said[0] in result.measurements.organ("tumour").warnings
        assert result.provenance["left_out"] == said
        assert said[0].startswith("1 supposed lesion under 30 ml (1") and "without contrast medium" in said[0]


@pytest.mark.parametrize("minimum", [-1, float("nan"), 1e9])
def test_an_absurd_minimum_is_refused_before_the_scan_is_read(segmenter, minimum):
    with pytest.raises(UsageError, match="minimum lesion size"):
        segmenter.segment("no-such-file.nii.gz", minimum_lesion_ml=minimum)


def test_progress_grows_to_one_and_names_its_stages(segmenter):
    image, _ = phantom.patient()
    seen = []
    segmenter.segment(image, progress=lambda *step: seen.append(step))
    fractions = [fraction for fraction, _, _ in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert list(dict.fromkeys(stage for _, stage, _ in seen)) == [
        "read",
        "locate",
        "segment",
        "clean",
        "measure",
        "done",
    ]


@pytest.mark.parametrize("stage", ["read", "locate", "segment", "clean", "measure"])
def test_cancel_stops_at_every_stage(segmenter, stage):
    image, _ = phantom.patient()
    reached = []
    with pytest.raises(CancelledError):
        segmenter.segment(
            image, progress=lambda fraction, name, text: reached.append(name), cancel=lambda: stage in reached
        )
    assert reached[-1] == stage
    segmenter.segment(image)  # and it can be used again


@pytest.mark.parametrize(
    "site",
    [("LiverSegLib.api", "read_scan"), ("LiverSegLib.inference.stage", "to_network"),
     ("LiverSegLib.inference.tiles", "blending_weight"), ("LiverSegLib.inference.label", "classify"),
     ("LiverSegLib.postprocess", "clean"), ("LiverSegLib.api", "estimate_phase"),
     ("LiverSegLib.api", "measure")],
)  # fmt: skip
@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")]
)
def test_memory_running_out_anywhere_is_one_sentence(segmenter, monkeypatch, site, error):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(".".join(site), fail)
    image, _ = phantom.patient()
    with pytest.raises(OutOfMemoryError, match="Memory ran out while"):
        segmenter.segment(image)


def test_memory_running_out_while_loading_the_model(model, monkeypatch):
    monkeypatch.setattr(stages, "load_engine", lambda *a: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(OutOfMemoryError, match="loading the model"):
        LiverSegLib.Segmenter(str(model), "cpu")


def test_a_file_that_changes_meanwhile_is_not_measured_as_if_it_had_not(segmenter, tmp_path):
    image, _ = phantom.patient()
    path = tmp_path / "scan.nii"
    sitk.WriteImage(image, str(path))

    def touch(fraction, stage, text):
        if stage == "segment":
            path.write_bytes(b"something else")

    with pytest.raises(InputChangedError, match="changed"):
        segmenter.segment(path, progress=touch)


def test_the_box_grows_when_an_organ_reaches_beyond_it(segmenter, monkeypatch):
    image, truth = phantom.patient((160, 116, 80), (2.0, 2.0, 2.5))
    locate = locating.locate

    def too_small(*arguments):
        found = locate(*arguments)
        return replace(found, box=tuple(slice(part.start + 25, part.stop) for part in found.box))

    monkeypatch.setattr(locating, "locate", too_small)
    result = segmenter.segment(image)
    check_against(result, image, truth)
    assert any("box was enlarged" in note for note in result.provenance["notes"])


def test_wrong_inputs_and_models_are_named(model, segmenter, tmp_path):
    with pytest.raises(NotCTError):
        segmenter.segment(
            sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 400, (20, 40, 40)).astype(np.int16))
        )
    with pytest.raises(ModelNotFoundError, match="no-such-model"):
        LiverSegLib.Segmenter("no-such-model")
    broken = phantom.write_phantom_model(tmp_path / "broken")
    text = (broken / "model.json").read_text().replace("ByAttenuation", "ResidualUNet")
    (broken / "model.json").write_text(text.replace('"means"', '"wrong"'))
    with pytest.raises(LiverSegLib.errors.ModelError):
        LiverSegLib.Segmenter(str(broken))


def test_weights_that_do_not_fit_are_refused(model, monkeypatch):
    monkeypatch.setattr(
        phantom.ByAttenuation,
        "load_state_dict",
        lambda *a, **k: (_ for _ in ()).throw(RuntimeError("size mismatch")),
    )
    with pytest.raises(ModelCorruptError, match="do not fit"):
        LiverSegLib.Segmenter(str(model), "cpu")


def test_segment_without_a_segmenter(model):
    image, truth = phantom.patient()
    check_against(LiverSegLib.segment(image, model=str(model), device="cpu"), image, truth)


def test_cancelling_is_asked_before_each_rule_of_cleaning_and_between_the_steps_of_measuring(segmenter):
    stage, polls = ["read"], []
    image, _ = phantom.patient()
    segmenter.segment(
        image,
        progress=lambda fraction, name, text: stage.__setitem__(0, name),
        cancel=lambda: polls.append(stage[0]),
    )
    assert polls.count("clean") >= 5
    assert polls.count("measure") >= 2
