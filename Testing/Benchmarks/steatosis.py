"""How far the fatty-liver numbers can be trusted: on digital patients of known attenuation, and on labelled
scans.

    python Testing/Benchmarks/steatosis.py [DATA_FOLDER] [--only phantom|real] [--draws 50] [--masks FOLDER]

The digital patients need nothing else. DATA_FOLDER holds dataset.json (see docs/accuracy.md); without it the
real part is left out. --masks keeps the model's masks for the next run. Returns 1 if a target is missed.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
from steatosis_phantom import Phantom, Tissue, make_phantom

from LiverSegLib.images.grid import NOT_SHEARED, Grid
from LiverSegLib.steatosis.assess import assess, ratio_interval
from LiverSegLib.steatosis.assessment import pair_ratios
from LiverSegLib.steatosis.conditions import Conditions
from LiverSegLib.steatosis.placement import place
from LiverSegLib.steatosis.roi import Placement, PlacementSettings, Roi
from LiverSegLib.steatosis.roi_statistics import RoiMeter

NOISE_HU = 15.0
BIAS_TARGET, SD_TARGET = 0.01, 0.015
"""Of the ratio, with five cubes of 10 mm in each organ, white noise and slices up to 5 mm."""
BLUR_MM = 0.6
"""SD of the Gaussian that blurs noise in the plane, about that of a soft-tissue kernel."""
TOUCHED_SHARE = 0.05
"""A cube with more than this share of vessel counts as touched."""
SECONDS_TARGET = {
    "measure one ROI": 0.010,
    "grade": 0.010,
    "place (110 slices)": 1.0,
    "place (600 slices)": 3.0,
}


@dataclass(frozen=True)
class Setting:
    """A phantom and how it is scanned."""

    tissue: Tissue
    slice_mm: float = 2.5
    blur_mm: float = 0.0
    count: int = 5

    @property
    def has_target(self) -> bool:
        """Whether the targets are meant for it."""
        return self.slice_mm <= 5 and self.blur_mm == 0 and self.count == 5


NORMAL = Tissue()
SETTINGS = (
    Setting(NORMAL),
    Setting(Tissue(liver=45.0)),
    Setting(Tissue(liver=30.0)),
    Setting(Tissue(liver=15.0)),
    Setting(NORMAL, slice_mm=1.25),
    Setting(NORMAL, slice_mm=5.0),
    Setting(NORMAL, slice_mm=10.0),
    Setting(NORMAL, slice_mm=10.0, count=15),
    Setting(NORMAL, blur_mm=BLUR_MM),
    Setting(NORMAL, slice_mm=5.0, blur_mm=BLUR_MM),
    Setting(NORMAL, slice_mm=5.0, blur_mm=BLUR_MM, count=15),
)
VESSEL_SETTINGS = (
    Setting(NORMAL),
    Setting(NORMAL, slice_mm=5.0),
    Setting(NORMAL, slice_mm=10.0),
    Setting(NORMAL, slice_mm=5.0, blur_mm=BLUR_MM),
)

Placer = Callable[[RoiMeter, int, int], Sequence[Roi]]
"""Places ``count`` ROIs in each organ, for noise draw number ``draw``: (meter, count, draw)."""


def automatic(meter: RoiMeter, count: int, draw: int) -> Sequence[Roi]:
    """The product's ROIs; the same seed for each draw, as a user would have it."""
    return place(meter, PlacementSettings(count=count)).rois


def random_cubes(meter: RoiMeter, count: int, draw: int) -> Sequence[Roi]:
    """Cubes at random places within the organ and out of lesions, and nothing else."""
    settings = PlacementSettings(count=count, margin_mm=0.0, lesion_margin_mm=0.0)
    rois: List[Roi] = []
    for number, organ in enumerate(("liver", "spleen")):
        sites = meter.sites(organ, settings)
        places, _, _ = sites.probable(sites.lattice(2.0))
        for index in places[np.random.default_rng([draw, number]).permutation(len(places))]:
            if sum(roi.organ == organ for roi in rois) == count:
                break
            if sites.obstacle(index) is None:
                rois.append(Roi(f"{organ}{len(rois)}", organ, sites.centre(index), sites.size))
    return rois


