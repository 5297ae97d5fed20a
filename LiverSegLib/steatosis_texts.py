"""The English template of every sentence about ROIs and fatty liver; see ``sentence_texts``."""

from typing import Dict

_ = str

STEATOSIS: Dict[str, str] = {
    # ROIs
    "roi.organ-missing": _("The mask holds no {organ}: no ROIs were placed there."),
    "roi.organ-cut-off": _("The {organ} reaches {place}: ROIs lie only in the part that was scanned."),
    "roi.too-few": _(
        "Only {count} of {wanted} ROIs fit into the {organ} with sides of {side:g} mm, "
        "{margin:g} mm from its border and {lesion_margin:g} mm from lesions, away from vessels."
    ),
    "roi.none-fits": _(
        "No ROI fits into the {organ} with sides of {side:g} mm, {margin:g} mm from its border "
        "and {lesion_margin:g} mm from lesions, away from vessels."
    ),
    "roi.remark": _("{roi}: {remark}"),
    "roi.outside-scan": _("It lies outside the scan, or its voxels have no value."),
    "roi.no-organ": _("There is no {organ} in the mask."),
    "roi.outside-organ": _("{percent} % of it lies outside the {organ}."),
    "roi.partly-outside-scan": _("Part of it lies outside the scan, or has no value."),
    "roi.touches-lesion": _("It touches a lesion."),
    "roi.noisy": _("Its SD of {sd:.0f} HU is above the noise of the {organ}, {noise:.0f} HU."),
    "roi.above-median": _("Its mean is {hu:.0f} HU above the median of the {organ}."),
    "roi.below-median": _("Its mean is {hu:.0f} HU below the median of the {organ}."),
    "roi.does-not-count": _("{roi} lies outside the scan and does not count."),
    "roi.small": _("{roi} has a side of {side:.1f} mm, less than {least:.0f} mm."),
    "roi.overlap": _("{first} and {second} overlap: what they share counts twice."),
    "roi.one-slice": _(
        "Slices are {mm:.1f} mm apart: an ROI holds only one slice, so its mean is less certain."
    ),
    "roi.few-slices": _(
        "Slices are {mm:.1f} mm apart: an ROI holds only {count} slices, so its mean is less certain."
    ),
    "roi.only-one": _("Only one ROI in the {organ}: there is no interval."),
    "roi.only-few": _("Only {count} ROIs in the {organ}: there is no interval."),
    # fatty liver
    "fat.not-ct": _("Liver fat is judged by attenuation, on CT only; this is an {modality}."),
    "grade.normal": _("No fatty liver by the ratio"),
    "grade.mild": _("Mild fatty liver"),
    "grade.moderate": _("Moderate fatty liver"),
    "grade.severe": _("Severe fatty liver"),
    "grade.normal-anyway": _("No fatty liver by the ratio (graded in spite of the reasons not to)"),
    "grade.mild-anyway": _("Mild fatty liver (graded in spite of the reasons not to)"),
    "grade.moderate-anyway": _("Moderate fatty liver (graded in spite of the reasons not to)"),
    "grade.severe-anyway": _("Severe fatty liver (graded in spite of the reasons not to)"),
    "grade.none": _("Not graded"),
    "grade-word.normal": _("normal"),
    "grade-word.mild": _("mild"),
    "grade-word.moderate": _("moderate"),
    "grade-word.severe": _("severe"),
    "fat.spleen-not-positive": _("A spleen ROI has 0 HU or less: there is no ratio to it."),
    "fat.kvp-unknown": _(
        "The tube voltage is not known; cut-offs and fat fraction hold for {kvp:.0f} kVp only."
    ),
    "fat.interval": _("The 95 % interval of the ratio reaches from {low} to {high}."),
    "fat.screening-below-80": _(
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase; below 80 HU "
        "moderate fatty liver is found with a sensitivity of 85.6 % and a specificity of 89.6 % "
        "(Pickhardt et al., n = 1676)."
    ),
    "fat.screening-below-90": _(
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase; below 90 HU "
        "moderate fatty liver is found with a sensitivity of 94.9 % and a specificity of 74.7 % "
        "(Pickhardt et al., n = 1676)."
    ),
    "fat.screening-above": _(
        "Screening, no grade: the liver has {hu:.1f} HU in the portal venous phase, not below 90 HU, "
        "the limit that finds moderate fatty liver with a sensitivity of 94.9 % and a specificity of "
        "74.7 % (Pickhardt et al., n = 1676)."
    ),
    "fat.more-dark-spleen": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: the "
        "spleen is dark ({spleen:.0f} HU), which raises the ratio."
    ),
    "fat.more-kvp": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: at "
        "{kvp:g} kVp attenuation differs from that at 120 kVp, where the limits of both were found."
    ),
    "fat.more-noise": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: noise "
        "of {noise:.0f} HU makes both less certain."
    ),
    "fat.more-kvp-unknown": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: the "
        "tube voltage, on which attenuation depends, is not known."
    ),
    "fat.more-unexplained": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says more fat than the ratio: tube "
        "voltage, noise and spleen do not explain it; near a limit two measures may differ."
    ),
    "fat.less-bright-spleen": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: the "
        "spleen is bright ({spleen:.0f} HU), which lowers the ratio."
    ),
    "fat.less-kvp": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: at "
        "{kvp:g} kVp attenuation differs from that at 120 kVp, where the limits of both were found."
    ),
    "fat.less-noise": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: noise "
        "of {noise:.0f} HU makes both less certain."
    ),
    "fat.less-kvp-unknown": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: the "
        "tube voltage, on which attenuation depends, is not known."
    ),
    "fat.less-unexplained": _(
        "The liver alone ({liver:.0f} HU, fat about {fat:.0f} %) says less fat than the ratio: tube "
        "voltage, noise and spleen do not explain it; near a limit two measures may differ."
    ),
    "fat.phase-by-reader-unenhanced": _("The reader chose the phase: unenhanced."),
    "fat.phase-by-reader-arterial": _("The reader chose the phase: arterial."),
    "fat.phase-by-reader-portal": _("The reader chose the phase: portal venous."),
    "fat.phase-by-reader-late": _("The reader chose the phase: delayed."),
    "fat.enhanced-by-reader-arterial": _(
        "The scan holds contrast medium: the reader chose the arterial phase."
    ),
    "fat.enhanced-by-reader-portal": _(
        "The scan holds contrast medium: the reader chose the portal venous phase."
    ),
    "fat.enhanced-by-reader-late": _("The scan holds contrast medium: the reader chose the delayed phase."),
    "fat.no-such-phase": _("There is no contrast phase {phase}; choose one of {phases}."),
    "fat.phase-against-image": _(
        "The reader chose another phase than the one that the image speaks for: {reason}"
    ),
    "fat.arterial": _("The scan holds contrast medium: it looks like the arterial phase."),
    "fat.portal": _("The scan holds contrast medium: it looks like the portal venous phase."),
    "fat.late": _("The scan holds contrast medium: it looks like the delayed phase."),
    "fat.because": _("{sentence} {reason}"),
    "fat.phase-unknown": _("It is not known whether the scan holds contrast medium."),
    "fat.agent": _("The DICOM header names a contrast agent ({agent})."),
    "fat.no-liver-roi": _("There is no accepted ROI in the liver."),
    "fat.no-spleen": _(
        "There is no spleen to compare with: only the attenuation of the liver can be judged."
    ),
    "fat.spleen-implausible": _(
        "The spleen has {hu:.0f} HU; an unenhanced one has {low:.0f} to {high:.0f} HU."
    ),
    "fat.liver-bright": _(
        "The liver has {hu:.0f} HU, above {limit:.0f} HU: iron, amiodarone or contrast medium may hide fat."
    ),
    "fat.kvp-other": _("The tube voltage was {kvp:g} kVp; the cut-offs hold for {valid:.0f} kVp."),
    "fat.organ-cut-off": _("Part of the {organ} lies outside the scan ({places})."),
    "fat.noise": _("The noise in the {organ} is {hu:.0f} HU, above {limit:.0f} HU: means may be shifted."),
    "fat.liver-low": _("Below {hu:.0f} HU: moderate to severe fat."),
    "fat.liver-specific": _("Up to {hu:.0f} HU: moderate to severe fat is likely."),
    "fat.liver-high": _(
        "Above {hu:.0f} HU: attenuation alone shows no more than mild fat and excludes none."
    ),
    "fat.difference-normal": _("More than {hu:.0f} HU above the spleen: hardly any fat."),
    "fat.difference-mild": _("Between {low:.0f} and {high:.0f} HU from the spleen: mild fat."),
    "fat.difference-low": _("More than {hu:.0f} HU below the spleen: moderate to severe fat."),
    "fat.fraction-unenhanced-only": _("The fat fraction holds for unenhanced scans only."),
    "fat.fraction-kvp-unknown": _("The fat fraction holds for {kvp:.0f} kVp; the tube voltage is not known."),
    "fat.fraction-kvp-other": _("The fat fraction holds for {valid:.0f} kVp, not for {kvp:g} kVp."),
    "fat.fraction-liver-bright": _(
        "The liver is brighter than one without fat: something else raises its attenuation."
    ),
    "fat.not-assessed": _("Fatty liver was not assessed. {reason}"),
}
"""Identifier -> English template."""
