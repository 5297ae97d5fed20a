"""The sentences that say what makes a number doubtful, the thresholds behind them, and where each stands."""

from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

from ..images.grid import are_thick_slices
from ..sentences import Sentence, listed
from .borders import FIELD_OF_VIEW, border_word
from .measurements import Lesion, Measurements

MEASURABLE_MM = 10.0
"""Least longest diameter of a measurable lesion on CT with slices up to 5 mm (RECIST 1.1, section 3.1.1)."""
DENSE_LESION_HU = 200.0
"""Mean attenuation above which a lesion is likely to hold something dense where the aorta's is not known: a
limit of ours, about what an aorta has early in the portal venous phase."""
ENHANCED_BLOOD_HU = 75.0
"""Blood without contrast medium has 30 to 60 HU: an aorta below this is no measure for an enhanced vessel."""

BURDEN, RATIO = "burden", "ratio"
"""Places of warnings beside the keys of the organs."""

NO_LIVER = Sentence("volume.no-liver")
NO_SPLEEN = Sentence("volume.no-spleen")
BURDEN_OF_CUT_LIVER = Sentence("volume.burden-of-cut-liver")
TUMOURS_OF_CUT_LIVER = Sentence("volume.tumours-of-cut-liver")
UNENHANCED_TUMOURS = Sentence("volume.unenhanced-tumours")
RATIO_WITH_CONTRAST = Sentence("volume.ratio-with-contrast")
RATIO_WITH_UNKNOWN_PHASE = Sentence("volume.ratio-unknown-phase")
NOT_SEGMENTED = Sentence("volume.not-segmented")
NEAR_CUT_FACE = Sentence("lesion.near-cut")


def thick_slices(slice_spacing: float) -> Tuple[str, ...]:
    """Return a sentence if the slices (mm) are too thick for precise numbers."""
    if not are_thick_slices(slice_spacing):
        return ()
    return (Sentence("volume.thick-slices", mm=float(slice_spacing)),)


def cut_off(key: str, touches: Sequence[str], **arguments: Any) -> Tuple[str, ...]:
    """Return a sentence if a structure reaches the borders ``touches`` of the scan.

    Args:
        key: which sentence; it takes the place that is reached as its argument ``place``.
        touches: words for the borders.
        **arguments: what else it takes.
    """
    if not touches:
        return ()
    borders = [border_word(word) for word in touches if word != FIELD_OF_VIEW]
    places: List[str] = []
    if len(borders) == 1:
        places.append(Sentence("place.border", border=borders[0]))
    elif borders:
        places.append(Sentence("place.borders", borders=listed(borders)))
    if FIELD_OF_VIEW in touches:
        places.append(Sentence("place.field-of-view"))
    return (Sentence(key, place=listed(places), **arguments),)


def too_small(longest_diameter_mm: float, slice_spacing: float) -> Tuple[str, ...]:
    """Return a sentence if a lesion is not measurable by RECIST 1.1 (Eisenhauer 2009, section 3.1.1).

    That is: under 10 mm or, where slices are thicker than 5 mm, under twice their thickness.
    """
    least = 2 * slice_spacing if are_thick_slices(slice_spacing) else MEASURABLE_MM
    if longest_diameter_mm >= least:
        return ()
    return (Sentence("lesion.too-small", mm=float(least)),)


def enhanced_blood(phase: Optional[str], aorta_hu: Optional[float]) -> Optional[float]:
    """Return the aorta's attenuation (HU) if it holds contrast medium, else None."""
    if aorta_hu is None or phase == "unenhanced" or aorta_hu < ENHANCED_BLOOD_HU:
        return None
    return aorta_hu


def too_dense(mean_hu: Optional[float], blood_hu: Optional[float] = None) -> Tuple[str, ...]:
    """Return a sentence if a lesion's mean attenuation (HU) is hardly that of tissue.

    Tissue enhances less than the blood that feeds it, so what is as dense as the aorta is blood or denser
    than blood.

    Args:
        mean_hu: of the lesion; None where it is not measured, as on MR.
        blood_hu: of the enhanced aorta; without it DENSE_LESION_HU decides.
    """
    if mean_hu is None:
        return ()
    if blood_hu is not None:
        if mean_hu < blood_hu:
            return ()
        return (Sentence("lesion.dense-as-aorta", hu=float(mean_hu), aorta=float(blood_hu)),)
    if mean_hu <= DENSE_LESION_HU:
        return ()
    return (Sentence("lesion.too-dense", hu=float(mean_hu)),)


