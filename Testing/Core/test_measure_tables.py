"""Tables of measurements for screens and CSV files."""

import csv

import numpy as np
import pytest
import SimpleITK as sitk
from measure_shapes import ball, centre_of, ct_of, draw, empty_labels

from LiverSegLib.errors import OutputError
from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.measure import (
    lesion_rows,
    measure,
    measurement_rows,
    write_lesions_csv,
    write_measurements_csv,
)


def measured(*, tumours=2):
    labels = empty_labels((60, 60, 60))
    labels = draw(labels, ball(centre_of(labels), 25), LIVER)
    labels[0:6, 0:10, 0:10] = SPLEEN
    for number in range(tumours):
        labels[20 + 12 * number : 25 + 13 * number, 28:34, 28:34] = TUMOUR
    return measure(labels, ct_of(labels), probability=np.full((60, 60, 60), 204, np.uint8), phase="portal")


def test_organ_rows_name_the_structures_and_put_burden_beside_the_tumour():
    found = measured()
    header, rows = measurement_rows(found)
    assert [row[0] for row in rows] == ["Liver", "Liver without tumors", "Spleen", "Liver tumor"]
    assert all(len(row) == len(header) and all(isinstance(cell, str) for cell in row) for row in rows)
    table = {row[0]: dict(zip(header, row)) for row in rows}
    assert table["Spleen"]["Volume (ml)"] == "0.6"
    assert table["Spleen"]["Mean (HU)"] == "120.0"
    assert table["Spleen"]["Cut off at"] == "inferior, right, anterior"
    assert "lower bound" in table["Spleen"]["Warnings"]
    assert table["Liver tumor"]["Share of liver (%)"] == f"{found.tumour_burden_percent:.2f}"
    assert table["Liver without tumors"]["Mean (HU)"] == "110.0" and table["Liver"]["Mean (HU)"] == ""


def test_lesion_rows_have_one_row_a_lesion():
    header, rows = lesion_rows(measured())
    assert [row[0] for row in rows] == ["1", "2"]
    first = dict(zip(header, rows[0]))
    assert first["Slice"] == str(measured().lesions[0].slice_index + 1)
    assert first["Probability"] == "0.80" and first["Mean (HU)"] == "60"
    assert first["Longest diameter (mm)"] == f"{measured().lesions[0].longest_diameter_mm:.1f}"
    assert all(len(row) == len(header) for row in rows)


def test_unknown_numbers_are_empty_and_zero_has_no_minus():
    labels = empty_labels((10, 10, 10))
    labels[4, 4, 4] = TUMOUR
    _, rows = measurement_rows(measure(empty_labels((10, 10, 10)), ct_of(empty_labels((10, 10, 10)))))
    assert rows[0][1:6] == ("0.0", "", "", "", "")
    image = sitk.Cast(ct_of(labels, (0, 0, 0, 0)), sitk.sitkFloat32)
    image[4, 4, 4] = -0.2
    header, lesions = lesion_rows(measure(labels, image))
    assert dict(zip(header, lesions[0]))["Mean (HU)"] == "0"
    assert dict(zip(header, lesions[0]))["Probability"] == ""


def test_csv_files_have_units_in_their_column_names(tmp_path):
    found = measured()
    write_measurements_csv(tmp_path / "measurements.csv", found)
    write_lesions_csv(tmp_path / "lesions.csv", found)
    with open(tmp_path / "measurements.csv", encoding="utf-8", newline="") as file:
        organs = list(csv.DictReader(file))
    with open(tmp_path / "lesions.csv", encoding="utf-8", newline="") as file:
        lesions = list(csv.DictReader(file))
    assert float(organs[0]["volume_ml"]) == pytest.approx(found.organ("liver").volume_ml, abs=0.05)
    assert [row["structure"] for row in organs][3] == "Liver tumor"
    assert float(lesions[1]["longest_diameter_mm"]) == pytest.approx(
        found.lesions[1].longest_diameter_mm, abs=0.05
    )
    assert float(lesions[0]["centre_z_lps_mm"]) == pytest.approx(found.lesions[0].centre[2], abs=0.05)


def test_a_csv_without_lesions_is_the_header_alone(tmp_path):
    write_lesions_csv(tmp_path / "lesions.csv", measured(tumours=0))
    assert len((tmp_path / "lesions.csv").read_text().splitlines()) == 1


def test_a_table_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_measurements_csv(tmp_path / "missing" / "measurements.csv", measured())
