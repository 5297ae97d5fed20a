"""The English template of every sentence about segmentations that others made; see ``sentence_texts``."""

from typing import Dict

_ = str

SEGMENTATIONS: Dict[str, str] = {
    # what cannot be used
    "segmentation.damaged": _("{name} cannot be read as a segmentation: it is damaged or incomplete."),
    "segmentation.no-image": _("{name} cannot be read as an image or a DICOM segmentation."),
    "segmentation.other-class": _(
        "{name} is a DICOM file of modality {modality}, neither a Segmentation nor an RT Structure Set."
    ),
    "segmentation.folder": _("{path} does not hold exactly one DICOM file; name the segmentation itself."),
    "segmentation.compression": _(
        "The pixels of {name} are compressed in a way that cannot be decoded here."
    ),
    "segmentation.no-places": _("{name} does not say where its frames lie."),
    "segmentation.irregular": _(
        "The frames of {name} differ in size or direction, or do not lie at regular distances."
    ),
    "segmentation.dimensions": _("{name} is no segmentation: it is not a 3-D image with one value a voxel."),
    "segmentation.too-many-values": _("{name} is no segmentation: it has {count} different values."),
    "segmentation.needs-scan": _(
        "{name} is an RT Structure Set: contours become voxels only on the grid of their scan."
    ),
    "segmentation.oblique": _(
        "{count} contours of {segment} in {name} do not lie in the plane of the scan's slices."
    ),
    # whose it is
    "segmentation.other-frame": _(
        "{name} belongs to another scan than {scan}: its frame of reference is another one."
    ),
    "segmentation.elsewhere": _("{name} does not lie within the scan."),
    "segmentation.empty": _("What was chosen of {name} holds nothing: its segments are empty."),
    # which segment is which
    "segmentation.no-liver": _(
        "No segment of {name} is known as the liver; say which is, for example --segment NAME=liver. "
        "It has: {listed}."
    ),
    "segmentation.no-such-segment": _("There is no segment {name}; there are: {listed}."),
    "segmentation.no-such-structure": _("There is no structure {name}; choose one of: {known}."),
    # warnings
    "segmentation.cannot-check": _(
        "Whether {name} belongs to this scan cannot be checked: one of them names no frame of reference."
    ),
    "segmentation.other-series": _(
        "{name} was drawn on another series in the same frame of reference: breathing may move the liver."
    ),
    "segmentation.fractional": _("{name} holds shares of voxels; those of half and more were taken."),
    "segmentation.resampled": _(
        "{name} has another voxel grid than the scan and was resampled: volumes may differ a little."
    ),
    "segmentation.outside": _("{percent} % of {name} lie outside the scan and were left out."),
    "segmentation.planes-outside": _(
        "{count} planes of contours in {name} lie outside the scan and were left out."
    ),
    "segmentation.interpolated": _(
        "{segment}: {count} slices without contours were interpolated between those that have some."
    ),
    "segmentation.other-volume": _("{name} was drawn on {other}, not on this scan."),
    "segmentation.liver-without-tumors": _(
        "The liver was drawn without its tumors; they count as liver too."
    ),
    "segmentation.loose-tumors": _("{ml:.2f} ml of the tumors do not touch the liver."),
    "segmentation.overlap": _("Liver and spleen overlap by {ml:.1f} ml, which were taken for liver."),
}
"""Identifier -> English template."""
