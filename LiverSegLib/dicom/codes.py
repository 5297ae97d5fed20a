"""The coded concepts of our DICOM objects: those of DICOM, SNOMED CT, LOINC and UCUM, and our own."""

from typing import TYPE_CHECKING, Dict

from ..images.modality import CT, MR
from ..labels import Code
from ..review import ACCEPTED, AUTOMATIC, EDITED, GIVEN

if TYPE_CHECKING:
    from highdicom.sr.coding import CodedConcept

OWN_SCHEME = "99LIVERSEG"
"""Designator of our own concepts, where the standards have none. DICOM wants the
designators of private schemes to begin with 99, and codes of at most 16 characters."""

VOLUME = Code("SCT", "118565006", "Volume")
LONG_AXIS = Code("SCT", "103339001", "Long axis")
SHORT_AXIS = Code("SCT", "103340004", "Short axis")
ATTENUATION = Code("DCM", "112031", "Attenuation Coefficient")
MEAN = Code("SCT", "373098007", "Mean")
STANDARD_DEVIATION = Code("SCT", "386136009", "Standard Deviation")
SOURCE = Code("SCT", "260753009", "Source")
COMMENT = Code("DCM", "121106", "Comment")
ARTIFICIAL_INTELLIGENCE = Code("DCM", "123110", "Artificial Intelligence")
STEATOSIS = Code("SCT", "197321007", "Steatosis of liver")

PARENCHYMA_ATTENUATION = Code(OWN_SCHEME, "PARENCHYMA-HU", "Attenuation of liver without tumors")
TUMOUR_BURDEN = Code(OWN_SCHEME, "TUMOR-BURDEN", "Tumor volume of liver volume with tumors")
LIVER_SPLEEN_RATIO = Code(OWN_SCHEME, "LS-RATIO", "Liver to spleen attenuation ratio")
LIVER_MINUS_SPLEEN = Code(OWN_SCHEME, "LS-DIFFERENCE", "Liver minus spleen attenuation")
REVIEW = Code(OWN_SCHEME, "REVIEW", "State of review")
REVIEW_STATES: Dict[str, Code] = {
    AUTOMATIC: Code(OWN_SCHEME, "AUTOMATIC", "Automatic, not reviewed"),
    GIVEN: Code(OWN_SCHEME, "GIVEN", "Given segmentation, not reviewed"),
    EDITED: Code(OWN_SCHEME, "EDITED", "Edited, not accepted"),
    ACCEPTED: Code(OWN_SCHEME, "ACCEPTED", "Accepted by a reader"),
}
"""State of a result, see ``LiverSegLib.review`` -> its code."""

GRADES: Dict[str, Code] = {
    "normal": Code("SCT", "17621005", "Normal"),
    "mild": Code("SCT", "255604002", "Mild"),
    "moderate": Code("SCT", "6736007", "Moderate"),
    "severe": Code("SCT", "24484000", "Severe"),
}
"""Grade of fatty liver, see ``LiverSegLib.steatosis.assessment`` -> its code."""
NOT_GRADED = Code("SCT", "373068000", "Undetermined")

PROCEDURES: Dict[str, Code] = {
    CT: Code("LN", "25045-6", "CT unspecified body region"),
    MR: Code("LN", "25056-3", "MRI unspecified body region"),
}
"""Modality -> the procedure reported, of DICOM's context group 100."""

CUBIC_CENTIMETER = Code("UCUM", "cm3", "cubic centimeter")
MILLIMETER = Code("UCUM", "mm", "mm")
HOUNSFIELD = Code("UCUM", "[hnsf'U]", "Hounsfield unit")
PERCENT = Code("UCUM", "%", "Percent")
RATIO = Code("UCUM", "{ratio}", "ratio")


def concept(code: Code) -> "CodedConcept":
    """Return a code as highdicom takes it."""
    from highdicom.sr.coding import CodedConcept

    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)
