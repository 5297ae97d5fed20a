"""The English template of every sentence that the core says to a user, and the words put into them.

A template is for ``str.format`` and stands here whole: a sentence is never put together from parts, cut, or
changed in its case, and each plural has a template of its own. What varies is an argument: a number, a name,
a word ("organ.liver") or a whole sentence from this table.
``python Testing/tools/sentence_table.py --write`` takes over what is new here into Slicer's table.
"""

from typing import Dict

from .error_texts import ERRORS

SENTENCES: Dict[str, str] = {
    # words, to be arguments
    "organ.liver": "liver",
    "organ.spleen": "spleen",
    "organ.tumour": "liver tumor",
    "border.superior": "superior",
    "border.inferior": "inferior",
    "border.right": "right",
    "border.left": "left",
    "border.anterior": "anterior",
    "border.posterior": "posterior",
    "border.field-of-view": "field of view",
    "list.last": "{first} and {second}",
    "list.more": "{first}, {rest}",
    "place.bare-border": "{border} border",
    "place.border": "the {border} border of the scan",
    "place.borders": "the {borders} borders of the scan",
    "place.field-of-view": "the edge of the field of view",
    # the scan
    "scan.sheared": "The image axes are not perpendicular (sheared by {degrees:.1f}°); sizes may be less "
    "exact.",
    "scan.thick-slices": "The slices are {mm:.3g} mm apart: small lesions may be missed, volumes less exact.",
    "scan.spacing-lost": "The spacing is exactly 1 × 1 × 1 mm, as if it was lost; if so, all measurements "
    "are wrong.",
    "scan.clipped": "The Hounsfield units seem to be clipped (its values run from {low:g} to {high:g}); "
    "mean values may be wrong.",
    "scan.tilted": "The gantry was tilted by {degrees:.1f}°: the mask lies on the tilted slices, sizes may "
    "be off.",
    "scan.gaps": "The slices are {thickness:.3g} mm thick but {apart:.3g} mm apart: the rest was not "
    "scanned.",
    "scan.damaged-files": "{count} DICOM files could not be read and were left out.",
    "scan.copies": "{count} images are stored twice in the folder; each was used once.",
    "scan.two-spacings": "The file states two different voxel spacings; the one of its orientation matrix "
    "(sform) is used.",
    # why a scan is refused
    "refused.modality": "This is no CT: its modality is {modality}.",
    "refused.modality-not-stated": "This is no CT: its modality is not stated.",
    "refused.single-slice": "This is a single slice; one three-dimensional CT is needed.",
    "refused.dimensions-frames": "This is an image of {count} dimensions with {frames} frames; one "
    "three-dimensional CT is needed.",
    "refused.one-slice": "This is a single slice; a volume of at least {least} slices is needed.",
    "refused.few-slices": "This is only {count} slices; a volume of at least {least} slices is needed.",
    "refused.too-large": "The image is too large ({x} × {y} × {z} voxels).",
    "refused.place": "The position or spacing stored with the image is not a number.",
    "refused.colour": "This is a color image, no CT.",
    "refused.several-values": "This is an image with {count} values per voxel, no CT.",
    "refused.complex": "This image has complex values; it is no CT.",
    "refused.label-map": "This is a segmentation (label map), no CT.",
    "refused.like-label-map": "This looks like a segmentation (label map), not like a CT: it has few whole "
    "values.",
    "refused.spacing-small": "The voxel spacing of {x:.4g} × {y:.4g} × {z:.4g} mm is too small to be true; "
    "the header is probably wrong.",
    "refused.spacing-coarse": "The voxel spacing of {x:.4g} × {y:.4g} × {z:.4g} mm is too coarse to find a "
    "liver, or the header is wrong.",
    "refused.axes": "The axes of the image are too far from perpendicular to work with.",
    "refused.not-numbers": "The image holds {count:,} voxels that are not numbers (NaN or infinite).",
    "refused.empty": "The image is empty: every voxel has the value {value:g}.",
    "refused.offset": "The values look like a CT without its rescale intercept (water near 1024 instead of "
    "0): convert it again with the intercept, or subtract 1024.",
    "refused.no-air": "This is no CT in Hounsfield units (an MR?): its values run from {low:g} to {high:g}, "
    "hardly any as low as fat and air.",
    "refused.no-tissue": "This is no CT in Hounsfield units: its values run from {low:g} to {high:g}, "
    "hardly any like soft tissue.",
    "refused.no-liver": "No liver was found in this scan.",
    "folder.another-scan": "{folder} holds the results of another scan ({name}); choose another folder.",
    "mesh.not-ours": (
        "{path} is there already, and LiverSeg did not write it or it was changed since; choose another name."
    ),
    "mesh.another-scan": "{path} holds a surface from another scan; choose another name.",
    "lesion.dense-as-aorta": (
        "Mean of {hu:.0f} HU, at least that of the aorta ({aorta:.0f} HU): may be a vessel or a hemangioma, "
        "or hold embolization material, calcium or metal."
    ),
    "lesion.only-one-dense-as-aorta": (
        "1 of 1 lesion ({ml:.1f} ml) is at least as dense as the aorta: perhaps embolized tumor or no tumor."
    ),
    "lesion.one-dense-as-aorta": (
        "1 of {all_of} lesions ({ml:.1f} ml) is at least as dense as the aorta: perhaps embolized tumor or "
        "no tumor."
    ),
    "lesion.several-dense-as-aorta": (
        "{count} of {all_of} lesions ({ml:.1f} ml) are at least as dense as the aorta: perhaps embolized "
        "tumors or no tumors."
    ),
    "failed.cancelled": "Cancelled.",
    "failed.memory": "Memory ran out. Close other programs, or use a computer with more memory.",
    "failed.memory-reading": (
        "Memory ran out while reading {name}. Close other programs, or use a computer with more memory."
    ),
    "failed.disk-full": "The disk is full. Free some space and run again.",
    "failed.unexpectedly": "LiverSeg failed unexpectedly ({kind}).",
    "failed.with": "An unexpected error occurred ({error}).",
    # volumes
    "volume.edited": "The segmentation was changed by hand; these numbers are those of the changed "
    "segmentation.",
    "volume.no-liver": "No liver was found.",
    "volume.no-spleen": "No spleen was found.",
    "volume.cut-off": "The {organ} reaches {place}: its volume is a lower bound.",
    "volume.thick-slices": "Slices are {mm:.1f} mm apart: volumes and diameters are less precise.",
    "volume.tumours-of-cut-liver": "Part of the liver lies outside the scan: tumors there are not counted.",
    "volume.burden-of-cut-liver": "Part of the liver lies outside the scan: tumor burden holds for the "
    "part that was scanned.",
    "volume.unenhanced-tumours": "The scan seems to be without contrast medium: liver lesions are often "
    "invisible, so some may be missing, and dark vessels may be taken for some.",
    "volume.ratio-with-contrast": "The liver-to-spleen ratio tells of liver fat on unenhanced scans only; "
    "this one seems to hold contrast medium.",
    "volume.ratio-unknown-phase": "The liver-to-spleen ratio tells of liver fat on unenhanced scans only.",
    # lesions
    "lesion.cut-off": "This lesion reaches {place}: its volume and diameters are lower bounds.",
    "lesion.near-cut": "The liver goes on beyond the scan near this lesion: its surface may be nearer than "
    "measured.",
    "lesion.too-small": "Under {mm:.0f} mm: not measurable by RECIST 1.1.",
    "lesion.too-dense": "Mean of {hu:.0f} HU: rarely tissue alone; think of embolization material, calcium, "
    "metal or a vessel.",
    "lesion.only-one-dense": "1 of 1 lesion ({ml:.1f} ml) is denser than tissue: perhaps embolized tumor "
    "or no tumor.",
    "lesion.one-dense": "1 of {all_of} lesions ({ml:.1f} ml) is denser than tissue: perhaps embolized "
    "tumor or no tumor.",
    "lesion.several-dense": "{count} of {all_of} lesions ({ml:.1f} ml) are denser than tissue: perhaps "
    "embolized tumor or no tumor.",
    "lesion.one-left-out": "1 supposed lesion under {least:g} ml ({ml:.1f} ml) was left out: in this "
    "contrast phase most small ones that the model draws are vessels. To see them, set the smallest lesion "
    "yourself.",
    "lesion.one-left-out-unenhanced": "1 supposed lesion under {least:g} ml ({ml:.1f} ml) was left out: "
    "without contrast medium most small ones that the model draws are vessels. To see them, set the "
    "smallest lesion yourself.",
    "lesion.several-left-out": "{count} supposed lesions under {least:g} ml ({ml:.1f} ml together) were "
    "left out: in this contrast phase most small ones that the model draws are vessels. To see them, set "
    "the smallest lesion yourself.",
    "lesion.several-left-out-unenhanced": "{count} supposed lesions under {least:g} ml ({ml:.1f} ml "
    "together) were left out: without contrast medium most small ones that the model draws are vessels. To "
    "see them, set the smallest lesion yourself.",
    # ROIs
    "roi.organ-missing": "The mask holds no {organ}: no ROIs were placed there.",
    "roi.organ-cut-off": "The {organ} reaches {place}: ROIs lie only in the part that was scanned.",
    "roi.too-few": "Only {count} of {wanted} ROIs fit into the {organ} with sides of {side:g} mm, "
    "{margin:g} mm from its border and {lesion_margin:g} mm from lesions, away from vessels.",
    "roi.none-fits": "No ROI fits into the {organ} with sides of {side:g} mm, {margin:g} mm from its border "
    "and {lesion_margin:g} mm from lesions, away from vessels.",
    "roi.remark": "{roi}: {remark}",
    "roi.outside-scan": "It lies outside the scan, or its voxels have no value.",
    "roi.no-organ": "There is no {organ} in the mask.",
    "roi.outside-organ": "{percent} % of it lies outside the {organ}.",
    "roi.partly-outside-scan": "Part of it lies outside the scan, or has no value.",
    "roi.touches-lesion": "It touches a lesion.",
    "roi.noisy": "Its SD of {sd:.0f} HU is above the noise of the {organ}, {noise:.0f} HU.",
    "roi.above-median": "Its mean is {hu:.0f} HU above the median of the {organ}.",
    "roi.below-median": "Its mean is {hu:.0f} HU below the median of the {organ}.",
    "roi.does-not-count": "{roi} lies outside the scan and does not count.",
    "roi.small": "{roi} has a side of {side:.1f} mm, less than {least:.0f} mm.",
    "roi.overlap": "{first} and {second} overlap: what they share counts twice.",
    "roi.one-slice": "Slices are {mm:.1f} mm apart: an ROI holds only one slice, so its mean is less "
    "certain.",
    "roi.few-slices": "Slices are {mm:.1f} mm apart: an ROI holds only {count} slices, so its mean is less "
    "certain.",
    "roi.only-one": "Only one ROI in the {organ}: there is no interval.",
    "roi.only-few": "Only {count} ROIs in the {organ}: there is no interval.",
    # the contrast phase; {measured} lists attenuations
    "phase.liver": "Liver {hu:.0f} HU",
    "phase.spleen": "spleen {hu:.0f} HU",
    "phase.aorta": "aorta {hu:.0f} HU",
    "phase.kidneys": "kidneys {hu:.0f} HU",
    "phase.too-little-liver": "Too little liver is in view to estimate the contrast phase.",
    "phase.header-against-it": "{measured}: it looks unenhanced, but the DICOM header speaks of contrast "
    "medium.",
    "phase.uncertain": "{measured}: contrast medium cannot be told from its absence.",
    "phase.only-kidneys": "{measured}: only the kidneys are bright; contrast medium cannot be excluded.",
    "phase.liver-alone": "{measured}: an enhanced liver, most often portal venous.",
    "phase.bright-arteries": "{measured}: bright arteries, liver hardly enhanced.",
    "phase.alike": "{measured}: liver and blood are alike.",
    "phase.enhanced": "{measured}: liver and blood are enhanced.",
    "phase.nothing-to-compare": "{measured}; without spleen or aorta contrast cannot be told from its "
    "absence.",
    "phase.no-bright-aorta": "{measured}, no bright aorta: probably no contrast medium.",
    "phase.no-contrast": "{measured}: no contrast medium.",
    "phase.spleen-first": "{measured}: the spleen is enhanced, the liver hardly.",
    "phase.both-enhanced": "{measured}: both are enhanced.",
    # fatty liver
    "grade.normal": "No fatty liver by the ratio",
    "grade.mild": "Mild fatty liver",
    "grade.moderate": "Moderate fatty liver",
    "grade.severe": "Severe fatty liver",
    "grade.normal-anyway": "No fatty liver by the ratio (graded in spite of the reasons not to)",
    "grade.mild-anyway": "Mild fatty liver (graded in spite of the reasons not to)",
    "grade.moderate-anyway": "Moderate fatty liver (graded in spite of the reasons not to)",
    "grade.severe-anyway": "Severe fatty liver (graded in spite of the reasons not to)",
    "grade.none": "Not graded",
    "grade-word.normal": "normal",
    "grade-word.mild": "mild",
    "grade-word.moderate": "moderate",
    "grade-word.severe": "severe",
    "fat.spleen-not-positive": "A spleen ROI has 0 HU or less: there is no ratio to it.",
    "fat.kvp-unknown": "The tube voltage is not known; cut-offs and fat fraction hold for {kvp:.0f} kVp "
    "only.",
    "fat.interval": "The 95 % interval of the ratio reaches from {low} to {high}.",
    "fat.screening-below-80": (
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase; below 80 HU "
        "moderate fatty liver is found with a sensitivity of 85.6 % and a specificity of 89.6 % "
        "(Pickhardt et al., n = 1676)."
    ),
    "fat.screening-below-90": (
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase; below 90 HU "
        "moderate fatty liver is found with a sensitivity of 94.9 % and a specificity of 74.7 % "
        "(Pickhardt et al., n = 1676)."
    ),
    "fat.screening-above": (
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase, not below 90 HU, "
        "the limit that finds moderate fatty liver with a sensitivity of 94.9 % and a specificity of "
        "74.7 % (Pickhardt et al., n = 1676)."
    ),
    "fat.more-dark-spleen": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: the "
        "spleen is dark ({spleen:.0f} HU), which raises the ratio."
    ),
    "fat.more-kvp": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: at "
        "{kvp:g} kVp attenuation differs from that at 120 kVp, where the limits of both were found."
    ),
    "fat.more-noise": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: noise "
        "of {noise:.0f} HU makes both less certain."
    ),
    "fat.more-kvp-unknown": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: the "
        "tube voltage, on which attenuation depends, is not known."
    ),
    "fat.more-unexplained": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: tube "
        "voltage, noise and spleen do not explain it; near a limit two measures may differ."
    ),
    "fat.less-bright-spleen": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: the "
        "spleen is bright ({spleen:.0f} HU), which lowers the ratio."
    ),
    "fat.less-kvp": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: at "
        "{kvp:g} kVp attenuation differs from that at 120 kVp, where the limits of both were found."
    ),
    "fat.less-noise": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: noise "
        "of {noise:.0f} HU makes both less certain."
    ),
    "fat.less-kvp-unknown": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: the "
        "tube voltage, on which attenuation depends, is not known."
    ),
    "fat.less-unexplained": (
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: tube "
        "voltage, noise and spleen do not explain it; near a limit two measures may differ."
    ),
    "fat.phase-by-reader-unenhanced": "The reader chose the phase: unenhanced.",
    "fat.phase-by-reader-arterial": "The reader chose the phase: arterial.",
    "fat.phase-by-reader-portal": "The reader chose the phase: portal venous.",
    "fat.phase-by-reader-late": "The reader chose the phase: late.",
    "fat.enhanced-by-reader-arterial": "The scan holds contrast medium: the reader chose the arterial phase.",
    "fat.enhanced-by-reader-portal": (
        "The scan holds contrast medium: the reader chose the portal venous phase."
    ),
    "fat.enhanced-by-reader-late": "The scan holds contrast medium: the reader chose the late phase.",
    "fat.no-such-phase": "There is no contrast phase {phase}; choose one of {phases}.",
    "fat.phase-against-image": (
        "The reader chose another phase than the one that the image speaks for: {reason}"
    ),
    "fat.arterial": "The scan holds contrast medium: it looks like the arterial phase.",
    "fat.portal": "The scan holds contrast medium: it looks like the portal venous phase.",
    "fat.late": "The scan holds contrast medium: it looks like the late phase.",
    "fat.because": "{sentence} {reason}",
    "fat.phase-unknown": "It is not known whether the scan holds contrast medium.",
    "fat.agent": "The DICOM header names a contrast agent ({agent}).",
    "fat.no-liver-roi": "There is no accepted ROI in the liver.",
    "fat.no-spleen": "There is no spleen to compare with: only the attenuation of the liver can be judged.",
    "fat.spleen-implausible": "The spleen has {hu:.0f} HU; an unenhanced one has {low:.0f} to {high:.0f} HU.",
    "fat.liver-bright": "The liver has {hu:.0f} HU, above {limit:.0f} HU: iron, amiodarone or contrast "
    "medium may hide fat.",
    "fat.kvp-other": "The tube voltage was {kvp:g} kVp; the cut-offs hold for {valid:.0f} kVp.",
    "fat.organ-cut-off": "Part of the {organ} lies outside the scan ({places}).",
    "fat.noise": "The noise in the {organ} is {hu:.0f} HU, above {limit:.0f} HU: means may be shifted.",
    "fat.liver-low": "Below {hu:.0f} HU: moderate to severe fat.",
    "fat.liver-specific": "Up to {hu:.0f} HU: moderate to severe fat is likely.",
    "fat.liver-high": "Above {hu:.0f} HU: attenuation alone shows no more than mild fat and excludes none.",
    "fat.difference-normal": "More than {hu:.0f} HU above the spleen: hardly any fat.",
    "fat.difference-mild": "Between {low:.0f} and {high:.0f} HU from the spleen: mild fat.",
    "fat.difference-low": "More than {hu:.0f} HU below the spleen: moderate to severe fat.",
    "fat.fraction-unenhanced-only": "The fat fraction holds for unenhanced scans only.",
    "fat.fraction-kvp-unknown": "The fat fraction holds for {kvp:.0f} kVp; the tube voltage is not known.",
    "fat.fraction-kvp-other": "The fat fraction holds for {valid:.0f} kVp, not for {kvp:g} kVp.",
    "fat.fraction-liver-bright": "The liver is brighter than one without fat: something else raises its "
    "attenuation.",
    "fat.not-assessed": "Fatty liver was not assessed. {reason}",
    # computing and files
    "device.failed": "{device} failed ({reason}): the CPU is used instead.",
    "device.differs": "{device} computes other results than the CPU: the CPU is used instead.",
    "device.one-tile": (
        "Not enough memory on {device} for several tiles at once: this scan took one at a time."
    ),
    "device.to-cpu": "Not enough memory on {device}: this scan was computed on the CPU.",
    "note.oblique": "The scan is oblique by {degrees:.0f} degrees; it was segmented on an axis-aligned copy.",
    "note.larger-box": "Liver or spleen reached beyond the located box; the box was enlarged.",
    "files.no-3d-picture": "There is no 3-D picture. {reason}",
    "files.no-roi-picture": "There is no picture of the ROIs: the Python package pillow is missing.",
    **ERRORS,
}
"""Identifier -> English template."""
