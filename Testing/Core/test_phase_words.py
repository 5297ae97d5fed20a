"""What the words of a DICOM header say of contrast phase and contrast medium, in seven languages."""

import dataclasses

import numpy as np
import pytest
import SimpleITK as sitk

from LiverSegLib.images import read_scan
from LiverSegLib.images.metadata import with_header
from LiverSegLib.images.phase_words import (
    contrast_in_header,
    contrast_in_words,
    names_contrast_agent,
    phase_in_words,
)
from LiverSegLib.measure.facts import header_facts

DESCRIPTIONS = (
    ("PRE LIVER", "unenhanced", None),
    ("Abd nativ 5.0", "unenhanced", False),
    ("ABD W/O", "unenhanced", False),
    ("LIVER ARTERIAL 2.5", "arterial", True),
    ("Abdomen portalvenös 3.0", "portal", True),
    ("Leber spät", "late", None),
    ("DELAYED", "late", True),
    ("CT Body 3.0", None, None),
    ("arterial and portal venous", None, True),
    ("ABDOMEN SANS IV", "unenhanced", False),
    ("Abdomen s/ contraste", "unenhanced", False),
    ("sin contraste", "unenhanced", False),
    ("senza mdc", "unenhanced", False),
    ("SEM CONTRASTE", "unenhanced", False),
    ("zonder contrast", "unenhanced", False),
    ("Leber ohne KM", "unenhanced", False),
    ("Leber mit KM", None, True),
    ("Abdomen C-", "unenhanced", False),
    ("Abdomen C+", None, True),
    ("HCC-013", None, None),
    ("hcc-tace abd", None, None),
    ("Fase arterial", "arterial", True),
    ("fase arteriosa tardiva", "arterial", True),
    ("temps portal", "portal", True),
    ("Temps veineux", "portal", True),
    ("temps artériel précoce", "arterial", True),
    ("TEMPS TARDIF", "late", True),
    ("fase venosa", "portal", True),
    ("fase portale", "portal", True),
    ("fase tardia", "late", True),
    ("Fase venosa portal", "portal", True),
    ("veneuze fase", "portal", True),
    ("portaal veneus", "portal", True),
    ("arteriële fase", "arterial", True),
    ("late fase", "late", None),
    ("lateral scout", None, None),
    ("CT AP with IV contrast", None, True),
    ("intravenous contrast abdomen", None, None),
    ("Abd portable", None, None),
    ("VNC liver", None, None),
    ("Virtual non contrast", None, None),
    ("délayed", "late", True),
    ("art", "arterial", None),
    ("pv", "portal", None),
    ("NATIVO", "unenhanced", False),
    ("Abdomen non injecté", "unenhanced", False),
    ("Abdomen injecté", None, True),
    ("Spätphase", "late", True),
    ("frühart.", "arterial", None),
    ("NCCT abdomen", "unenhanced", False),
    ("non-contrast", "unenhanced", False),
    ("pre and post contrast portal precontrast", None, None),
    ("Abd w/o contrast", "unenhanced", False),
    ("con mdc", None, True),
    ("Abdomen iv+", None, True),
    ("unenhanced", "unenhanced", False),
    ("CECT", None, True),
    ("Post-contrast 3.0", None, True),
    ("Leber portalvenoes", "portal", True),
    ("KM-Phase portal", "portal", True),
    ("Liver 4-phase del", "late", None),
    ("ven", "portal", None),
    ("without contrast", "unenhanced", False),
    ("Leber_art_1.0", "arterial", None),
    ("blanco abdomen", "unenhanced", False),
    ("C- 5mm", "unenhanced", False),
    ("ABD PRE/POST", None, None),
    ("late arterial", "arterial", True),
    ("temps artériel tardif", "arterial", True),
    ("spätarteriell", "arterial", True),
    ("IV Kontrast", None, None),
    ("c/ contraste", None, True),
    ("apres injection", None, True),
    ("basal", "unenhanced", None),
)
"""Description, phase, whether it speaks of contrast medium."""


@pytest.mark.parametrize(("description", "phase", "contrast"), DESCRIPTIONS)
def test_words_of_a_series_description(description, phase, contrast):
    assert (phase_in_words(description), contrast_in_words(description)) == (phase, contrast)
    assert phase_in_words(description.upper()) == phase


@pytest.mark.parametrize(
    "agent", ["ohne", "ohne KM", "sans injection", "Senza mdc", "sem", "SIN CONTRASTE", "keines"]
)
def test_words_for_no_agent(agent):
    assert not names_contrast_agent(agent)


def test_an_agent_counts_before_the_description():
    assert contrast_in_header("Iomeron 400", "Abdomen nativ") is True
    assert contrast_in_header("ohne", "Abdomen nativ") is False
    assert contrast_in_header(None, None) is None


def test_the_header_of_an_image_in_memory_reaches_the_facts():
    """So Slicer hands it to the worker, and so SimpleITK leaves it in an image that it read from DICOM."""
    z, y, x = np.mgrid[:8, :24, :24]
    image = sitk.GetImageFromArray(
        np.where((y - 12) ** 2 + (x - 12) ** 2 < 80, 40 + z, -1000).astype(np.int16)
    )
    facts = header_facts(read_scan(with_header(image, 100.0, "ULTRAVIST", "Leber portalvenös")).series)
    assert (facts.kvp, facts.contrast_agent, facts.series) == (100.0, "ULTRAVIST", "Leber portalvenös")
    assert facts.says_contrast is True
    bare = sitk.GetImageFromArray(sitk.GetArrayFromImage(image))
    assert read_scan(bare).series is None
    assert header_facts(read_scan(with_header(bare, 0.0, None, None)).series).kvp is None
    assert dataclasses.replace(facts, contrast_agent=None, series="nativ").says_contrast is False