def measure_setting(setting: Setting, phantom: Phantom, draws: int, placer: Placer) -> Dict[str, float]:
    """Return bias and SD of the ratio over noise draws, and what the cubes hold."""
    ratios, covered, vessel, noise = [], 0, [], []
    blood = RoiMeter(phantom.blood, Grid.of(phantom.labels), _array(phantom))
    for draw in range(draws):
        meter = RoiMeter.of(phantom.scan(NOISE_HU, draw, blur_mm=setting.blur_mm), phantom.labels)
        rois = placer(meter, setting.count, draw)
        means = {o: np.array([meter.measure(r).mean_hu for r in rois if r.organ == o]) for o in meter.organs}
        ratios.append(pair_ratios(means["liver"], means["spleen"]).mean())
        low, high = ratio_interval(means["liver"], means["spleen"], seed=draw)
        covered += low <= phantom.tissue.ratio <= high
        vessel += [blood.measure(roi).mean_hu for roi in rois if roi.organ == "liver"]
        noise.append(meter.statistics("liver").noise_hu)
    return {
        "bias": float(np.mean(ratios) - phantom.tissue.ratio),
        "SD": float(np.std(ratios, ddof=1)),
        "interval holds": covered / draws,
        "noise HU": float(np.mean(noise)),
        "vessel %": 100 * float(np.mean(vessel)),
        "touched %": 100 * float(np.mean(np.array(vessel) > TOUCHED_SHARE)),
    }


def least_sd(setting: Setting, pixel_mm: float) -> float:
    """Return the SD of the ratio that white noise alone leaves in cubes of 10 mm."""
    voxels = 1000.0 / (pixel_mm**2 * setting.slice_mm) * setting.count
    tissue = setting.tissue
    relative = np.hypot(NOISE_HU / tissue.liver, NOISE_HU / tissue.spleen) / np.sqrt(voxels)
    return float(tissue.ratio * relative)


def phantom_tables(draws: int) -> List[str]:
    """Print bias, repeatability and vessel avoidance; return the targets missed."""
    missed = []
    rows = []
    for setting in SETTINGS:
        phantom = make_phantom(setting.tissue, slice_mm=setting.slice_mm)
        found = measure_setting(setting, phantom, draws, automatic)
        row = {**_describe(setting), "ratio": setting.tissue.ratio, **found}
        row["SD by noise alone"] = least_sd(setting, 0.8) if setting.blur_mm == 0 else None
        row["target"] = "-"
        if setting.has_target:
            met = abs(found["bias"]) <= BIAS_TARGET and found["SD"] <= SD_TARGET
            row["target"] = "met" if met else "MISSED"
            missed += [] if met else [f"ratio {setting.tissue.ratio:g}, {setting.slice_mm:g} mm slices"]
        rows.append(row)
        print(f"  {len(rows)} of {len(SETTINGS)} phantoms", file=sys.stderr, flush=True)
    columns = [
        "liver HU", "slices mm", "noise", "ROIs", "ratio", "bias", "SD", "SD by noise alone",
        "interval holds", "noise HU", "vessel %", "target",
    ]  # fmt: skip
    print(f"\nDigital patients: {draws} noise draws, noise {NOISE_HU:g} HU, voxels of 0.8 mm, cubes of 10 mm")
    print(f"Targets, for slices up to 5 mm and white noise: bias {BIAS_TARGET:g}, SD {SD_TARGET:g}\n")
    print_table(rows, columns)
    rows = []
    for setting in VESSEL_SETTINGS:
        phantom = make_phantom(setting.tissue, slice_mm=setting.slice_mm)
        whole = 100 * float(phantom.blood[_array(phantom) == 1].mean())
        for name, placer in (("random", random_cubes), ("automatic", automatic)):
            found = measure_setting(setting, phantom, draws, placer)
            rows.append({**_describe(setting), "cubes": name, "liver vessel %": whole, **found})
        print(f"  vessels: {len(rows) // 2} of {len(VESSEL_SETTINGS)}", file=sys.stderr, flush=True)
    print("\nVessels: automatic ROIs against cubes at random places within the organ\n")
    columns = ["slices mm", "noise", "cubes", "liver vessel %", "vessel %", "touched %", "bias", "SD"]
    print_table(rows, columns)
    return missed


def speed_table() -> List[str]:
    """Print how long things take on large scans; return the targets missed."""
    rows, missed = [], []
    for slices, slice_mm in ((110, 2.5), (600, 0.75)):
        voxels, grid, labels = _large_scan(slices, slice_mm)
        row: Dict[str, Any] = {"scan": f"512 x 512 x {slices}"}
        meter = _timed(row, "make meter", lambda: RoiMeter(voxels, grid, labels))  # noqa: B023
        statistics = _timed(row, "statistics", lambda: {o: meter.statistics(o) for o in meter.organs})  # noqa: B023
        placement: Placement = _timed(row, f"place ({slices} slices)", lambda: place(meter))  # noqa: B023
        values = _timed(row, "measure one ROI", lambda: meter.measure_all(placement.rois))  # noqa: B023
        row["measure one ROI"] /= len(values)
        conditions = Conditions.of(statistics, phase="unenhanced", kvp=120.0)
        liver = [reading for reading in values if reading[0].organ == "liver"]
        spleen = [reading for reading in values if reading[0].organ == "spleen"]
        _timed(row, "grade", lambda: assess(liver, spleen, conditions=conditions))  # noqa: B023
        missed += [
            f"{what}: {row[what]:.3f} s" for what in SECONDS_TARGET if row.get(what, 0) > SECONDS_TARGET[what]
        ]
        row["place"] = row.pop(f"place ({slices} slices)")
        rows.append(row)
    print("\nSeconds on large scans\n")
    columns = ["scan", "make meter", "statistics", "place", "measure one ROI", "grade"]
    print_table(rows, columns, digits=4)
    return missed


