"""Fit the networks of LiverSegLib.correct to simulated clicks in scans of training patients.

    python Testing/Benchmarks/correct_fit.py gather DATA_FOLDER CLICKS_FOLDER [--cache FOLDER]
    python Testing/Benchmarks/correct_fit.py check CLICKS_FOLDER DATA_FOLDER [--cache FOLDER]
    python Testing/Benchmarks/correct_fit.py write CLICKS_FOLDER [--to LiverSegLib/correct/perceptron.npz]

``gather`` lets a reader click on errors and keeps what is seen there; ``check`` leaves a fifth of the
patients out at a time, fits to the others and lets the reader correct theirs; ``write`` fits to all and
writes the weights. Validation patients take no part. The networks need PyTorch here, but not where they are
used.
"""

import argparse
import pickle
import sys
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple
from unittest.mock import patch

import correct_errors
import numpy as np
import torch
from correct import METHODS, print_table, summary
from correct_cases import Task, load_cases
from correct_clicks import Click, clicks_of
from correct_errors import training_tasks
from correct_reader import Step, read
from correct_train import RECIPES, Samples, arrays_of, sampled, trained

from LiverSegLib.correct import energy, perceptron
from LiverSegLib.correct.perceptron import Perceptrons, perceptrons

CASES = (
    "lits00 lits01 lits03 lits04 lits06 lits08 lits12 lits13 lits117 crlm1100 hcc006-990806-s103-a3"
    " hcc007-971227-s4-a3 hcc007-980314-s4-a3 hcc007-980314-s2-a1 hcc009-980215-s103-a3 hcc009-980215-s4-a1"
    " hcc009-980320-s107-a3 hcc011-portal hcc048 kits00000-late pancreas-cb001 cptac00189 acrin001-b"
).split()
FOLDS = (
    ("lits-a", "hcc009", "lits-12"),
    ("lits-04", "hcc006", "lits-13", "kits00000"),
    ("lits-f", "pancreas-cb001", "cptac00189"),
    ("crlm1100", "hcc007", "acrin001"),
    ("lits-117", "lits-03", "hcc011", "hcc048"),
)
"""Patients left out together; several scans of one patient never part."""
MEMBERS = 3
"""Networks whose logits are averaged in the product."""


def gather(options: argparse.Namespace) -> None:
    """Keep what is seen at clicks in the training cases, a file for each case.

    With ``--earlier``, the reader works with networks fitted to the clicks there in other patients.
    """
    options.clicks.mkdir(parents=True, exist_ok=True)
    networks = _networks_of_folds(options.earlier) if options.earlier else []
    for case in load_cases(options.data, options.cases, options.cache):
        if case.entry["split"] != "train":
            raise SystemExit(f"{case.name} is no training case")
        rng = np.random.default_rng([options.seed, zlib.crc32(case.name.encode())])
        seen: List[Click] = []
        used = [one for fold, one in zip(FOLDS, networks) if case.entry["patient"] in fold]
        with patch.object(energy, "perceptrons", lambda used=used: used[0] if used else perceptrons()):
            for number, task in enumerate(training_tasks(case, rng)):
                seen += [click.packed() for click in clicks_of(task, f"{case.name} {number}", rng)]
        with open(options.clicks / f"{case.name}-{options.seed}.pkl", "wb") as file:
            pickle.dump(seen, file, protocol=5)
        print(f"{case.name}: {len(seen)} clicks", file=sys.stderr)


def samples_in(folder: Path) -> Dict[str, Samples]:
    """Return samples of all kept clicks by the kind of action."""
    rng = np.random.default_rng(0)

    def kept() -> Iterator[Click]:
        for path in sorted(folder.glob("*.pkl")):
            with open(path, "rb") as file:
                yield from pickle.load(file)

    return sampled(kept(), rng)


def fitted(samples: Dict[str, Samples], members: int) -> Dict[str, Perceptrons]:
    """Return networks for each kind of action."""
    return {kind: trained(found, RECIPES[kind], range(members)) for kind, found in samples.items()}


def _networks_of_folds(folder: Path) -> List[Dict[str, Perceptrons]]:
    """Return for each fold networks that saw only the clicks of other patients."""
    samples = samples_in(folder)
    return [
        fitted({kind: found[~np.isin(found.patient, fold)] for kind, found in samples.items()}, 1)
        for fold in FOLDS
    ]


def check(options: argparse.Namespace) -> None:
    """Print what the reader achieves in patients left out, by networks that saw only the others."""
    runs: Dict[Tuple[str, str, str], List[List[Step]]] = {}
    for fold, networks in zip(FOLDS, _networks_of_folds(options.clicks)):
        with patch.object(energy, "perceptrons", lambda networks=networks: networks):
            for task in _left_out(options, fold):
                for method in options.methods:
                    steps = read(task, METHODS[method], options.count)
                    runs.setdefault((task.target, task.origin, method), []).append(steps)
    print_table(
        [
            {"target": target, "from": origin, "method": method, **summary(found)}
            for (target, origin, method), found in sorted(runs.items(), key=lambda item: item[0][:2])
        ]
    )


def _left_out(options: argparse.Namespace, fold: Sequence[str]) -> Iterator[Task]:
    """Yield the tasks of a fold's patients: the model's errors, missed lesions, one made error of each."""
    with patch.multiple(correct_errors, VARIANTS=1, NEW_LESIONS=1):
        for case in load_cases(options.data, options.cases, options.cache):
            if case.entry["patient"] in fold:
                yield from training_tasks(case, np.random.default_rng([99, zlib.crc32(case.name.encode())]))


def write(options: argparse.Namespace) -> None:
    """Fit to all patients and write the weights."""
    arrays = arrays_of(fitted(samples_in(options.clicks), MEMBERS))
    np.savez_compressed(options.to, **arrays)
    count = sum(array.size for name, array in arrays.items() if not name.endswith("/names"))
    print(f"{options.to}: {count} weights, {options.to.stat().st_size / 1024:.0f} kB")
    for kind, networks in perceptron.unpacked(arrays).items():
        for layers in networks.members[:1] if len(networks.members[0]) == 1 else ():
            weights = {name: round(float(weight[0]), 2) for name, weight in zip(networks.names, layers[0][0])}
            print(kind, {"bias": round(float(layers[0][1][0]), 2), **weights})


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Fit the networks of LiverSegLib.correct.")
    commands = parser.add_subparsers(dest="command", required=True)
    steps: Dict[str, Any] = {"gather": gather, "check": check, "write": write}
    for name in steps:
        command = commands.add_parser(name)
        folders = {"gather": ("data", "clicks"), "check": ("clicks", "data"), "write": ("clicks",)}[name]
        for folder in folders:
            command.add_argument(folder, type=Path)
        if name == "write":
            command.add_argument("--to", type=Path, default=perceptron.WEIGHTS)
            continue
        command.add_argument("--cases", nargs="+", default=CASES)
        command.add_argument("--cache", type=Path, default=Path("benchmark-output/correct"))
        command.add_argument("--earlier", type=Path, help="gather: a folder of clicks")
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--count", type=int, default=5, help="clicks")
        command.add_argument("--methods", nargs="+", default=["correct"], choices=list(METHODS))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    steps[options.command](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
