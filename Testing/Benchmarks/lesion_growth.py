"""Fit how far a model's lesions grow: Dice of lesions as drawn and as grown, each patient left out in turn.

    python Testing/Benchmarks/lesion_growth.py DATA [--model NAME] [--new ID ...] [--write model.json]

DATA holds dataset.json. Of its training scans with complete tumors, ``--new`` names those that the model's
networks never saw: only they tell what becomes of new patients, so only they choose. On the others, which the
networks know by heart, it is shown what growing costs. Validation patients have no part in it.
"""

import argparse
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from as_drawn import as_drawn, model_file, write_rule  # noqa: E402

from LiverSegLib import Segmenter  # noqa: E402
from LiverSegLib.errors import NoLiverError  # noqa: E402
from LiverSegLib.images.grid import Grid  # noqa: E402
from LiverSegLib.labels import TUMOUR  # noqa: E402
from LiverSegLib.masks.lesion_growth import grown_lesions  # noqa: E402

NEW = ("crlm1100", "crlm1100-wide", "lits117")
EVIDENCE, LEAST, REACH_MM, REACH_SHARE = (0.0, 2.0, 4.0), (0.2, 0.3, 0.4), (2.0, 4.0), (0.3, 0.6)


class Setting(NamedTuple):
    """See ``masks.lesion_growth``."""

    evidence: float
    least: float
    reach_mm: float
    reach_share: float


class Case(NamedTuple):
    """One scan: Dice, and drawn volume as a share of the true one, as drawn and with each setting."""

    id: str
    patient: str
    dice: Dict[Optional[Setting], float]
    volume: Dict[Optional[Setting], float]


SETTINGS = [Setting(*values) for values in itertools.product(EVIDENCE, LEAST, REACH_MM, REACH_SHARE)]


def measured(data: Path, entry: Dict[str, Any], segmenter: Segmenter) -> Optional[Case]:
    """Segment a scan, then let its lesions grow by each setting; None if no liver is found."""
    try:
        result = segmenter.segment(sitk.ReadImage(str(data / entry["image"])))
    except NoLiverError:
        return None
    truth = sitk.GetArrayFromImage(sitk.ReadImage(str(data / entry["label"]))) == TUMOUR
    drawn = sitk.GetArrayFromImage(result.labels) == TUMOUR
    case = Case(entry["id"], entry["patient"], {}, {})
    for setting in (None, *SETTINGS):
        mask = drawn
        if setting is not None:
            labels, image = Grid.of(result.image).image(sitk.GetArrayFromImage(result.labels)), result.image
            mask = drawn | grown_lesions(labels, image, result.probability, **setting._asdict())
        both, total = np.count_nonzero(mask & truth), np.count_nonzero(mask) + np.count_nonzero(truth)
        case.dice[setting] = 2 * both / total if total else 1.0
        case.volume[setting] = np.count_nonzero(mask) / max(1, np.count_nonzero(truth))
    return case


def mean_dice(cases: Sequence[Case], setting: Optional[Setting]) -> float:
    """Mean over patients of the means over their scans."""
    patients = {case.patient for case in cases}
    means = [np.mean([case.dice[setting] for case in cases if case.patient == one]) for one in patients]
    return float(np.mean(means))


def best(cases: Sequence[Case]) -> Setting:
    """The setting with the highest mean Dice over patients."""
    return max(SETTINGS, key=lambda setting: mean_dice(cases, setting))


def report(cases: Sequence[Case], new: Sequence[str], chosen: Setting) -> str:
    """A row for each scan: as drawn, with the chosen setting, and by what the other new patients choose."""
    lines = [f"{'case':<22}{'drawn':>7}{'volume':>8}{'grown':>8}{'volume':>8}   left out"]
    fresh = [case for case in cases if case.id in new]
    for case in cases:
        row = f"{case.id:<22}{case.dice[None]:>7.3f}{100 * case.volume[None]:>7.0f}%"
        row += f"{case.dice[chosen]:>8.3f}{100 * case.volume[chosen]:>7.0f}%"
        others = [other for other in fresh if other.patient != case.patient]
        if case.id in new and others:
            own = best(others)
            row += f"   {case.dice[own]:.3f} by {tuple(own)}"
        lines.append(row + ("" if case.id in new else "   the networks were trained on it"))
    return "\n".join(lines)


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--new", nargs="+", default=list(NEW), help="scans that the networks never saw")
    parser.add_argument("--write", type=model_file, help="a model.json that gets the setting")
    options = parser.parse_args(arguments)
    cases = measured_cases(options.data, options.model)
    fresh = [case for case in cases if case.id in options.new]
    if not fresh:
        parser.error("none of the scans given by --new is a training scan with complete tumors")
    chosen = best(fresh)
    print(report(cases, options.new, chosen))
    for setting in sorted(SETTINGS, key=lambda one: -mean_dice(fresh, one))[:8]:
        known = [case for case in cases if case.id not in options.new]
        costs = f", the others {mean_dice(known, setting):.3f}" if known else ""
        print(f"new patients {mean_dice(fresh, setting):.3f}{costs}: {tuple(setting)}")
    print(json.dumps(chosen._asdict()))
    if options.write:
        write_rule(options.write, "lesion_growth", chosen._asdict())


def measured_cases(data: Path, model: str) -> List[Case]:
    """Every training scan with complete tumors."""
    entries = json.loads((data / "dataset.json").read_text(encoding="utf-8"))["cases"]
    wanted: Tuple[Dict[str, Any], ...] = tuple(
        entry for entry in entries if entry["split"] == "train" and "liver tumour" in entry["annotated"]
    )
    found = []
    with tempfile.TemporaryDirectory() as room:
        segmenter = Segmenter(str(as_drawn(model, Path(room))))
        for entry in wanted:
            case = measured(data, entry, segmenter)
            if case is not None:
                found.append(case)
            print(f"  {entry['id']}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
