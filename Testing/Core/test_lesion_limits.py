"""Which lesions are reported unless asked otherwise, and which are called as dense as blood."""

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from measure_shapes import ball, centre_of, ct_of, draw, empty_labels

import LiverSegLib
import LiverSegLib.postprocess
from LiverSegLib import networks
from LiverSegLib.images.grid import Grid
from LiverSegLib.labels import LIVER, TUMOUR
from LiverSegLib.masks.cleanup import clean
from LiverSegLib.masks.lesion_limits import MINIMUM_LESION_ML, leave_out_tumours
from LiverSegLib.measure import measure
from LiverSegLib.measure.lesions import MINIMUM_LESION_MM, narrow_lesions
from LiverSegLib.measure.warnings import enhanced_blood


def test_default_volume_is_that_of_a_ball_of_the_default_diameter():
    assert MINIMUM_LESION_ML == pytest.approx(np.pi / 6 * MINIMUM_LESION_MM**3 / 1000, rel=0.01)


@pytest.mark.parametrize(("radius", "kept"), [(2.3, 0), (2.8, 1)])
def test_ball_under_5_mm_is_no_lesion_and_one_above_is(radius, kept):
    labels = empty_labels((60, 60, 60), (0.5, 0.5, 0.5))
    labels = draw(draw(labels, ball(centre_of(labels), 14), LIVER), ball(centre_of(labels), radius), TUMOUR)
    cleaned, _ = clean(sitk.GetArrayFromImage(labels), Grid.of(labels).voxel_ml)
    assert (cleaned == TUMOUR).any() == bool(kept)
    assert ((cleaned == TUMOUR) | (cleaned == LIVER)).sum() == (sitk.GetArrayFromImage(labels) > 0).sum()


@pytest.mark.parametrize("direction", [np.eye(3).ravel(), (1, 0, 0, 0, 0, 1, 0, -1, 0)])
def test_lesion_is_narrow_by_its_longest_axial_diameter_on_any_grid(direction):
    labels = empty_labels((40, 40, 40), direction=[float(value) for value in direction])
    centre = centre_of(labels)
    for shift, sides in ((-12, (2, 2, 12)), (0, (7, 3, 3)), (12, (2, 3, 2))):

        def inside(points, shift=shift, sides=sides):
            return (np.abs(points - centre - (shift, 0, 0)) <= np.array(sides) / 2).all(axis=-1)

        labels = draw(labels, inside, TUMOUR)
    found = narrow_lesions(labels)
    lengths = [lesion.longest_diameter_mm for lesion in _lesions(labels)]
    assert len(found) == sum(length < MINIMUM_LESION_MM for length in lengths) > 0
    assert len(found) < len(lengths)
    view = sitk.GetArrayFromImage(labels)
    _, report = clean(np.where(view > 0, LIVER, 0).astype(np.uint8), Grid.of(labels).voxel_ml)
    mask, report = leave_out_tumours(view, found, 0.001, report)
    assert (
        report.step("narrow-tumours").voxels == (mask == LIVER).sum() == sum(part.sum() for _, part in found)
    )
    rest = sitk.GetImageFromArray(mask)
    rest.CopyInformation(labels)
    assert narrow_lesions(rest) == []


def test_without_tumour_nothing_is_narrow():
    labels = empty_labels((8, 8, 8))
    assert narrow_lesions(labels) == []
    report = clean(sitk.GetArrayFromImage(labels), 0.001)[1]
    view = sitk.GetArrayFromImage(labels)
    assert leave_out_tumours(view, [], 0.001, report) == (view, report)


@pytest.mark.parametrize(("asked", "kept"), [(None, 0), (0.0, 1), (0.01, 1)])
def test_narrow_lesion_is_liver_unless_a_minimum_is_asked_for(monkeypatch, tmp_path, asked, kept):
    """The phantom's tumour is cut down to a rod along the body, 4 mm wide."""
    monkeypatch.setitem(networks.ARCHITECTURES, "ByAttenuation", phantom.ByAttenuation)
    model = phantom.write_phantom_model(tmp_path / "model")
    segmenter = LiverSegLib.Segmenter(str(model), "cpu", precision="float32", threads=1)

    def cut(labels, voxel_ml, **options):
        cleaned, report = clean(labels, voxel_ml, **options)
        rod = np.zeros(cleaned.shape, bool)
        z, y, x = (int(round(float(place.mean()))) for place in np.nonzero(cleaned == TUMOUR))
        rod[z - 1 : z + 2, y, x : x + 2] = True
        cleaned[(cleaned == TUMOUR) & ~rod] = LIVER
        return cleaned, report

    monkeypatch.setattr(LiverSegLib.postprocess, "clean", cut)
    image, _ = phantom.patient()
    result = segmenter.segment(image, minimum_lesion_ml=asked)
    assert len(result.measurements.lesions) == kept
    assert (sitk.GetArrayFromImage(result.labels) == TUMOUR).any() == bool(kept)
    assert result.provenance["options"]["minimum_lesion_mm"] == (None if kept else MINIMUM_LESION_MM)


def _lesions(labels, value=60, **options):
    image = ct_of(labels, (0, 110, 120, value))
    return measure(labels, image, **options).lesions


def _with_lesion():
    labels = empty_labels((20, 20, 20))
    labels[2:18, 2:18, 2:18] = LIVER
    labels[5:10, 5:10, 5:10] = TUMOUR
    return labels


@pytest.mark.parametrize(
    ("value", "phase", "aorta", "said"),
    [
        (160, "portal", 150.0, "at least that of the aorta (150 HU)"),
        (150, "portal", 150.0, "at least that of the aorta (150 HU)"),
        (140, "portal", 150.0, ""),
        (250, "arterial", 320.0, ""),
        (250, "portal", None, "rarely tissue alone"),
        (60, "unenhanced", 45.0, ""),
        (250, "unenhanced", 45.0, "rarely tissue alone"),
        (60, "unknown", 45.0, ""),
    ],
)
def test_density_is_compared_with_the_enhanced_aorta_where_it_is_known(value, phase, aorta, said):
    labels = _with_lesion()
    found = measure(labels, ct_of(labels, (0, 110, 120, value)), phase=phase, aorta_hu=aorta)
    warnings = " ".join(found.lesions[0].warnings)
    assert ("embolization" in warnings) == bool(said) and said in warnings
    if said and aorta and phase != "unenhanced":
        (about,) = [text for text in found.warnings if "at least as dense as the aorta" in text]
        assert about.key == "lesion.only-one-dense-as-aorta" and about in found.burden_warnings


def test_blood_without_contrast_is_no_measure():
    assert enhanced_blood("portal", 140.0) == 140.0
    assert enhanced_blood("unenhanced", 140.0) is None
    assert enhanced_blood("unknown", 50.0) is None
    assert enhanced_blood("portal", None) is None


def test_several_dense_lesions_are_counted():
    labels = _with_lesion()
    labels[12:16, 12:16, 12:16] = TUMOUR
    found = measure(labels, ct_of(labels, (0, 110, 120, 170)), phase="portal", aorta_hu=150.0)
    assert any(text.startswith("2 of 2 lesions (0.2 ml) are at least as dense") for text in found.warnings)
