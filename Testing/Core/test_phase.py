"""Contrast phase from attenuation, on drawn bodies with liver, spleen, spine and aorta."""

import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib.images.phase_words import contrast_in_words
from LiverSegLib.measure.aorta import find_aorta, slabs_of
from LiverSegLib.measure.kidneys import find_kidneys
from LiverSegLib.measure.phase import (
    LEAST_CONFIDENCE,
    Attenuations,
    PhaseEstimate,
    attenuations,
    decide,
    estimate_phase,
    organ_hu,
)


def torso(liver, spleen, aorta, *, spacing=(2.0, 2.0, 5.0), slices=24, noise=8.0):
    """Image and labels (x to the patient's left): organs of given HU in a body with vertebrae and discs."""
    size = (int(360 / spacing[0]), int(260 / spacing[1]))
    y, x = np.mgrid[: size[1], : size[0]].astype(float)
    x, y = (x - size[0] / 2) * spacing[0], (y - size[1] / 2) * spacing[1]
    plane = np.full(x.shape, -1000.0)
    plane[(x / 165) ** 2 + (y / 115) ** 2 < 1] = -100
    plane[(x / 150) ** 2 + (y / 100) ** 2 < 1] = 45
    plane[np.hypot(x - 12, y - 22) < 24] = -90
    in_liver = np.hypot((x + 75) / 60, (y + 5) / 75) < 1
    in_spleen = np.hypot((x - 110) / 28, (y - 25) / 40) < 1
    plane[in_liver], plane[in_spleen] = liver, spleen
    volume = np.repeat(plane[np.newaxis], slices, 0)
    for z in range(slices):
        spine = np.hypot(x / 20, (y - 58) / 17) < 1
        volume[z][spine] = 60 if (z * spacing[2]) % 30 < 8 else 170
        volume[z][spine & (np.hypot(x / 17, (y - 58) / 14) > 1)] = 320
        if (z * spacing[2]) % 30 >= 12:
            volume[z][np.hypot(x / 4, (y - 85) / 9) < 1] = 350
        volume[z][np.hypot(x - 10 - z * 0.3, y - 24) < 11] = aorta
    labels = np.zeros(volume.shape, np.uint8)
    labels[2:-2, in_liver], labels[2:-2, in_spleen] = 1, 2
    volume += np.random.default_rng(1).normal(0, noise, volume.shape)
    images = [sitk.GetImageFromArray(volume.astype(np.int16)), sitk.GetImageFromArray(labels)]
    for image in images:
        image.SetSpacing(spacing)
    return images


@pytest.mark.parametrize(
    ("liver", "spleen", "aorta", "phase"),
    [
        (58, 48, 42, "unenhanced"),
        (20, 48, 42, "unenhanced"),
        (66, 105, 310, "arterial"),
        (60, 58, 330, "arterial"),
        (112, 120, 150, "portal"),
        (60, 118, 145, "portal"),
        (92, 95, 98, "late"),
        (66, 63, 80, "late"),
    ],
    ids=["native", "native-fatty", "arterial", "early-arterial", "portal", "portal-fatty", "late", "delayed"],
)
def test_phase_of_a_drawn_body(liver, spleen, aorta, phase):
    estimate = estimate_phase(*torso(liver, spleen, aorta))
    assert estimate.phase == phase
    assert 0.5 <= estimate.confidence <= 0.95
    assert f"Liver {liver} HU" in estimate.reason


@pytest.mark.parametrize("aorta", [100, 160, 300])
def test_enhanced_aorta_is_measured_and_vertebrae_are_not(aorta):
    searched, found = find_aorta(slabs_of(*torso(80, 90, aorta)))
    assert searched
    assert found == pytest.approx(aorta, abs=12)


def test_unenhanced_aorta_is_not_found():
    assert find_aorta(slabs_of(*torso(55, 48, 42))) == (True, None)


@pytest.mark.parametrize("order", ["RAI", "SLP", "ASR"])
def test_orientation_of_the_volume_does_not_matter(order):
    image, labels = (sitk.DICOMOrient(item, order) for item in torso(66, 105, 310))
    assert estimate_phase(image, labels).phase == "arterial"


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 2.0), (1.5, 1.5, 10.0)])
def test_spacing_of_the_volume_does_not_matter(spacing):
    slices = int(120 / spacing[2])
    assert estimate_phase(*torso(112, 120, 160, spacing=spacing, slices=slices)).phase == "portal"


def test_low_scan_has_no_aorta_to_follow():
    assert find_aorta(slabs_of(*torso(80, 90, 150, slices=8))) == (False, None)


def test_organ_hu_leaves_the_rim_out_and_refuses_scraps():
    image, labels = torso(112, 120, 150, noise=0)
    assert organ_hu(image, labels, 1) == 112
    assert organ_hu(image, labels, 3) is None
    scrap = sitk.Image(labels.GetSize(), sitk.sitkUInt8)
    scrap.CopyInformation(labels)
    scrap[60, 60, 10] = 1
    assert organ_hu(image, scrap, 1) is None
    assert estimate_phase(image, scrap).phase == "unknown"
    assert estimate_phase(image, scrap > 9) == PhaseEstimate(
        "unknown", 0.0, "Too little liver is in view to estimate the contrast phase."
    )


@pytest.mark.parametrize(
    ("values", "phase"),
    [
        ((60, None, None, False), "unknown"),
        ((60, None, None, True), "unenhanced"),
        ((110, None, None, True), "portal"),
        ((65, None, 300, True), "arterial"),
        ((62, 110, None, True), "arterial"),
        ((100, 110, None, True), "portal"),
        ((85, 48, None, True), "unenhanced"),
    ],
)
def test_decision_with_organs_missing(values, phase):
    liver, spleen, aorta, searched = values
    assert decide(Attenuations(liver, spleen, aorta, None, searched)).phase == phase


