"""Which warning stands where, so that each is said once, at the number it concerns."""

from typing import Dict, Iterable, List, Sequence, Tuple

from .measurements import Lesion, Measurements

BURDEN, RATIO = "burden", "ratio"


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
    elsewhere, numbers = set(measurements_say), {}  # type: ignore[var-annotated]
    for lesion in lesions:
        for text in dict.fromkeys(lesion.warnings):
            if text not in elsewhere:
                numbers.setdefault(text, []).append(lesion.number)
    return tuple((text, tuple(found)) for text, found in numbers.items())


def lesion_numbers(numbers: Sequence[int]) -> str:
    """Return "Lesion 2" or "Lesions 2, 3, 5"."""
    return f"{'Lesion' if len(numbers) == 1 else 'Lesions'} {', '.join(map(str, numbers))}"
