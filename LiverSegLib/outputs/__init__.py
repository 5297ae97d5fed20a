"""Results on the disk: a complete set of files or none.

``results`` decides which files a result becomes, ``label_files`` writes masks, ``folder`` puts a finished set
into place. A program that wants to keep a folder for itself from before the work until the end writes::

    with reserve(folder) as reservation:
        check_output_folder(reservation)
        write_results(LiverSegLib.segment(scan), reservation)
"""

from .folder import Reservation, reserve
from .label_files import LABEL_FORMATS, write_labels, write_nifti
from .results import OutputOptions, check_output_folder, write_results

__all__ = [
    "LABEL_FORMATS",
    "OutputOptions",
    "Reservation",
    "check_output_folder",
    "reserve",
    "write_labels",
    "write_nifti",
    "write_results",
]