def real_tables(data: Path, model: str, masks: Optional[Path]) -> List[str]:
    """Print what the model's masks make of labelled scans; return the targets missed."""
    from steatosis_real import (
        KINDS,
        QUANTITIES,
        ModelMasks,
        agreement_rows,
        case_rows,
        missed,
        read_cases,
        refusal_rows,
        remarks,
    )

    source = ModelMasks(model, masks)
    cases = read_cases(data, source)
    print(f"\nLabelled scans, model {source.name} {source.sha256[:12]}")
    print("ROIs on the model's mask, ROIs on the reference mask, means of the whole reference organs\n")
    columns = ["case", "split", "is", "taken for"]
    columns += [f"{quantity} {kind}" for quantity in QUANTITIES for kind in KINDS] + ["grade"]
    print_table(case_rows(cases), columns, digits=2)
    print("\nAgreement: the model's ROIs minus the other\n")
    rows = agreement_rows(cases)
    print_table(rows, list(rows[0]) if rows else ["n"])
    print("\n" + "\n".join(remarks(cases)))
    print("\nGraded and refused\n")
    rows = refusal_rows(cases)
    print_table(rows, list(rows[0]) if rows else ["n"])
    return [f"{name} holds contrast medium and was graded" for name in missed(cases)]


def print_table(rows: Sequence[Dict[str, Any]], columns: Sequence[str], digits: int = 3) -> None:
    """Print rows as aligned columns; a dash where a row has no value."""
    cells = [list(columns)] + [[_cell(row.get(column), digits) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        print("  ".join(value.ljust(width) for value, width in zip(line, widths)).rstrip())


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _describe(setting: Setting) -> Dict[str, Any]:
    return {
        "liver HU": f"{setting.tissue.liver:g}",
        "slices mm": f"{setting.slice_mm:g}",
        "noise": "blurred" if setting.blur_mm else "white",
        "ROIs": setting.count,
    }


def _array(phantom: Phantom) -> np.ndarray:
    import SimpleITK as sitk

    return sitk.GetArrayViewFromImage(phantom.labels)


def _timed(row: Dict[str, Any], what: str, work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = work()
    row[what] = time.perf_counter() - started
    return result


def _large_scan(slices: int, slice_mm: float) -> tuple:
    """Return voxels int16 (z, y, x), grid and labels uint8 of a patient in a scan of 0.75 mm pixels."""
    grid = Grid((512, 512, slices), (0.75, 0.75, slice_mm), (0.0, 0.0, 0.0), NOT_SHEARED)
    middle = slices * slice_mm / 2
    z = np.arange(slices)[:, None, None] * slice_mm - middle
    y, x = np.arange(512)[None, :, None] * 0.75, np.arange(512)[None, None, :] * 0.75
    labels = np.zeros((slices, 512, 512), np.uint8)
    labels[((x - 120) / 85) ** 2 + ((y - 190) / 80) ** 2 + (z / 80) ** 2 < 1] = 1
    labels[((x - 290) / 30) ** 2 + ((y - 230) / 45) ** 2 + (z / 50) ** 2 < 1] = 2
    voxels = np.array([-90, 60, 50], np.int16)[labels]
    random = np.random.default_rng(0)
    for plane in voxels:
        plane += np.rint(NOISE_HU * random.standard_normal(plane.shape, dtype=np.float32)).astype(np.int16)
    return voxels, grid, labels


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line; returns 1 if a target is missed."""
    parser = argparse.ArgumentParser(description="Measure how far the fatty-liver numbers can be trusted.")
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--only", choices=("phantom", "real"))
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--model", default="default")
    parser.add_argument("--masks", type=Path, help="folder in which the model's masks are kept")
    options = parser.parse_args(arguments)
    if options.data is not None and not (options.data / "dataset.json").is_file():
        print(f"{options.data} holds no dataset.json; docs/accuracy.md says what is in it.", file=sys.stderr)
        return 2
    if options.only == "real" and options.data is None:
        print("The real part needs labelled scans: name their folder.", file=sys.stderr)
        return 2
    missed: List[str] = []
    if options.only != "real":
        missed += phantom_tables(options.draws)
        missed += speed_table()
    if options.only != "phantom" and options.data is not None:
        missed += real_tables(options.data, options.model, options.masks)
    print("\nTargets: " + ("all met" if not missed else "MISSED " + "; ".join(missed)))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