def dense_lesions(
    all_of: int, dense_ml: Sequence[float], blood_hu: Optional[float] = None
) -> Tuple[str, ...]:
    """Return a sentence if lesions hardly consist of tissue, for the numbers that count them as tumour.

    Args:
        all_of: number of lesions.
        dense_ml: volumes in ml of those for which ``too_dense`` has a sentence.
        blood_hu: as for ``too_dense``.
    """
    if not dense_ml:
        return ()
    total, kind = float(sum(dense_ml)), "dense" if blood_hu is None else "dense-as-aorta"
    if all_of == 1:
        return (Sentence(f"lesion.only-one-{kind}", ml=total),)
    if len(dense_ml) == 1:
        return (Sentence(f"lesion.one-{kind}", all_of=all_of, ml=total),)
    return (Sentence(f"lesion.several-{kind}", count=len(dense_ml), all_of=all_of, ml=total),)


def left_out_lesions(phase: str, sizes_ml: Sequence[float], minimum_ml: float) -> Tuple[str, ...]:
    """Return a sentence if lesions were left out since the model draws wrong ones in this contrast phase.

    Args:
        phase: as the phase is estimated.
        sizes_ml: their volumes in ml.
        minimum_ml: below which they are left out.
    """
    if not sizes_ml:
        return ()
    total, count = float(sum(sizes_ml)), len(sizes_ml)
    if count == 1:
        key = "lesion.one-left-out-unenhanced" if phase == "unenhanced" else "lesion.one-left-out"
        return (Sentence(key, least=minimum_ml, ml=total),)
    key = "lesion.several-left-out-unenhanced" if phase == "unenhanced" else "lesion.several-left-out"
    return (Sentence(key, count=count, least=minimum_ml, ml=total),)


def unlikely_lesions(count: int, volume_ml: float) -> Tuple[str, ...]:
    """Return a sentence if lesions were left out since a second look takes them for none.

    Args:
        count: how many.
        volume_ml: of all together, in ml.
    """
    if count == 1:
        return (Sentence("lesion.one-unlikely", ml=volume_ml),)
    return (Sentence("lesion.several-unlikely", count=count, ml=volume_ml),) if count else ()


def ratio_phase(phase: Optional[str]) -> Tuple[str, ...]:
    """Return a sentence if the liver-to-spleen ratio means little in this contrast phase."""
    if phase == "unenhanced":
        return ()
    return (RATIO_WITH_UNKNOWN_PHASE,) if phase in (None, "unknown") else (RATIO_WITH_CONTRAST,)


def each_once(sentences: Iterable[str]) -> Tuple[str, ...]:
    """Return the sentences in their order without repetitions."""
    return tuple(dict.fromkeys(sentences))


def warnings_by_place(measurements: Measurements, warnings: Iterable[str]) -> Dict[str, Tuple[str, ...]]:
    """Return place -> its warnings; no sentence stands at two places.

    What is said of two organs or more concerns the scan. Of the tumours and their burden, it stands at the
    tumours.

    Args:
        measurements: what was measured.
        warnings: all sentences on the result, those of its organs and of the burden among them.

    Returns:
        "scan", the key of each organ, "burden" and "ratio" -> sentences.
    """
    organs = [organ for organ in measurements.organs if organ.warnings]
    said = [sentence for organ in organs for sentence in dict.fromkeys(organ.warnings)]
    of_all = {sentence for sentence in said if said.count(sentence) > 1}
    places: Dict[str, Tuple[str, ...]] = {}
    stands = set(of_all)
    concerned: List[Tuple[str, Sequence[str]]] = [
        (organ.key, organ.warnings) for organ in measurements.organs
    ]
    concerned += [(BURDEN, measurements.burden_warnings), (RATIO, measurements.liver_spleen_warnings)]
    for place, sentences in concerned:
        places[place] = tuple(text for text in dict.fromkeys(sentences) if text not in stands)
        stands.update(places[place])
    rest = [text for text in (*warnings, *measurements.warnings) if text in of_all or text not in stands]
    places["scan"] = tuple(dict.fromkeys(rest))
    return places


def warnings_of_lesions(
    lesions: Sequence[Lesion], measurements_say: Iterable[str]
) -> Tuple[Tuple[str, Tuple[int, ...]], ...]:
    """Return each sentence on lesions once, with the numbers of those that it concerns.

    Args:
        lesions: in the order of the table.
        measurements_say: sentences that stand elsewhere already.
    """
    elsewhere = set(measurements_say)
    numbers: Dict[str, List[int]] = {}
    for lesion in lesions:
        for text in dict.fromkeys(lesion.warnings):
            if text not in elsewhere:
                numbers.setdefault(text, []).append(lesion.number)
    return tuple((text, tuple(found)) for text, found in numbers.items())


def lesion_numbers(numbers: Sequence[int]) -> str:
    """Return "Lesion 2" or "Lesions 2, 3, 5"."""
    return f"{'Lesion' if len(numbers) == 1 else 'Lesions'} {', '.join(map(str, numbers))}"
