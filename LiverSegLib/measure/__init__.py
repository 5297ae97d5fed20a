"""Numbers from a segmented scan: volumes, attenuation, lesions, tumour burden."""

from .measurements import Lesion, Measurements, Organ
from .measuring import measure
from .tables import lesion_rows, measurement_rows, write_lesions_csv, write_measurements_csv

__all__ = [
    "Lesion",
    "Measurements",
    "Organ",
    "lesion_rows",
    "measure",
    "measurement_rows",
    "write_lesions_csv",
    "write_measurements_csv",
]
