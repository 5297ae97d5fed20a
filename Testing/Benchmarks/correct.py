"""What clicks of a simulated reader bring, by LiverSegLib.correct and by what a user would take instead.

    python Testing/Benchmarks/correct.py DATA_FOLDER [--cases val] [--clicks 10] [--cache FOLDER]

DATA_FOLDER holds dataset.json (see docs/accuracy.md). Organs begin with the model's mask; lesions of 10 mm
and more with it, and with nothing, where the network's probability is withheld too.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from correct_baselines import BASELINES
from correct_cases import Task, load_cases, tasks_of
from correct_reader import Corrector, Ours, Step, read

GOALS = (0.85, 0.90)
SHOWN = (0, 1, 3, 5, 10)


def ours(task: Task) -> Corrector:
    """LiverSegLib.correct; with the network's probability unless the reader begins with nothing."""
    return Ours(task, task.case.probability if task.origin == "model" else None)


METHODS: Dict[str, Callable[[Task], Corrector]] = {"correct": ours, **BASELINES}


def summary(runs: Sequence[List[Step]]) -> Dict[str, Any]:
    """The figures of one method on tasks of one kind."""
    clicks = len(runs[0]) - 1
    curves = np.array([[step.dice for step in run] for run in runs])
    after = [step for run in runs for step in run[1:] if step.seconds > 0]
    changed = sum(step.changed for step in after)
    row: Dict[str, Any] = {"tasks": len(runs)}
    row.update({f"Dice {n}": float(curves[:, n].mean()) for n in SHOWN if n <= clicks})
    near = [run[n].surface_dice for run in runs for n in (min(5, clicks),)]
    row["surface 5"] = float(np.mean([value for value in near if value is not None] or [np.nan]))
    row["area"] = float(np.trapezoid(curves, axis=1).mean() / clicks)
    for goal in GOALS:
        reached = [int(np.argmax(curve >= goal)) if (curve >= goal).any() else clicks + 1 for curve in curves]
        row[f"clicks to {goal:.2f}"] = f"{np.median(reached):g} ({sum(r <= clicks for r in reached)})"
    row["harmed %"] = 100 * sum(step.harmed for step in after) / max(1, changed)
    row["s"] = float(np.median([step.seconds for step in after] or [0]))
    row["s p95"] = float(np.percentile([step.seconds for step in after] or [0], 95))
    row["cpu s"] = float(np.median([step.cpu for step in after] or [0]))
    row["cpu p95"] = float(np.percentile([step.cpu for step in after] or [0], 95))
    return row


def print_table(rows: Sequence[Dict[str, Any]]) -> None:
    """Print rows as a Markdown table."""
    columns = list(rows[0])
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        cells = [f"{row[c]:.3f}" if isinstance(row[c], float) else str(row[c]) for c in columns]
        print("| " + " | ".join(cells) + " |")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure what clicks of a simulated reader bring.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", nargs="+", default=["val"], help="a split, or cases' identifiers")
    parser.add_argument("--targets", nargs="+", default=["liver", "spleen", "tumor"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--clicks", type=int, default=10)
    parser.add_argument("--cache", type=Path, default=Path("benchmark-output/correct"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    runs: Dict[Tuple[str, str, str], List[List[Step]]] = {}
    details: List[Dict[str, Any]] = []
    for case in load_cases(options.data, options.cases, options.cache):
        for task in tasks_of(case):
            if task.target not in options.targets:
                continue
            for method in options.methods:
                steps = read(task, METHODS[method], options.clicks)
                runs.setdefault((task.target, task.origin, method), []).append(steps)
                detail = {
                    "case": case.name, "target": task.target, "from": task.origin, "method": method,
                    "expert": task.expert, "diameter_mm": round(task.diameter_mm, 1),
                    "steps": [step._asdict() for step in steps],
                }  # fmt: skip
                details.append(detail)
                curve = " ".join(f"{step.dice:.3f}" for step in steps)
                size = f"{task.diameter_mm:.0f} mm"
                print(
                    f"  {case.name} {task.target} {size} from {task.origin}, {method}: {curve}",
                    file=sys.stderr,
                )
    rows = [
        {"target": target, "from": origin, "method": method, **summary(found)}
        for (target, origin, method), found in sorted(runs.items(), key=lambda item: item[0][:2])
    ]
    if not rows:
        print("There is nothing to correct in these cases.", file=sys.stderr)
        return 2
    print_table(rows)
    if options.json:
        options.json.write_text(
            json.dumps({"rows": rows, "details": details}, indent=1) + "\n", encoding="utf-8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
