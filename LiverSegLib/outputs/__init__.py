"""Results on the disk: a complete set of files or none.

``results`` decides which files a result becomes and ``steatosis`` those of a fatty-liver assessment alone,
``label_files`` writes masks, ``file_set`` knows which files are ours, ``scan_identity`` of which scan, and
``atomic`` puts a finished set into place. A program that wants to keep a folder for itself from before the
work until the end writes::

    with reserve(folder) as reservation:
        check_output_folder(reservation)
        write_results(LiverSegLib.segment(scan), reservation)
"""

from .atomic import Reservation, reserve
from .file_set import FileSet, write_file_set
from .label_files import LABEL_FORMATS, write_labels, write_nifti
from .results import OutputOptions, check_output_folder, write_results
from .scan_identity import ScanIdentity
from .steatosis import check_steatosis_folder, write_steatosis

__all__ = [
    "LABEL_FORMATS",
    "FileSet",
    "OutputOptions",
    "Reservation",
    "ScanIdentity",
    "check_output_folder",
    "check_steatosis_folder",
    "reserve",
    "write_file_set",
    "write_labels",
    "write_nifti",
    "write_results",
    "write_steatosis",
]
