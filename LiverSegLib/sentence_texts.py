"""The English template of every sentence that the core says to a user, and the words put into them.

A template is for ``str.format`` and stands here whole: a sentence is never put together from parts, cut, or
changed in its case, and each plural has a template of its own. What varies is an argument: a number, a name,
a word ("organ.liver") or a whole sentence from this table.

Each stands in ``_()``: so marked, Slicer's tool for translators finds it (``update_translations.py``). In
Slicer ``LiverSegSlicer.sentences`` shows its translation.
"""

from typing import Dict

from .adding_texts import ADDING
from .dicom_out_texts import DICOM_OUT
from .dicomweb_texts import DICOMWEB
from .error_texts import ERRORS
from .explain_texts import EXPLAINING
from .followup_texts import FOLLOWUP
from .segmentation_texts import SEGMENTATIONS
from .server_texts import SERVING
from .steatosis_texts import STEATOSIS

_ = str
"""Leaves the English text as it is."""

SENTENCES: Dict[str, str] = {
    # words, to be arguments
    "organ.liver": _("liver"),
    "organ.spleen": _("spleen"),
    "organ.tumour": _("liver tumor"),
    "border.superior": _("superior"),
    "border.inferior": _("inferior"),
    "border.right": _("right"),
    "border.left": _("left"),
    "border.anterior": _("anterior"),
    "border.posterior": _("posterior"),
    "border.field-of-view": _("field of view"),
    "list.last": _("{first} and {second}"),
    "list.more": _("{first}, {rest}"),
    "place.bare-border": _("{border} border"),
    "place.border": _("the {border} border of the scan"),
    "place.borders": _("the {borders} borders of the scan"),
    "place.field-of-view": _("the edge of the field of view"),
    # the scan
    "scan.sheared": _(
        "The image axes are not perpendicular (sheared by {degrees:.1f}°); sizes may be less exact."
    ),
    "scan.thick-slices": _(
        "The slices are {mm:.3g} mm apart: small lesions may be missed, volumes less exact."
    ),
    "scan.spacing-lost": _(
        "The spacing is exactly 1 × 1 × 1 mm, as if it was lost; if so, all measurements are wrong."
    ),
    "scan.clipped": _(
        "The Hounsfield units seem to be clipped (its values run from {low:g} to {high:g}); "
        "mean values may be wrong."
    ),
    "scan.tilted": _(
        "The gantry was tilted by {degrees:.1f}°: the slices were moved by whole pixels into a rectangular "
        "grid, on which masks lie and sizes are measured."
    ),
    "scan.gaps": _(
        "The slices are {thickness:.3g} mm thick but {apart:.3g} mm apart: the rest was not scanned."
    ),
    "scan.lossy": _(
        "The images were compressed with loss before they came here: attenuation and small lesions may be "
        "less exact."
    ),
    "scan.other-stack": _("The series holds another stack of slices, which was not read: {other}."),
    "scan.other-stacks": _("The series holds {count} other stacks of slices, which were not read: {others}."),
    "scan.damaged-files": _("{count} DICOM files could not be read and were left out."),
    "scan.copies": _("{count} images are stored twice in the folder; each was used once."),
    "scan.two-spacings": _(
        "The file states two different voxel spacings; the one of its orientation matrix (sform) is used."
    ),
    # why a scan is refused
    "modality.unknown": _("There is no modality {word!r}; choose CT or MR, or auto."),
    "modality.contradicts": _("The header of this scan says {stated}, not {said}."),
    "refused.modality": _("This is no CT: its modality is {modality}."),
    "refused.modality-not-stated": _("This is no CT: its modality is not stated."),
    "refused.single-slice": _("This is a single slice; one three-dimensional CT is needed."),
    "refused.dimensions-frames": _(
        "This is an image of {count} dimensions with {frames} frames; one three-dimensional CT is needed."
    ),
    "refused.one-slice": _("This is a single slice; a volume of at least {least} slices is needed."),
    "refused.few-slices": _("This is only {count} slices; a volume of at least {least} slices is needed."),
    "refused.too-large": _("The image is too large ({x} × {y} × {z} voxels)."),
    "refused.place": _("The position or spacing stored with the image is not a number."),
    "refused.colour": _("This is a color image, no CT."),
    "refused.several-values": _("This is an image with {count} values per voxel, no CT."),
    "refused.complex": _("This image has complex values; it is no CT."),
    "refused.label-map": _("This is a segmentation (label map), no CT."),
    "refused.like-label-map": _(
        "This looks like a segmentation (label map), not like a CT: it has few whole values."
    ),
    "refused.like-label-map-mr": _(
        "This looks like a segmentation (label map), not like an MR: it has few whole values."
    ),
    "refused.spacing-small": _(
        "The voxel spacing of {x:.4g} × {y:.4g} × {z:.4g} mm is too small to be true; "
        "the header is probably wrong."
    ),
    "refused.spacing-coarse": _(
        "The voxel spacing of {x:.4g} × {y:.4g} × {z:.4g} mm is too coarse to find a "
        "liver, or the header is wrong."
    ),
    "refused.axes": _("The axes of the image are too far from perpendicular to work with."),
    "refused.not-numbers": _("The image holds {count:,} voxels that are not numbers (NaN or infinite)."),
    "refused.empty": _("The image is empty: every voxel has the value {value:g}."),
    "refused.offset": _(
        "The values look like a CT without its rescale intercept (water near 1024 instead of "
        "0): convert it again with the intercept, or subtract 1024."
    ),
    "refused.no-air": _(
        "This is no CT in Hounsfield units (an MR?): its values run from {low:g} to {high:g}, "
        "hardly any as low as fat and air. If it is an MR, say so: --modality MR, or Modality under Advanced "
        "in 3D Slicer."
    ),
    "refused.no-tissue": _(
        "This is no CT in Hounsfield units: its values run from {low:g} to {high:g}, "
        "hardly any like soft tissue."
    ),
    "refused.no-liver": _("No liver was found in this scan."),
    "folder.another-scan": _("{folder} holds the results of another scan ({name}); choose another folder."),
    "mesh.not-ours": _(
        "{path} is there already, and LiverSeg did not write it or it was changed since; choose another name."
    ),
    "mesh.another-scan": _("{path} holds a surface from another scan; choose another name."),
    "lesion.dense-as-aorta": _(
        "Mean of {hu:.0f} HU, at least that of the aorta ({aorta:.0f} HU): may be a vessel or a hemangioma, "
        "or hold embolization material, calcium or metal."
    ),
    "lesion.only-one-dense-as-aorta": _(
        "1 of 1 lesion ({ml:.1f} ml) is at least as dense as the aorta: perhaps embolized tumor or no tumor."
    ),
    "lesion.one-dense-as-aorta": _(
        "1 of {all_of} lesions ({ml:.1f} ml) is at least as dense as the aorta: perhaps embolized tumor or "
        "no tumor."
    ),
    "lesion.several-dense-as-aorta": _(
        "{count} of {all_of} lesions ({ml:.1f} ml) are at least as dense as the aorta: perhaps embolized "
        "tumors or no tumors."
    ),
    "failed.cancelled": _("Cancelled."),
    "failed.memory": _("Memory ran out. Close other programs, or use a computer with more memory."),
    "failed.memory-reading": _(
        "Memory ran out while reading {name}. Close other programs, or use a computer with more memory."
    ),
    "failed.disk-full": _("The disk is full. Free some space and run again."),
    "failed.unexpectedly": _("LiverSeg failed unexpectedly ({kind})."),
    "failed.with": _("An unexpected error occurred ({error})."),
    # volumes
    "volume.edited": _(
        "The segmentation was changed by hand; these numbers are those of the changed segmentation."
    ),
    "volume.no-liver": _("No liver was found."),
    "volume.no-spleen": _("No spleen was found."),
    "volume.not-segmented": _("Not segmented."),
    "volume.no-hu": _(
        "This is an {modality}, without Hounsfield units: attenuation, contrast phase and liver fat are "
        "measured on CT only."
    ),
    "volume.cut-off": _("The {organ} reaches {place}: its volume is a lower bound."),
    "volume.thick-slices": _("Slices are {mm:.1f} mm apart: volumes and diameters are less precise."),
    "volume.tumours-of-cut-liver": _(
        "Part of the liver lies outside the scan: tumors there are not counted."
    ),
    "volume.burden-of-cut-liver": _(
        "Part of the liver lies outside the scan: tumor burden holds for the part that was scanned."
    ),
    "volume.unenhanced-tumours": _(
        "The scan seems to be without contrast medium: liver lesions are often "
        "invisible, so some may be missing, and dark vessels may be taken for some."
    ),
    "volume.ratio-with-contrast": _(
        "The liver-to-spleen ratio tells of liver fat on unenhanced scans only; "
        "this one seems to hold contrast medium."
    ),
    "volume.ratio-unknown-phase": _("The liver-to-spleen ratio tells of liver fat on unenhanced scans only."),
    # lesions
    "lesion.cut-off": _("This lesion reaches {place}: its volume and diameters are lower bounds."),
    "lesion.near-cut": _(
        "The liver goes on beyond the scan near this lesion: its surface may be nearer than measured."
    ),
    "lesion.too-small": _("Under {mm:.0f} mm: not measurable by RECIST 1.1."),
    "lesion.too-dense": _(
        "Mean of {hu:.0f} HU: rarely tissue alone; think of embolization material, calcium, "
        "metal or a vessel."
    ),
    "lesion.only-one-dense": _(
        "1 of 1 lesion ({ml:.1f} ml) is denser than tissue: perhaps embolized tumor or no tumor."
    ),
    "lesion.one-dense": _(
        "1 of {all_of} lesions ({ml:.1f} ml) is denser than tissue: perhaps embolized tumor or no tumor."
    ),
    "lesion.several-dense": _(
        "{count} of {all_of} lesions ({ml:.1f} ml) are denser than tissue: perhaps "
        "embolized tumor or no tumor."
    ),
    "lesion.one-left-out": _(
        "1 supposed lesion under {least:g} ml ({ml:.1f} ml) was left out: in this "
        "contrast phase most small ones that the model draws are vessels. To see them, set the "
        "smallest lesion yourself."
    ),
    "lesion.one-left-out-unenhanced": _(
        "1 supposed lesion under {least:g} ml ({ml:.1f} ml) was left out: "
        "without contrast medium most small ones that the model draws are vessels. To see them, set the "
        "smallest lesion yourself."
    ),
    "lesion.several-left-out": _(
        "{count} supposed lesions under {least:g} ml ({ml:.1f} ml together) were "
        "left out: in this contrast phase most small ones that the model draws are vessels. To see them, set "
        "the smallest lesion yourself."
    ),
    "lesion.several-left-out-unenhanced": _(
        "{count} supposed lesions under {least:g} ml ({ml:.1f} ml "
        "together) were left out: without contrast medium most small ones that the model draws are vessels. "
        "To see them, set the smallest lesion yourself."
    ),
    "lesion.one-unlikely": _(
        "1 supposed lesion ({ml:.1f} ml) was left out: by its size, contrast and shape it is more likely a "
        "vessel or noise. To see it, set the smallest lesion yourself."
    ),
    "lesion.several-unlikely": _(
        "{count} supposed lesions ({ml:.1f} ml together) were left out: by their size, contrast and shape "
        "they are more likely vessels or noise. To see them, set the smallest lesion yourself."
    ),
    # the contrast phase; {measured} lists attenuations
    "phase.liver": _("Liver {hu:.0f} HU"),
    "phase.spleen": _("spleen {hu:.0f} HU"),
    "phase.aorta": _("aorta {hu:.0f} HU"),
    "phase.kidneys": _("kidneys {hu:.0f} HU"),
    "phase.too-little-liver": _("Too little liver is in view to estimate the contrast phase."),
    "phase.header-against-it": _(
        "{measured}: it looks unenhanced, but the DICOM header speaks of contrast medium."
    ),
    "phase.uncertain": _("{measured}: contrast medium cannot be told from its absence."),
    "phase.only-kidneys": _("{measured}: only the kidneys are bright; contrast medium cannot be excluded."),
    "phase.liver-alone": _("{measured}: an enhanced liver, most often portal venous."),
    "phase.bright-arteries": _("{measured}: bright arteries, liver hardly enhanced."),
    "phase.alike": _("{measured}: liver and blood are alike."),
    "phase.enhanced": _("{measured}: liver and blood are enhanced."),
    "phase.nothing-to-compare": _(
        "{measured}; without spleen or aorta contrast cannot be told from its absence."
    ),
    "phase.no-bright-aorta": _("{measured}, no bright aorta: probably no contrast medium."),
    "phase.no-contrast": _("{measured}: no contrast medium."),
    "phase.spleen-first": _("{measured}: the spleen is enhanced, the liver hardly."),
    "phase.both-enhanced": _("{measured}: both are enhanced."),
    # computing and files
    "device.failed": _("{device} failed ({reason}): the CPU is used instead."),
    "device.differs": _("{device} computes other results than the CPU: the CPU is used instead."),
    "engine.failed": _("{engine} failed ({reason}): {instead} is used instead."),
    "engine.differs": _(
        "{engine} computes other results in {precision} than in float32: float32 is used instead."
    ),
    "device.one-tile": _(
        "Not enough memory on {device} for several tiles at once: this scan took one at a time."
    ),
    "device.to-cpu": _("Not enough memory on {device}: this scan was computed on the CPU."),
    "note.oblique": _(
        "The scan is oblique by {degrees:.0f} degrees; it was segmented on an axis-aligned copy."
    ),
    "note.tumours-of": _("The tumors are those that the model {tumours} draws in the liver of {organs}."),
    "note.outlined": _("The part of the scan that the model {name} sees was found by the model {outline}."),
    "tumours.beyond": _(
        "{ml:.1f} ml of tumors that the model {name} draws on the liver lie more than {mm:g} mm outside it "
        "and were left out."
    ),
    "tumours.no-liver": _("The model {name} found no liver in this scan, so it drew no tumors."),
    "note.larger-box": _("Liver or spleen reached beyond the located box; the box was enlarged."),
    "files.no-3d-picture": _("There is no 3-D picture. {reason}"),
    "files.no-roi-picture": _("There is no picture of the ROIs: the Python package pillow is missing."),
    **STEATOSIS,
    **ERRORS,
    **EXPLAINING,
    **SERVING,
    **ADDING,
    **DICOMWEB,
    **DICOM_OUT,
    **SEGMENTATIONS,
    **FOLLOWUP,
}
"""Identifier -> English template."""
