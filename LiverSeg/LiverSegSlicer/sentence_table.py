"""The core's sentences in Slicer's language; Testing/tools/sentence_table.py writes this."""

from typing import Callable, Dict

from slicer.i18n import tr as _

from .error_table import ERRORS

TEMPLATES: Dict[str, Callable[[], str]] = {
    "organ.liver": lambda: _("liver"),
    "organ.spleen": lambda: _("spleen"),
    "organ.tumour": lambda: _("liver tumor"),
    "border.superior": lambda: _("superior"),
    "border.inferior": lambda: _("inferior"),
    "border.right": lambda: _("right"),
    "border.left": lambda: _("left"),
    "border.anterior": lambda: _("anterior"),
    "border.posterior": lambda: _("posterior"),
    "border.field-of-view": lambda: _("field of view"),
    "list.last": lambda: _("{first} and {second}"),
    "list.more": lambda: _("{first}, {rest}"),
    "place.bare-border": lambda: _("{border} border"),
    "place.border": lambda: _("the {border} border of the scan"),
    "place.borders": lambda: _("the {borders} borders of the scan"),
    "place.field-of-view": lambda: _("the edge of the field of view"),
    "scan.sheared": lambda: _(
        "The image axes are not perpendicular (sheared by {degrees:.1f}°); sizes may be less exact."
    ),
    "scan.thick-slices": lambda: _(
        "The slices are {mm:.3g} mm apart: small lesions may be missed, volumes less exact."
    ),
    "scan.spacing-lost": lambda: _(
        "The spacing is exactly 1 × 1 × 1 mm, as if it was lost; if so, all measurements are wrong."
    ),
    "scan.clipped": lambda: _(
        "The Hounsfield units seem to be clipped (its values run from {low:g} to {high:g}); mean values may "
        "be wrong."
    ),
    "scan.tilted": lambda: _(
        "The gantry was tilted by {degrees:.1f}°: the mask lies on the tilted slices, sizes may be off."
    ),
    "scan.gaps": lambda: _(
        "The slices are {thickness:.3g} mm thick but {apart:.3g} mm apart: the rest was not scanned."
    ),
    "scan.damaged-files": lambda: _("{count} DICOM files could not be read and were left out."),
    "scan.copies": lambda: _("{count} images are stored twice in the folder; each was used once."),
    "scan.two-spacings": lambda: _(
        "The file states two different voxel spacings; the one of its orientation matrix (sform) is used."
    ),
    "refused.modality": lambda: _("This is no CT: its modality is {modality}."),
    "refused.modality-not-stated": lambda: _("This is no CT: its modality is not stated."),
    "refused.single-slice": lambda: _("This is a single slice; one three-dimensional CT is needed."),
    "refused.dimensions-frames": lambda: _(
        "This is an image of {count} dimensions with {frames} frames; one three-dimensional CT is needed."
    ),
    "refused.one-slice": lambda: _("This is a single slice; a volume of at least {least} slices is needed."),
    "refused.few-slices": lambda: _(
        "This is only {count} slices; a volume of at least {least} slices is needed."
    ),
    "refused.too-large": lambda: _("The image is too large ({x} × {y} × {z} voxels)."),
    "refused.place": lambda: _("The position or spacing stored with the image is not a number."),
    "refused.colour": lambda: _("This is a color image, no CT."),
    "refused.several-values": lambda: _("This is an image with {count} values per voxel, no CT."),
    "refused.complex": lambda: _("This image has complex values; it is no CT."),
    "refused.label-map": lambda: _("This is a segmentation (label map), no CT."),
    "refused.like-label-map": lambda: _(
        "This looks like a segmentation (label map), not like a CT: it has few whole values."
    ),
    "refused.spacing-small": lambda: _(
        "The voxel spacing of {x:.4g} × {y:.4g} × {z:.4g} mm is too small to be true; the header is "
        "probably wrong."
    ),
    "refused.spacing-coarse": lambda: _(
        "The voxel spacing of {x:.4g} × {y:.4g} × {z:.4g} mm is too coarse to find a liver, or the header "
        "is wrong."
    ),
    "refused.axes": lambda: _("The axes of the image are too far from perpendicular to work with."),
    "refused.not-numbers": lambda: _(
        "The image holds {count:,} voxels that are not numbers (NaN or infinite)."
    ),
    "refused.empty": lambda: _("The image is empty: every voxel has the value {value:g}."),
    "refused.offset": lambda: _(
        "The values look like a CT without its rescale intercept (water near 1024 instead of 0): convert it "
        "again with the intercept, or subtract 1024."
    ),
    "refused.no-air": lambda: _(
        "This is no CT in Hounsfield units (an MR?): its values run from {low:g} to {high:g}, hardly any as "
        "low as fat and air."
    ),
    "refused.no-tissue": lambda: _(
        "This is no CT in Hounsfield units: its values run from {low:g} to {high:g}, hardly any like soft "
        "tissue."
    ),
    "refused.no-liver": lambda: _("No liver was found in this scan."),
    "folder.another-scan": lambda: _(
        "{folder} holds the results of another scan ({name}); choose another folder."
    ),
    "mesh.not-ours": lambda: _(
        "{path} is there already, and LiverSeg did not write it or it was changed since; choose another name."
    ),
    "mesh.another-scan": lambda: _("{path} holds a surface from another scan; choose another name."),
    "lesion.dense-as-aorta": lambda: _(
        "Mean of {hu:.0f} HU, at least that of the aorta ({aorta:.0f} HU): may be a vessel or a hemangioma, "
        "or hold embolization material, calcium or metal."
    ),
    "lesion.only-one-dense-as-aorta": lambda: _(
        "1 of 1 lesion ({ml:.1f} ml) is at least as dense as the aorta: perhaps embolized tumor or no tumor."
    ),
    "lesion.one-dense-as-aorta": lambda: _(
        "1 of {all_of} lesions ({ml:.1f} ml) is at least as dense as the aorta: perhaps embolized tumor or "
        "no tumor."
    ),
    "lesion.several-dense-as-aorta": lambda: _(
        "{count} of {all_of} lesions ({ml:.1f} ml) are at least as dense as the aorta: perhaps embolized "
        "tumors or no tumors."
    ),
    "failed.cancelled": lambda: _("Cancelled."),
    "failed.memory": lambda: _("Memory ran out. Close other programs, or use a computer with more memory."),
    "failed.memory-reading": lambda: _(
        "Memory ran out while reading {name}. Close other programs, or use a computer with more memory."
    ),
    "failed.disk-full": lambda: _("The disk is full. Free some space and run again."),
    "failed.unexpectedly": lambda: _("LiverSeg failed unexpectedly ({kind})."),
    "failed.with": lambda: _("An unexpected error occurred ({error})."),
    "volume.edited": lambda: _(
        "The segmentation was changed by hand; these numbers are those of the changed segmentation."
    ),
    "volume.no-liver": lambda: _("No liver was found."),
    "volume.no-spleen": lambda: _("No spleen was found."),
    "volume.cut-off": lambda: _("The {organ} reaches {place}: its volume is a lower bound."),
    "volume.thick-slices": lambda: _("Slices are {mm:.1f} mm apart: volumes and diameters are less precise."),
    "volume.tumours-of-cut-liver": lambda: _(
        "Part of the liver lies outside the scan: tumors there are not counted."
    ),
    "volume.burden-of-cut-liver": lambda: _(
        "Part of the liver lies outside the scan: tumor burden holds for the part that was scanned."
    ),
    "volume.unenhanced-tumours": lambda: _(
        "The scan seems to be without contrast medium: liver lesions are often invisible, so some may be "
        "missing, and dark vessels may be taken for some."
    ),
    "volume.ratio-with-contrast": lambda: _(
        "The liver-to-spleen ratio tells of liver fat on unenhanced scans only; this one seems to hold "
        "contrast medium."
    ),
    "volume.ratio-unknown-phase": lambda: _(
        "The liver-to-spleen ratio tells of liver fat on unenhanced scans only."
    ),
    "lesion.cut-off": lambda: _("This lesion reaches {place}: its volume and diameters are lower bounds."),
    "lesion.near-cut": lambda: _(
        "The liver goes on beyond the scan near this lesion: its surface may be nearer than measured."
    ),
    "lesion.too-small": lambda: _("Under {mm:.0f} mm: not measurable by RECIST 1.1."),
    "lesion.too-dense": lambda: _(
        "Mean of {hu:.0f} HU: rarely tissue alone; think of embolization material, calcium, metal or a "
        "vessel."
    ),
    "lesion.only-one-dense": lambda: _(
        "1 of 1 lesion ({ml:.1f} ml) is denser than tissue: perhaps embolized tumor or no tumor."
    ),
    "lesion.one-dense": lambda: _(
        "1 of {all_of} lesions ({ml:.1f} ml) is denser than tissue: perhaps embolized tumor or no tumor."
    ),
    "lesion.several-dense": lambda: _(
        "{count} of {all_of} lesions ({ml:.1f} ml) are denser than tissue: perhaps embolized tumor or no "
        "tumor."
    ),
    "lesion.one-left-out": lambda: _(
        "1 supposed lesion under {least:g} ml ({ml:.1f} ml) was left out: in this contrast phase most small "
        "ones that the model draws are vessels. To see them, set the smallest lesion yourself."
    ),
    "lesion.one-left-out-unenhanced": lambda: _(
        "1 supposed lesion under {least:g} ml ({ml:.1f} ml) was left out: without contrast medium most "
        "small ones that the model draws are vessels. To see them, set the smallest lesion yourself."
    ),
    "lesion.several-left-out": lambda: _(
        "{count} supposed lesions under {least:g} ml ({ml:.1f} ml together) were left out: in this contrast "
        "phase most small ones that the model draws are vessels. To see them, set the smallest lesion "
        "yourself."
    ),
    "lesion.several-left-out-unenhanced": lambda: _(
        "{count} supposed lesions under {least:g} ml ({ml:.1f} ml together) were left out: without contrast "
        "medium most small ones that the model draws are vessels. To see them, set the smallest lesion "
        "yourself."
    ),
    "roi.organ-missing": lambda: _("The mask holds no {organ}: no ROIs were placed there."),
    "roi.organ-cut-off": lambda: _(
        "The {organ} reaches {place}: ROIs lie only in the part that was scanned."
    ),
    "roi.too-few": lambda: _(
        "Only {count} of {wanted} ROIs fit into the {organ} with sides of {side:g} mm, {margin:g} mm from "
        "its border and {lesion_margin:g} mm from lesions, away from vessels."
    ),
    "roi.none-fits": lambda: _(
        "No ROI fits into the {organ} with sides of {side:g} mm, {margin:g} mm from its border and "
        "{lesion_margin:g} mm from lesions, away from vessels."
    ),
    "roi.remark": lambda: _("{roi}: {remark}"),
    "roi.outside-scan": lambda: _("It lies outside the scan, or its voxels have no value."),
    "roi.no-organ": lambda: _("There is no {organ} in the mask."),
    "roi.outside-organ": lambda: _("{percent} % of it lies outside the {organ}."),
    "roi.partly-outside-scan": lambda: _("Part of it lies outside the scan, or has no value."),
    "roi.touches-lesion": lambda: _("It touches a lesion."),
    "roi.noisy": lambda: _("Its SD of {sd:.0f} HU is above the noise of the {organ}, {noise:.0f} HU."),
    "roi.above-median": lambda: _("Its mean is {hu:.0f} HU above the median of the {organ}."),
    "roi.below-median": lambda: _("Its mean is {hu:.0f} HU below the median of the {organ}."),
    "roi.does-not-count": lambda: _("{roi} lies outside the scan and does not count."),
    "roi.small": lambda: _("{roi} has a side of {side:.1f} mm, less than {least:.0f} mm."),
    "roi.overlap": lambda: _("{first} and {second} overlap: what they share counts twice."),
    "roi.one-slice": lambda: _(
        "Slices are {mm:.1f} mm apart: an ROI holds only one slice, so its mean is less certain."
    ),
    "roi.few-slices": lambda: _(
        "Slices are {mm:.1f} mm apart: an ROI holds only {count} slices, so its mean is less certain."
    ),
    "roi.only-one": lambda: _("Only one ROI in the {organ}: there is no interval."),
    "roi.only-few": lambda: _("Only {count} ROIs in the {organ}: there is no interval."),
    "phase.liver": lambda: _("Liver {hu:.0f} HU"),
    "phase.spleen": lambda: _("spleen {hu:.0f} HU"),
    "phase.aorta": lambda: _("aorta {hu:.0f} HU"),
    "phase.kidneys": lambda: _("kidneys {hu:.0f} HU"),
    "phase.too-little-liver": lambda: _("Too little liver is in view to estimate the contrast phase."),
    "phase.header-against-it": lambda: _(
        "{measured}: it looks unenhanced, but the DICOM header speaks of contrast medium."
    ),
    "phase.uncertain": lambda: _("{measured}: contrast medium cannot be told from its absence."),
    "phase.only-kidneys": lambda: _(
        "{measured}: only the kidneys are bright; contrast medium cannot be excluded."
    ),
    "phase.liver-alone": lambda: _("{measured}: an enhanced liver, most often portal venous."),
    "phase.bright-arteries": lambda: _("{measured}: bright arteries, liver hardly enhanced."),
    "phase.alike": lambda: _("{measured}: liver and blood are alike."),
    "phase.enhanced": lambda: _("{measured}: liver and blood are enhanced."),
    "phase.nothing-to-compare": lambda: _(
        "{measured}; without spleen or aorta contrast cannot be told from its absence."
    ),
    "phase.no-bright-aorta": lambda: _("{measured}, no bright aorta: probably no contrast medium."),
    "phase.no-contrast": lambda: _("{measured}: no contrast medium."),
    "phase.spleen-first": lambda: _("{measured}: the spleen is enhanced, the liver hardly."),
    "phase.both-enhanced": lambda: _("{measured}: both are enhanced."),
    "grade.normal": lambda: _("No fatty liver by the ratio"),
    "grade.mild": lambda: _("Mild fatty liver"),
    "grade.moderate": lambda: _("Moderate fatty liver"),
    "grade.severe": lambda: _("Severe fatty liver"),
    "grade.normal-anyway": lambda: _("No fatty liver by the ratio (graded in spite of the reasons not to)"),
    "grade.mild-anyway": lambda: _("Mild fatty liver (graded in spite of the reasons not to)"),
    "grade.moderate-anyway": lambda: _("Moderate fatty liver (graded in spite of the reasons not to)"),
    "grade.severe-anyway": lambda: _("Severe fatty liver (graded in spite of the reasons not to)"),
    "grade.none": lambda: _("Not graded"),
    "grade-word.normal": lambda: _("normal"),
    "grade-word.mild": lambda: _("mild"),
    "grade-word.moderate": lambda: _("moderate"),
    "grade-word.severe": lambda: _("severe"),
    "fat.spleen-not-positive": lambda: _("A spleen ROI has 0 HU or less: there is no ratio to it."),
    "fat.kvp-unknown": lambda: _(
        "The tube voltage is not known; cut-offs and fat fraction hold for {kvp:.0f} kVp only."
    ),
    "fat.interval": lambda: _("The 95 % interval of the ratio reaches from {low} to {high}."),
    "fat.screening-below-80": lambda: _(
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase; below 80 HU moderate "
        "fatty liver is found with a sensitivity of 85.6 % and a specificity of 89.6 % (Pickhardt et al., n "
        "= 1676)."
    ),
    "fat.screening-below-90": lambda: _(
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase; below 90 HU moderate "
        "fatty liver is found with a sensitivity of 94.9 % and a specificity of 74.7 % (Pickhardt et al., n "
        "= 1676)."
    ),
    "fat.screening-above": lambda: _(
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase, not below 90 HU, the "
        "limit that finds moderate fatty liver with a sensitivity of 94.9 % and a specificity of 74.7 % "
        "(Pickhardt et al., n = 1676)."
    ),
    "fat.more-dark-spleen": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: the spleen "
        "is dark ({spleen:.0f} HU), which raises the ratio."
    ),
    "fat.more-kvp": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: at {kvp:g} "
        "kVp attenuation differs from that at 120 kVp, where the limits of both were found."
    ),
    "fat.more-noise": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: noise of "
        "{noise:.0f} HU makes both less certain."
    ),
    "fat.more-kvp-unknown": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: the tube "
        "voltage, on which attenuation depends, is not known."
    ),
    "fat.more-unexplained": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: tube "
        "voltage, noise and spleen do not explain it; near a limit two measures may differ."
    ),
    "fat.less-bright-spleen": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: the spleen "
        "is bright ({spleen:.0f} HU), which lowers the ratio."
    ),
    "fat.less-kvp": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: at {kvp:g} "
        "kVp attenuation differs from that at 120 kVp, where the limits of both were found."
    ),
    "fat.less-noise": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: noise of "
        "{noise:.0f} HU makes both less certain."
    ),
    "fat.less-kvp-unknown": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: the tube "
        "voltage, on which attenuation depends, is not known."
    ),
    "fat.less-unexplained": lambda: _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: tube "
        "voltage, noise and spleen do not explain it; near a limit two measures may differ."
    ),
    "fat.phase-by-reader-unenhanced": lambda: _("The reader chose the phase: unenhanced."),
    "fat.phase-by-reader-arterial": lambda: _("The reader chose the phase: arterial."),
    "fat.phase-by-reader-portal": lambda: _("The reader chose the phase: portal venous."),
    "fat.phase-by-reader-late": lambda: _("The reader chose the phase: late."),
    "fat.enhanced-by-reader-arterial": lambda: _(
        "The scan holds contrast medium: the reader chose the arterial phase."
    ),
    "fat.enhanced-by-reader-portal": lambda: _(
        "The scan holds contrast medium: the reader chose the portal venous phase."
    ),
    "fat.enhanced-by-reader-late": lambda: _(
        "The scan holds contrast medium: the reader chose the late phase."
    ),
    "fat.no-such-phase": lambda: _("There is no contrast phase {phase}; choose one of {phases}."),
    "fat.phase-against-image": lambda: _(
        "The reader chose another phase than the one that the image speaks for: {reason}"
    ),
    "fat.arterial": lambda: _("The scan holds contrast medium: it looks like the arterial phase."),
    "fat.portal": lambda: _("The scan holds contrast medium: it looks like the portal venous phase."),
    "fat.late": lambda: _("The scan holds contrast medium: it looks like the late phase."),
    "fat.because": lambda: _("{sentence} {reason}"),
    "fat.phase-unknown": lambda: _("It is not known whether the scan holds contrast medium."),
    "fat.agent": lambda: _("The DICOM header names a contrast agent ({agent})."),
    "fat.no-liver-roi": lambda: _("There is no accepted ROI in the liver."),
    "fat.no-spleen": lambda: _(
        "There is no spleen to compare with: only the attenuation of the liver can be judged."
    ),
    "fat.spleen-implausible": lambda: _(
        "The spleen has {hu:.0f} HU; an unenhanced one has {low:.0f} to {high:.0f} HU."
    ),
    "fat.liver-bright": lambda: _(
        "The liver has {hu:.0f} HU, above {limit:.0f} HU: iron, amiodarone or contrast medium may hide fat."
    ),
    "fat.kvp-other": lambda: _("The tube voltage was {kvp:g} kVp; the cut-offs hold for {valid:.0f} kVp."),
    "fat.organ-cut-off": lambda: _("Part of the {organ} lies outside the scan ({places})."),
    "fat.noise": lambda: _(
        "The noise in the {organ} is {hu:.0f} HU, above {limit:.0f} HU: means may be shifted."
    ),
    "fat.liver-low": lambda: _("Below {hu:.0f} HU: moderate to severe fat."),
    "fat.liver-specific": lambda: _("Up to {hu:.0f} HU: moderate to severe fat is likely."),
    "fat.liver-high": lambda: _(
        "Above {hu:.0f} HU: attenuation alone shows no more than mild fat and excludes none."
    ),
    "fat.difference-normal": lambda: _("More than {hu:.0f} HU above the spleen: hardly any fat."),
    "fat.difference-mild": lambda: _("Between {low:.0f} and {high:.0f} HU from the spleen: mild fat."),
    "fat.difference-low": lambda: _("More than {hu:.0f} HU below the spleen: moderate to severe fat."),
    "fat.fraction-unenhanced-only": lambda: _("The fat fraction holds for unenhanced scans only."),
    "fat.fraction-kvp-unknown": lambda: _(
        "The fat fraction holds for {kvp:.0f} kVp; the tube voltage is not known."
    ),
    "fat.fraction-kvp-other": lambda: _("The fat fraction holds for {valid:.0f} kVp, not for {kvp:g} kVp."),
    "fat.fraction-liver-bright": lambda: _(
        "The liver is brighter than one without fat: something else raises its attenuation."
    ),
    "fat.not-assessed": lambda: _("Fatty liver was not assessed. {reason}"),
    "device.failed": lambda: _("{device} failed ({reason}): the CPU is used instead."),
    "device.differs": lambda: _("{device} computes other results than the CPU: the CPU is used instead."),
    "device.one-tile": lambda: _(
        "Not enough memory on {device} for several tiles at once: this scan took one at a time."
    ),
    "device.to-cpu": lambda: _("Not enough memory on {device}: this scan was computed on the CPU."),
    "note.oblique": lambda: _(
        "The scan is oblique by {degrees:.0f} degrees; it was segmented on an axis-aligned copy."
    ),
    "note.larger-box": lambda: _("Liver or spleen reached beyond the located box; the box was enlarged."),
    "files.no-3d-picture": lambda: _("There is no 3-D picture. {reason}"),
    "files.no-roi-picture": lambda: _(
        "There is no picture of the ROIs: the Python package pillow is missing."
    ),
    **ERRORS,
}
"""Identifier of a sentence -> its template in the language that Slicer has now."""
