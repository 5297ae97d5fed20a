"""The sentences that say what makes a number doubtful, and the thresholds behind them."""

from typing import Iterable, List, Optional, Sequence, Tuple

from ..sentences import Sentence
from .borders import FIELD_OF_VIEW

THICK_SLICES_MM = 5.0
"""RECIST 1.1 wants CT slices of at most 5 mm; thicker ones blur volumes and diameters."""
MEASURABLE_MM = 10.0
"""Least longest diameter of a measurable lesion on CT with slices up to 5 mm (RECIST 1.1, section 3.1.1)."""
DENSE_LESION_HU = 200.0
"""Mean attenuation above which a lesion is likely to hold something dense where the aorta's is not known: a
limit of ours, about what an aorta has early in the portal venous phase."""
ENHANCED_BLOOD_HU = 75.0
"""Blood without contrast medium has 30 to 60 HU: an aorta below this is no measure for an enhanced vessel."""

NO_LIVER = "No liver was found."
NO_SPLEEN = "No spleen was found."
BURDEN_OF_CUT_LIVER = (
    "Part of the liver lies outside the scan: tumour burden holds for the part that was scanned."
)
TUMOURS_OF_CUT_LIVER = "Part of the liver lies outside the scan: tumours there are not counted."
UNENHANCED_TUMOURS = (
    "The scan seems to be without contrast medium: liver lesions are often invisible, "
    "so some may be missing, and dark vessels may be taken for some."
)
RATIO_WITH_CONTRAST = (
    "The liver-to-spleen ratio tells of liver fat on unenhanced scans only; "
    "this one seems to hold contrast medium."
)
RATIO_WITH_UNKNOWN_PHASE = "The liver-to-spleen ratio tells of liver fat on unenhanced scans only."
NEAR_CUT_FACE = "The liver goes on beyond the scan near this lesion: its surface may be nearer than measured."


def thick_slices(slice_spacing: float) -> Tuple[str, ...]:
    """Return a sentence if the slices (mm) are too thick for precise numbers."""
    if slice_spacing <= THICK_SLICES_MM + 1e-3:
        return ()
    return (f"Slices are {slice_spacing:.1f} mm apart: volumes and diameters are less precise.",)


def cut_off(
    name: str, touches: Sequence[str], bounded: str = "its volume is a lower bound"
) -> Tuple[str, ...]:
    """Return a sentence if a structure reaches the borders ``touches`` of the scan.

    Args:
        name: the subject of the sentence.
        touches: words for the borders.
        bounded: what follows from it.
    """
    if not touches:
        return ()
    borders = [word for word in touches if word != FIELD_OF_VIEW]
    places = []
    if borders:
        places.append(f"the {_listed(borders)} {'borders' if len(borders) > 1 else 'border'} of the scan")
    if FIELD_OF_VIEW in touches:
        places.append("the edge of the field of view")
    return (f"{name} reaches {' and '.join(places)}: {bounded}.",)


def too_small(longest_diameter_mm: float, slice_spacing: float) -> Tuple[str, ...]:
    """Return a sentence if a lesion is not measurable by RECIST 1.1 (Eisenhauer 2009, section 3.1.1).

    That is: under 10 mm or, where slices are thicker than 5 mm, under twice their thickness.
    """
    least = MEASURABLE_MM if slice_spacing <= THICK_SLICES_MM + 1e-3 else 2 * slice_spacing
    if longest_diameter_mm >= least:
        return ()
    return (f"Under {least:.0f} mm: not measurable by RECIST 1.1.",)


def enhanced_blood(phase: Optional[str], aorta_hu: Optional[float]) -> Optional[float]:
    """Return the aorta's attenuation (HU) if it holds contrast medium, else None."""
    if aorta_hu is None or phase == "unenhanced" or aorta_hu < ENHANCED_BLOOD_HU:
        return None
    return aorta_hu


def too_dense(mean_hu: float, blood_hu: Optional[float] = None) -> Tuple[str, ...]:
    """Return a sentence if a lesion's mean attenuation (HU) is hardly that of tissue.

    Tissue enhances less than the blood that feeds it, so what is as dense as the aorta is blood or denser
    than blood.

    Args:
        mean_hu: of the lesion.
        blood_hu: of the enhanced aorta; without it DENSE_LESION_HU decides.
    """
    if blood_hu is not None:
        if mean_hu < blood_hu:
            return ()
        return (Sentence("lesion.dense-as-aorta", hu=mean_hu, aorta=blood_hu),)
    if mean_hu <= DENSE_LESION_HU:
        return ()
    return (
        f"Mean of {mean_hu:.0f} HU: rarely tissue alone; "
        "think of embolisation material, calcium, metal or a vessel.",
    )


def lesions_as_dense_as_aorta(all_of: int, dense_ml: Sequence[float]) -> Tuple[str, ...]:
    """Return a sentence if lesions are as dense as enhanced blood, for the numbers that count them as tumour.

    Args:
        all_of: number of lesions.
        dense_ml: volumes in ml of those for which ``too_dense`` has a sentence.
    """
    if not dense_ml:
        return ()
    total = sum(dense_ml)
    if all_of == 1:
        return (Sentence("lesion.only-one-dense-as-aorta", ml=total),)
    if len(dense_ml) == 1:
        return (Sentence("lesion.one-dense-as-aorta", all_of=all_of, ml=total),)
    return (Sentence("lesion.several-dense-as-aorta", count=len(dense_ml), all_of=all_of, ml=total),)


def dense_lesions(all_of: int, dense_ml: Sequence[float]) -> Tuple[str, ...]:
    """Return a sentence if lesions hardly consist of tissue, for the numbers that count them as tumour.

    Args:
        all_of: number of lesions.
        dense_ml: volumes in ml of those for which ``too_dense`` has a sentence.
    """
    if not dense_ml:
        return ()
    return (
        f"{len(dense_ml)} of {all_of} lesion{'s' if all_of > 1 else ''} ({sum(dense_ml):.1f} ml) "
        f"{'are' if len(dense_ml) > 1 else 'is'} denser than tissue: perhaps embolised tumour or no tumour.",
    )


def left_out_lesions(phase: str, sizes_ml: Sequence[float], minimum_ml: float) -> Tuple[str, ...]:
    """Return a sentence if lesions were left out since the model draws wrong ones in this contrast phase.

    Args:
        phase: as the phase is estimated.
        sizes_ml: their volumes in ml.
        minimum_ml: below which they are left out.
    """
    if not sizes_ml:
        return ()
    where = "without contrast medium" if phase == "unenhanced" else "in this contrast phase"
    total = f"{sum(sizes_ml):.1f} ml"
    if len(sizes_ml) == 1:
        what = f"1 supposed lesion under {minimum_ml:g} ml ({total}) was left out"
    else:
        what = f"{len(sizes_ml)} supposed lesions under {minimum_ml:g} ml ({total} together) were left out"
    return (
        f"{what}: {where} most small ones that the model draws are vessels. "
        "To see them, set the smallest lesion yourself.",
    )


def ratio_phase(phase: Optional[str]) -> Tuple[str, ...]:
    """Return a sentence if the liver-to-spleen ratio means little in this contrast phase."""
    if phase == "unenhanced":
        return ()
    return (RATIO_WITH_UNKNOWN_PHASE,) if phase in (None, "unknown") else (RATIO_WITH_CONTRAST,)


def each_once(sentences: Iterable[str]) -> Tuple[str, ...]:
    """Return the sentences in their order without repetitions."""
    return tuple(dict.fromkeys(sentences))


def _listed(words: List[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
