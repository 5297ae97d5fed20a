"""Results of ``liverseg evaluate`` read again: its JSON file, its table, or the folder that holds them."""

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..errors import InputError, UnreadableImageError
from .tables import exported_metrics

JSON_NAME, CSV_NAME = "evaluation.json", "cases.csv"


@dataclass(frozen=True)
class Row:
    """A structure of a case.

    Attributes:
        presence: as ``score.StructureScore`` has it.
        reference_ml, prediction_ml: volumes.
        metrics: key -> value, None where undefined.
    """

    presence: str
    reference_ml: float
    prediction_ml: float
    metrics: Mapping[str, Optional[float]]


@dataclass(frozen=True)
class ResultFile:
    """One result.

    Attributes:
        path: where it was read.
        name: for people: the name of the predictions' folder, else of the file.
        rows: (structure, case) -> row.
    """

    path: str
    name: str
    rows: Mapping[Tuple[str, str], Row]

    @property
    def structures(self) -> Tuple[str, ...]:
        """Names of its structures, in its order."""
        return tuple(dict.fromkeys(structure for structure, _ in self.rows))

    @property
    def cases(self) -> Tuple[str, ...]:
        """Names of its cases, sorted."""
        return tuple(sorted({case for _, case in self.rows}))


def read_result(path: Path) -> ResultFile:
    """Read a result.

    Args:
        path: the JSON file, the table, or the folder of both.

    Raises:
        UnreadableImageError: there is no such file.
        InputError: it is no result of ``liverseg evaluate``.
    """
    file = path
    if path.is_dir():
        file = next((path / name for name in (JSON_NAME, CSV_NAME) if (path / name).is_file()), path)
        if file is path:
            raise UnreadableImageError(f"The folder {path} holds no {JSON_NAME} and no {CSV_NAME}.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UnreadableImageError(f"There is no file {file}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(_not_a_result(file), str(error)) from error
    try:
        found = _of_table(file, text) if file.suffix.lower() == ".csv" else _of_json(file, text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(_not_a_result(file), repr(error)) from error
    if not found.rows:
        raise InputError(f"{file} holds no case.")
    return found


def _not_a_result(file: Path) -> str:
    return f"{file} is no result of `liverseg evaluate`."


def _of_json(file: Path, text: str) -> ResultFile:
    content = json.loads(text)
    rows: Dict[Tuple[str, str], Row] = {}
    for case in content["cases"]:
        for item in case["structures"]:
            _add(
                rows,
                file,
                (str(item["structure"]), str(case["case"])),
                Row(
                    str(item["presence"]),
                    float(item["reference_ml"]),
                    float(item["prediction_ml"]),
                    {str(key): _number(value) for key, value in item["metrics"].items()},
                ),
            )
    return ResultFile(str(file), str(content.get("title") or file.stem), rows)


def _of_table(file: Path, text: str) -> ResultFile:
    lines: List[Dict[str, Any]] = list(csv.DictReader(text.splitlines()))
    rows: Dict[Tuple[str, str], Row] = {}
    for line in lines:
        _add(
            rows,
            file,
            (line["structure"], line["case"]),
            Row(
                line["presence"],
                float(line["reference_ml"]),
                float(line["prediction_ml"]),
                {key: _number(line[key]) for key in exported_metrics() if key in line},
            ),
        )
    return ResultFile(str(file), file.parent.name or file.stem, rows)


def _add(rows: Dict[Tuple[str, str], Row], file: Path, key: Tuple[str, str], row: Row) -> None:
    if key in rows:
        raise InputError(f'{file} has the case "{key[1]}" twice.')
    rows[key] = row


def _number(value: Any) -> Optional[float]:
    """A number of the file; None where it has none."""
    if value is None or value == "":
        return None
    number = float(value)
    return number if math.isfinite(number) else None
