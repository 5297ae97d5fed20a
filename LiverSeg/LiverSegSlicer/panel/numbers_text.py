"""The numbers of a result as text for the clipboard: tables with tabs, as spreadsheets take them."""

from typing import Any, List, Mapping, Sequence

from slicer.i18n import tr as _


def numbersText(measurements: Mapping[str, Any]) -> str:
    """Return volumes, tumor burden and lesions, one row a line, with units in the headers."""
    organs = {organ["key"]: organ for organ in measurements["organs"]}
    burden = measurements["tumour_burden_percent"]
    rows: List[Sequence[str]] = [
        (_("Structure"), _("Volume (ml)")),
        (_("Liver with tumors"), f"{organs['liver']['volume_ml']:.1f}"),
        (_("Spleen"), f"{organs['spleen']['volume_ml']:.1f}"),
        (_("Liver tumors"), f"{organs['tumour']['volume_ml']:.2f}"),
        (),
        (_("Tumor burden (%)"), "" if burden is None else f"{burden:.2f}"),
    ]
    if measurements["lesions"]:
        titles = (_("Volume (ml)"), _("Longest diameter (mm)"), _("Perpendicular (mm)"), _("Mean (HU)"))
        rows += [(), (_("Lesion"), *titles), *map(_lesionRow, measurements["lesions"])]
    return "\n".join("\t".join(row) for row in rows) + "\n"


def _lesionRow(lesion: Mapping[str, Any]) -> Sequence[str]:
    return (
        str(lesion["number"]),
        f"{lesion['volume_ml']:.2f}",
        f"{lesion['longest_diameter_mm']:.1f}",
        f"{lesion['perpendicular_mm']:.1f}",
        f"{lesion['mean_hu']:.0f}",
    )
