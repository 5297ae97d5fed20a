"""The English template of every sentence about two or more dates of one patient; see ``sentence_texts``."""

from typing import Dict

_ = str

FOLLOWUP: Dict[str, str] = {
    # the scans
    "followup.too-few": _("A follow-up needs scans of at least two dates."),
    "followup.twice": _("{name} and {other} are the same scan: a follow-up needs scans of different dates."),
    "followup.no-liver": _("No liver is segmented in {name}, so it cannot be compared."),
    "followup.date": _('"{date}" is no date; write it as 2026-11-30.'),
    "followup.date-count": _("There are {scans} scans, but {dates} dates were given."),
    "followup.no-dates": _(
        "The date of {name} is not known: the scans were taken in the order in which they were given."
    ),
    "followup.same-date": _("{name} and {other} are of the same date; they stay in the order given."),
    "followup.patients": _(
        "{name} and {other} have different patient IDs in their DICOM headers: make sure that they are of "
        "one patient."
    ),
    "followup.phases": _(
        "The contrast phases differ ({phases}): lesions may look new or gone, and attenuations may change, "
        "for that reason alone."
    ),
    "followup.modalities": _(
        "CT and MR are compared: lesions may look larger, smaller, new or gone for that reason alone."
    ),
    "followup.slices": _(
        "The slices are {least:.1f} to {most:.1f} mm apart: diameters and small lesions on the thicker ones "
        "are less certain."
    ),
    "followup.no-tumours": _(
        "Lesions were not looked for in {name}: its model does not segment them. Nothing is said of lesions "
        "at that date."
    ),
    # which series, and where the scan of a result is
    "followup.which-series": _("{why} Choose one of {folder} with --series {folder}=UID."),
    "followup.no-such-input": _("{option} is said of {path} more often than that is among the inputs."),
    "followup.series-of-result": _(
        "{path} is a result, which is of one series already: --series is for folders of DICOM files."
    ),
    # results that were written before
    "followup.not-a-result": _("{folder} holds no result of liverseg segment."),
    "followup.scan-missing": _(
        "The scan of the result in {folder} is no longer at {path}; say where it is with "
        "--scan {folder}=PATH."
    ),
    "followup.scan-unknown": _(
        "The result in {folder} does not say where its scan is; say it with --scan {folder}=PATH."
    ),
    "followup.other-scan": _("{path} is not the scan from which the result in {folder} was made."),
    "followup.edited": _("The segmentation of {name} was changed since it was written; it is used as it is."),
    # registration
    "followup.not-registered": _(
        "The livers of {name} and {other} do not fit onto each other (overlap {dice:.2f} of 1): they look "
        "like those of different patients, or a large part was removed. Nothing was compared."
    ),
    "followup.compared-anyway": _(
        "The livers of {name} and {other} do not fit onto each other (overlap {dice:.2f} of 1); they were "
        "compared all the same, as was asked. Do not rely on which lesion is which."
    ),
    "followup.shape-differs": _(
        "The liver of {name} has another shape than at the first date (overlap {dice:.2f} of 1 before "
        "bending): make sure that the scans are of one patient."
    ),
    "followup.overlap-low": _(
        "The liver of {name} fits only roughly onto that of the first date (overlap {dice:.2f} of 1): check "
        "which lesion is which."
    ),
    "followup.deformation-strong": _(
        "The liver of {name} had to be bent strongly to fit that of the first date: check which lesion "
        "is which."
    ),
    "followup.not-bent": _(
        "The liver of {name} was fitted to that of the first date without bending, as bending made "
        "it no better."
    ),
    # response by RECIST 1.1
    "recist.no-lesion": _("There is no lesion at any date, so there is nothing to judge."),
    "recist.not-looked": _("Lesions were not looked for at this date."),
    "recist.new": _("A new lesion ({lesions}) is progression, whatever the sum."),
    "recist.new-doubtful": _(
        "A lesion that looks new ({lesions}) was not counted as progression, as it is {reasons}; a "
        "reader must "
        "decide."
    ),
    "recist.reason-small": _("shorter than {mm:.0f} mm"),
    "recist.reason-phase": _("seen in another contrast phase than before"),
    "recist.reason-registration": _("in a liver that fits only roughly onto the earlier one"),
    "recist.cr": _("All lesions of the first date are gone."),
    "recist.cr-targets": _(
        "All target lesions are gone, but other lesions of the first date remain: partial response."
    ),
    "recist.pr": _(
        "The sum of diameters is {sum:.1f} mm, {percent:.0f} % below the {baseline:.1f} mm of the "
        "first date: at "
        "least 30 % is partial response."
    ),
    "recist.pd": _(
        "The sum of diameters is {sum:.1f} mm, {percent:.0f} % and {mm:.1f} mm above the smallest so far, "
        "{nadir:.1f} mm: at least 20 % and 5 mm is progression."
    ),
    "recist.pd-after-none": _("The target lesions had been gone and are {sum:.1f} mm again: progression."),
    "recist.sd": _(
        "The sum of diameters is {sum:.1f} mm: neither 30 % below that of the first date "
        "({baseline:.1f} mm), "
        "nor 20 % and 5 mm above the smallest so far ({nadir:.1f} mm)."
    ),
    "recist.ne": _("A target lesion lies outside this scan, so the sum of diameters is not known."),
    "recist.non-target-ne": _("A lesion of the first date lies outside this scan."),
    "recist.non-target": _(
        "No lesion of the first date is long enough to be a target ({mm:.0f} mm); some remain, and a reader "
        "must judge whether they progress."
    ),
    "recist.non-target-cr": _(
        "No lesion of the first date was long enough to be a target ({mm:.0f} mm); all are gone."
    ),
    "recist.nothing-before": _(
        "There was no lesion at the first date, and none that is surely new at this one."
    ),
    "recist.of-liver": _(
        "This is the liver alone, by measurements that were made automatically: RECIST 1.1 asks a reader to "
        "choose the target lesions, to judge non-target and new lesions, and to look at the whole body."
    ),
}
"""Identifier -> English template."""