@pytest.mark.parametrize(
    ("values", "contrast", "reason"),
    [
        ((None,), None, "Too little liver is in view to estimate the contrast phase."),
        (
            (58, 48, None, 35, True),
            True,
            "Liver 58 HU, spleen 48 HU, kidneys 35 HU: it looks unenhanced, but the DICOM header speaks of "
            "contrast medium.",
        ),
        ((66, 63), None, "Liver 66 HU, spleen 63 HU: contrast medium cannot be told from its absence."),
        (
            (58, 50, None, 140, True),
            None,
            "Liver 58 HU, spleen 50 HU, kidneys 140 HU: only the kidneys are bright; contrast medium cannot "
            "be excluded.",
        ),
        ((110,), None, "Liver 110 HU: an enhanced liver, most often portal venous."),
        (
            (65, None, 300),
            None,
            "Liver 65 HU, aorta 300 HU: bright arteries, liver hardly enhanced.",
        ),
        ((110, 115, 112), None, "Liver 110 HU, spleen 115 HU, aorta 112 HU: liver and blood are alike."),
        ((110, 115, 150), None, "Liver 110 HU, spleen 115 HU, aorta 150 HU: liver and blood are enhanced."),
        ((60,), None, "Liver 60 HU; without spleen or aorta contrast cannot be told from its absence."),
        (
            (60, None, None, None, True),
            None,
            "Liver 60 HU, no bright aorta: probably no contrast medium.",
        ),
        ((58, 45), None, "Liver 58 HU, spleen 45 HU: no contrast medium."),
        ((62, 110), None, "Liver 62 HU, spleen 110 HU: the spleen is enhanced, the liver hardly."),
        ((100, 110), None, "Liver 100 HU, spleen 110 HU: both are enhanced."),
    ],
)
def test_reason_is_one_sentence_with_an_identifier_for_translations(values, contrast, reason):
    estimate = decide(Attenuations(*values), contrast=contrast)
    assert estimate.reason == reason
    assert estimate.reason.key.startswith("phase.")
    assert not estimate.reason.arguments or estimate.reason.arguments["measured"].key


def test_blood_above_that_without_contrast_is_contrast():
    assert decide(Attenuations(66, 63, 80, None, True)).phase == "late"
    assert decide(Attenuations(50, 48, 70, None, True)).phase != "unenhanced"
    assert decide(Attenuations(58, 50, 62, None, True)).phase == "unknown"


def test_scan_is_called_unenhanced_only_with_confidence():
    unsure = decide(Attenuations(66, 63, None, None, True))
    assert unsure.phase == "unknown" and unsure.confidence < LEAST_CONFIDENCE
    assert decide(Attenuations(66, 63, None, None, True), contrast=False).phase == "unenhanced"
    assert decide(Attenuations(58, 50, None, 35, True)).phase == "unenhanced"


def test_bright_kidneys_alone_leave_it_open():
    assert decide(Attenuations(58, 50, None, 140, True)).phase == "unknown"


def test_header_that_speaks_of_contrast_is_believed_before_the_image():
    image = Attenuations(58, 48, None, 35, True)
    assert decide(image).phase == "unenhanced"
    assert decide(image, contrast=True).phase == "unknown"
    assert decide(Attenuations(112, 120, 150), contrast=False).phase == "portal"


@pytest.mark.parametrize(
    ("description", "contrast"),
    [
        ("LIVER UNENHANCED 5.0", False),
        ("Abd w/o contrast", False),
        ("PORTAL VENOUS 2.5mm", True),
        ("Abdomen C+ delayed", True),
        ("pre and post contrast portal precontrast", None),
        ("ABD 3.0 B31f", None),
        (None, None),
    ],
)
def test_contrast_in_the_words_of_a_series(description, contrast):
    assert contrast_in_words(description) is contrast


def with_kidneys(hu):
    """The unenhanced body with kidneys in fat behind liver and spleen."""
    image, labels = torso(60, 50, 45)
    array, mask = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(labels)
    y, x = np.mgrid[: array.shape[1], : array.shape[2]].astype(float)
    x, y = (x - array.shape[2] / 2) * 2.0, (y - array.shape[1] / 2) * 2.0
    for side in (-1, 1):
        away = np.hypot(x - side * 58, y - 62)
        array[:, away < 32], mask[:, away < 32] = -100, 0
        array[:, away < 24] = hu
    results = [sitk.GetImageFromArray(item) for item in (array, mask)]
    for result in results:
        result.CopyInformation(image)
    return results


def test_kidneys_are_measured_and_tell_of_an_earlier_injection():
    image, labels = with_kidneys(34)
    assert find_kidneys(slabs_of(image, labels), labels) == pytest.approx(34, abs=8)
    assert estimate_phase(image, labels).phase == "unenhanced"
    image, labels = with_kidneys(150)
    assert find_kidneys(slabs_of(image, labels), labels) == pytest.approx(150, abs=8)
    assert estimate_phase(image, labels).phase != "unenhanced"


def test_no_kidneys_no_answer():
    assert attenuations(*torso(60, 50, 45, slices=8)).kidneys is None


def test_confidence_falls_towards_the_border_between_phases():
    sure, unsure = decide(Attenuations(100, 110, 160)), decide(Attenuations(100, 110, 118))
    assert sure.phase == unsure.phase == "portal"
    assert sure.confidence > unsure.confidence >= 0.5


def test_grids_must_agree():
    image, labels = torso(60, 50, 40, slices=12)
    with pytest.raises(ValueError, match="differ in size"):
        estimate_phase(image, labels[:, :, :5])
