"""What painted cases bring a segmenter: the same network trained with and without them, on the same patients.

    python Testing/Benchmarks/painted.py DATA OUT [--seeds N] [--steps N] [--painter-steps N]

DATA is a folder with dataset.json. In OUT a painter is trained on its training patients (the recipe
cgan-paint-ct) and paints cases from their label maps, once. Then for each seed a segmenter is trained with
the real cases alone and one with the painted ones beside them, for as many steps, and both are judged on the
validation patients, whom neither painter nor segmenter has seen. What is done already is not done again, and
a run that was stopped goes on.

It prints the mean Dice of both, and their difference: for each patient the mean over its scans and all seeds.
The patients are the sample, not scans or seeds; the spread over the seeds says how much chance there is.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
ARMS = ("real", "painted")
PAINTER, SEGMENTER = "cgan-paint-ct", "gan-liver-2d"
"""Ready recipes; the segmenter's is trained in the plain way, without its adversarial loss."""

Rows = List[Dict[str, Any]]
"""Dice by arm, seed, patient, case and structure."""


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """Command line."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--count", type=int, default=20, help="painted cases")
    parser.add_argument("--painter-steps", type=int, default=20000)
    for name in ("--painter", "--segmenter"):
        parser.add_argument(name, action="append", default=[], metavar="KEY=VALUE", help="of its recipe")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    rows = measure(options)
    found = [compared(rows, structure) for structure in sorted({row["structure"] for row in rows})]
    print(json.dumps({"rows": rows, "compared": found}) if options.json else text(found, options))


def measure(options: argparse.Namespace) -> Rows:
    """Train what is not trained yet; the Dice of all runs."""
    painted = paint(options)
    rows: Rows = []
    for seed in range(options.seeds):
        for arm in ARMS:
            rows += trained(options, arm, seed, painted)
    return rows


def paint(options: argparse.Namespace) -> Path:
    """The data set of painted cases, made if it is not there."""
    from LiverSegLib.training.fit import train
    from LiverSegLib.training.methods.painting import write_painted
    from LiverSegLib.training.recipe import read_recipe
    from LiverSegLib.training.run_folder import RunFolder

    painted: Path = options.out / "painted"
    if not painted.exists():
        changes = [f"data.folder={options.data}", f"training.steps={options.painter_steps}", *options.painter]
        run = options.out / "painter"
        train(read_recipe(PAINTER, changes), run)
        write_painted(RunFolder(run), painted, options.count)
    return painted


def trained(options: argparse.Namespace, arm: str, seed: int, painted: Path) -> Rows:
    """The Dice of one run, which is trained if it is not yet."""
    from LiverSegLib.training.data import read_cases
    from LiverSegLib.training.fit import train
    from LiverSegLib.training.recipe import read_recipe
    from LiverSegLib.training.run_folder import RunFolder

    more = f"[{{folder: {painted}, layout: project}}]" if arm == "painted" else "[]"
    recipe = read_recipe(SEGMENTER, [
        "method={name: supervised}", f"data.folder={options.data}", f"data.cache={options.out / 'cache'}",
        "validation.every=0", "validation.cases=null", f"training.steps={options.steps}", *options.segmenter,
        f"seed={seed}", f"data.more={more}",
    ])  # fmt: skip
    run = RunFolder(options.out / f"{arm}-{seed}")
    if not run.validation.exists():  # validated at the last step alone
        train(recipe, run.path)
    patients = {case.id: case.patient for case in read_cases(recipe.data).cases}
    found = run.read_json(run.validation) or {"cases": []}
    return [
        {"arm": arm, "seed": seed, "patient": patients[row["id"]], "case": row["id"], "structure": name,
         "dice": row[name]}
        for row in found["cases"]
        for name in recipe.structures
        if row.get(name) is not None
    ]  # fmt: skip


def compared(rows: Sequence[Mapping[str, Any]], structure: str) -> Dict[str, Any]:
    """Both arms for a structure, and their difference over the patients."""
    from LiverSegLib.evaluation.agreement import wilcoxon_signed_rank

    here = [row for row in rows if row["structure"] == structure]
    patients = sorted({row["patient"] for row in here})
    by_patient = {arm: [patient_mean(here, patient, arm=arm) for patient in patients] for arm in ARMS}
    differences = [after - before for before, after in zip(by_patient["real"], by_patient["painted"])]
    seeds = sorted({row["seed"] for row in here})
    by_seed = [
        mean([
            patient_mean(here, patient, arm="painted", seed=seed)
            - patient_mean(here, patient, arm="real", seed=seed)
            for patient in patients
        ])
        for seed in seeds
    ]  # fmt: skip
    test = wilcoxon_signed_rank(by_patient["real"], by_patient["painted"]) if len(patients) > 1 else None
    return {
        "structure": structure, "patients": patients,
        **{arm: mean(by_patient[arm]) for arm in ARMS},
        "difference": mean(differences), "difference_by_patient": differences, "difference_by_seed": by_seed,
        "p": None if test is None else test.p_value,
    }  # fmt: skip


def patient_mean(rows: Sequence[Mapping[str, Any]], patient: str, **where: Any) -> float:
    """Mean Dice of a patient over his scans, and over the seeds if none is given."""
    chosen = [
        row["dice"]
        for row in rows
        if row["patient"] == patient and all(row[key] == value for key, value in where.items())
    ]
    return mean(chosen)


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean."""
    return sum(values) / len(values)


def text(found: Sequence[Mapping[str, Any]], options: argparse.Namespace) -> str:
    """The result for people."""
    lines = [f"Mean Dice over patients after {options.steps} steps, {options.seeds} seeds"]
    for row in found:
        p = "no test" if row["p"] is None else f"Wilcoxon p = {row['p']:.3f}"
        patients = ", ".join(
            f"{name} {value:+.3f}" for name, value in zip(row["patients"], row["difference_by_patient"])
        )
        seeds = ", ".join(f"{value:+.3f}" for value in row["difference_by_seed"])
        lines += [
            f"{row['structure']}: real alone {row['real']:.3f}, with painted cases {row['painted']:.3f}, "
            f"difference {row['difference']:+.3f} ({len(row['patients'])} patients, {p})",
            f"    by patient: {patients}",
            f"    by seed: {seeds}",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
