"""The core's errors in Slicer's language; Testing/tools/sentence_table.py writes this."""

from typing import Callable, Dict

from slicer.i18n import tr as _

ERRORS: Dict[str, Callable[[], str]] = {
    "read.formats": lambda: _(".nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd, .dcm or a DICOM folder"),
    "mask.label": lambda: _("{value} {name}"),
    "read.type": lambda: _("A scan is a file, a folder or a SimpleITK image, not {type}."),
    "read.missing": lambda: _("{path} does not exist."),
    "read.forbidden": lambda: _("{path} cannot be opened: permission denied."),
    "read.failed": lambda: _("{name} cannot be read."),
    "read.no-folder": lambda: _("{path} is not a folder."),
    "read.lacks-data": lambda: _("{name} refers to {data}, which is not there."),
    "read.changed": lambda: _("{name} changed while it was being read."),
    "read.empty": lambda: _("{name} is empty."),
    "read.picture": lambda: _("{name} is a picture, not a CT in Hounsfield units; give {formats}."),
    "read.archive": lambda: _("{name} is an archive; unpack it and give the folder."),
    "read.unknown-kind": lambda: _("{name} is of no known kind; give {formats}."),
    "read.damaged": lambda: _(
        "{name} cannot be read: it is damaged, incomplete or not what its extension says."
    ),
    "read.frames": lambda: _(
        "The image is a series of {count} frames (four-dimensional); give one of them as a volume."
    ),
    "read.no-nifti": lambda: _("{name} is no NIfTI image, or its beginning is damaged."),
    "read.nifti-dimensions": lambda: _("The file's NIfTI header is damaged: its dimensions make no sense."),
    "read.spacing": lambda: _("The voxel spacing stored in {name} is zero or not a number."),
    "read.geometry": lambda: _("The geometry stored in {name} cannot be understood."),
    "read.orientation": lambda: _(
        "The orientation stored in the file is not usable: its axes do not span space."
    ),
    "read.incomplete-share": lambda: _("{name} is incomplete: only {percent} % of its voxels."),
    "read.incomplete-compressed": lambda: _("{name} is incomplete: its compressed data ends too early."),
    "read.damaged-compressed": lambda: _("{name} is damaged: its compressed data cannot be unpacked."),
    "read.incomplete-voxels": lambda: _("{name} is incomplete: it ends before its last voxel."),
    "read.damaged-header": lambda: _("{name} has a damaged header."),
    "correct.target": lambda: _("There is no structure {name!r} to correct; there are {known}."),
    "correct.no-points": lambda: _("A correction needs at least one point."),
    "correct.not-a-point": lambda: _("A point has three coordinates in mm, not {value}."),
    "correct.outside": lambda: _("The point ({x:.1f}, {y:.1f}, {z:.1f}) mm lies outside the scan."),
    "correct.radius": lambda: _("The radius of a stroke lies between 0 and {most:g} mm, not {value}."),
    "correct.probability": lambda: _(
        "The probability must be uint8 of the shape of the mask, {wanted}, not {shape}."
    ),
    "correct.nothing-to-undo": lambda: _("There is nothing to undo."),
    "correct.nothing-to-redo": lambda: _("There is nothing to redo."),
    "correct.no-lesion": lambda: _("There is no lesion at this point."),
    "correct.lesion-there": lambda: _("There is a lesion at this point already."),
    "correct.not-in-liver": lambda: _("The point does not lie in the liver."),
    "correct.lesion-size": lambda: _(
        "The size of a lesion lies between {least:g} and {most:g} mm, not {value}."
    ),
    "correct.not-one-lesion": lambda: _("The two points do not lie in one lesion."),
    "correct.one-place": lambda: _("The two points lie too close to each other."),
    "correct.one-lesion": lambda: _("Both points lie in one lesion already."),
    "correct.far-apart": lambda: _("The lesions are {mm:.0f} mm apart; at most {most:g} mm can be bridged."),
    "correct.no-bridge": lambda: _("No bridge through the liver joins the two lesions."),
    "dicom.nothing": lambda: _("{name} holds no DICOM images."),
    "dicom.nothing-but-volume": lambda: _(
        "{name} holds no DICOM images; name the file itself, for example {volume}."
    ),
    "dicom.all-damaged": lambda: _(
        "None of the DICOM files in {name} can be read; they are damaged or empty."
    ),
    "dicom.no-image": lambda: _("{name} is a DICOM file without a readable image."),
    "dicom.no-ct": lambda: _("This is no CT: the folder holds only images of modality {kinds}."),
    "dicom.only-series": lambda: _("The only series in the folder cannot be used: it is {reason}."),
    "dicom.no-places": lambda: _(
        "The DICOM files do not say where their slices lie (no position, orientation or pixel spacing)."
    ),
    "dicom.one-slice": lambda: _("This series is a single slice; a volume of at least 3 slices is needed."),
    "dicom.few-slices": lambda: _(
        "This series is only {count} slices; a volume of at least 3 slices is needed."
    ),
    "dicom.tilt": lambda: _(
        "The slices are tilted by {degrees:.0f}° against their row; the header is probably wrong."
    ),
    "dicom.colour": lambda: _("This series holds color images, no CT."),
    "dicom.other-size": lambda: _("{name} does not hold the image size that its header states."),
    "dicom.incomplete": lambda: _("{name} is incomplete: it ends before its last pixel."),
    "dicom.damaged": lambda: _("{name} cannot be read: it is damaged, incomplete or wrongly encoded."),
    "dicom.repeated": lambda: _(
        "The series holds {count} duplicate slices: several images lie at the same position."
    ),
    "dicom.slice-missing": lambda: _(
        "1 slice is missing in the series (first gap after slice {after} of {count})."
    ),
    "dicom.slices-missing": lambda: _(
        "{missing} slices are missing in the series (first gap after slice {after} of {count})."
    ),
    "dicom.uneven": lambda: _("The slices are unevenly spaced ({least:.3g} to {most:.3g} mm), not regular."),
    "dicom.not-in-a-row": lambda: _(
        "The slices do not lie in a straight row; the series was put together from several parts."
    ),
    "series.none-suits": lambda: _("No series in the folder is an axial CT of the trunk. Series: {listed}."),
    "series.several-suit": lambda: _(
        "The folder holds {count} suitable series; choose one by its number. Series: {listed}."
    ),
    "series.several-fit": lambda: _(
        "Several series fit {series!r}; choose one by its UID. Series: {listed}."
    ),
    "series.unknown": lambda: _("The folder holds no series {series!r}. Series: {listed}."),
    "series.none": lambda: _("it holds none"),
    "series.modality": lambda: _("its modality is {modality}, not CT"),
    "series.no-modality": lambda: _("its modality is not stated, not CT"),
    "series.secondary": lambda: _("a secondary capture or color image"),
    "series.derived": lambda: _("a derived image ({kind})"),
    "series.scout": lambda: _("a scout image"),
    "series.dose": lambda: _("a dose report or protocol page"),
    "series.rendering": lambda: _("a projection or rendering"),
    "series.bolus": lambda: _("bolus tracking"),
    "series.reformat": lambda: _("a coronal or sagittal reformat"),
    "series.few-slices": lambda: _("fewer than 3 slices"),
    "series.no-orientation": lambda: _("no slice orientation"),
    "series.not-axial": lambda: _("not axial"),
    "series.one-place": lambda: _("all slices at one place"),
    "series.far-apart": lambda: _("slices {mm:.3g} mm apart"),
    "series.low": lambda: _("only {mm:.0f} mm high"),
    "mask.dimensions": lambda: _("A volume is needed, but this image has {count} dimensions."),
    "mask.axes": lambda: _("The directions of the voxel axes in this image do not span space."),
    "mask.size": lambda: _("The mask and the scan differ in size: {mask} against {scan} voxels."),
    "mask.place": lambda: _(
        "The mask and the scan do not lie in the same place: corners are up to {mm:.2f} mm apart."
    ),
    "mask.type": lambda: _("A mask of whole numbers is needed, not {type}."),
    "mask.unknown-labels": lambda: _(
        "The mask holds values that are no labels: {values}. Known are {background} background, {known}."
    ),
    "mask.not-finite": lambda: _(
        "The scan holds voxels without a finite value, so its attenuation cannot be measured."
    ),
    "mask.empty": lambda: _("The mask is empty: there is no liver in which ROIs could be placed."),
    "mask.no-liver": lambda: _("The mask holds no liver in which ROIs could be placed."),
    "mask.numbers": lambda: _("A scan of numbers and a mask of whole numbers are needed."),
    "mask.no-labels": lambda: _("The mask holds values that are no labels."),
    "roi.other-organ": lambda: _("An ROI lies in the {organs}, not in {organ!r}."),
    "roi.centre": lambda: _("The center of the ROI {name} must be three numbers of mm."),
    "roi.sides": lambda: _("The sides of the ROI {name} must be from {low:.0f} to {high:.0f} mm."),
    "rois.count": lambda: _(
        "The number of ROIs in each organ must be from {low:g} to {high:g}, not {value}."
    ),
    "rois.side": lambda: _("The side of an ROI must be from {low:g} to {high:g} mm, not {value}."),
    "rois.margin": lambda: _(
        "The distance from the border of the organ must be from {low:g} to {high:g} mm, not {value}."
    ),
    "rois.lesion-margin": lambda: _(
        "The distance from lesions must be from {low:g} to {high:g} mm, not {value}."
    ),
    "rois.whole-count": lambda: _("The number of ROIs in each organ must be a whole number, not {value}."),
    "rois.seed": lambda: _("The seed must be a whole number from 0, not {value}."),
    "cut-offs.not-positive": lambda: _("The cut-offs of the ratio must be positive numbers."),
    "cut-offs.order": lambda: _(
        "The cut-offs must be in order: severe below {severe:g}, moderate below {moderate:g}, normal above "
        "{normal:g}."
    ),
    "result.assessment-format": lambda: _(
        "This assessment cannot be read: {expected!r} expected, {found!r} found."
    ),
    "result.assessment-damaged": lambda: _("This fatty-liver assessment is damaged."),
    "result.measurements-format": lambda: _(
        "These measurements cannot be read: {expected!r} expected, {found!r} found."
    ),
    "result.measurements-incomplete": lambda: _("These measurements cannot be read: they are incomplete."),
    "model.unknown": lambda: _("There is no model {name!r}. Available: {available}."),
    "model.none-there": lambda: _("There is no model {name!r}. Available: none."),
    "model.no-model-in-folder": lambda: _("The folder {path} holds no model (no {manifest})."),
    "model.folder-unreadable": lambda: _("The folder of models {folder} cannot be read: {reason}."),
    "model.checksum": lambda: _(
        "The weights {weights} of the model {name} do not match their checksum; please install the model "
        "again."
    ),
    "model.no-description": lambda: _("The model {name} has no description."),
    "model.leads-out": lambda: _("The model's {name} leads out of the model's folder."),
    "model.lacks-file": lambda: _("The model has no file {name}."),
    "model.no-ordinary-file": lambda: _("The model's {name} is no ordinary file."),
    "model.too-long": lambda: _("The model's {name} is {bytes} bytes long; at most {limit} are accepted."),
    "model.unreadable": lambda: _("The model's {name} cannot be read: {reason}."),
    "model.changed": lambda: _("The model's {name} changed while it was read."),
    "model.not-text": lambda: _("The model's description is not UTF-8 text."),
    "model.not-json": lambda: _("The model's description is not JSON."),
    "model.description": lambda: _("The model's description (model.json) is not valid: {reason}."),
    "model.weights": lambda: _("The model's weights are damaged: {reason}."),
    "model.needs-newer": lambda: _(
        "The model {name} needs LiverSeg {needed} or newer; this is {version}. Please update LiverSeg."
    ),
    "model.newer-format": lambda: _(
        "The model is in format {format}, and this LiverSeg reads up to {newest}. Please update LiverSeg."
    ),
    "model.no-stage": lambda: _("The model {name} has no stage {stage!r}."),
    "model.does-not-fit": lambda: _("The weights {weights} of the model {name} do not fit its network."),
    "model.no-torch": lambda: _("PyTorch is not installed, so no model can be loaded."),
    "model.not-mirrored": lambda: _(
        "The model {name} was not trained to be mirrored; leave out the mirror option."
    ),
    "device.no-torch": lambda: _("PyTorch is not installed; it is needed to segment."),
    "device.broken-torch": lambda: _("PyTorch is installed but does not load."),
    "device.unknown": lambda: _("There is no device {wanted!r}; choose one of {devices}."),
    "device.precision": lambda: _(
        "There is no precision {precision!r}; choose auto, float32, bfloat16 or float16."
    ),
    "device.absent": lambda: _("This computer has no usable {kind} device; available: {there}."),
    "run.changed": lambda: _("{name} was changed while it was being segmented; please run again."),
    "run.lesion-size": lambda: _("The minimum lesion size must be between 0 and {most:g} ml, not {value}."),
    "failed.memory-loading": lambda: _(
        "Memory ran out while loading the model. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-reading-scan": lambda: _(
        "Memory ran out while reading the scan. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-segmenting": lambda: _(
        "Memory ran out while segmenting. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-cleaning": lambda: _(
        "Memory ran out while cleaning up the mask. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-measuring": lambda: _(
        "Memory ran out while measuring. Close other programs, or use a computer with more memory."
    ),
    "handed.nothing": lambda: _("A request to segment needs either a path or voxels."),
    "handed.no-grid": lambda: _("Voxels without a grid cannot be segmented."),
    "handed.scan-unreadable": lambda: _("The scan handed to the worker cannot be read."),
    "handed.segmentation-unreadable": lambda: _("The segmentation handed to the worker cannot be read."),
    "handed.numbers-unreadable": lambda: _("The numbers handed to the worker cannot be read."),
    "handed.scan-type": lambda: _(
        "The scan must be three-dimensional with numbers, not {dimensions}-D of {type}."
    ),
    "handed.grid-numbers": lambda: _("A grid needs 3 numbers for origin, 3 for spacing and 9 for direction."),
    "handed.grid": lambda: _("The scan's grid is not usable."),
    "handed.segmentation-type": lambda: _(
        "The segmentation must be uint8 of shape {shape}, not {type} {found}."
    ),
    "write.results": lambda: _("LiverSeg could not write the results: {reason}"),
    "write.folder": lambda: _("LiverSeg could not make the folder {path}: {reason}"),
    "write.temporary-folder": lambda: _("LiverSeg could not make a temporary folder: {reason}"),
    "write.result-over": lambda: _("LiverSeg could not hand the result over: {reason}"),
    "write.scan-over": lambda: _("LiverSeg could not hand the scan to the worker: {reason}"),
    "write.numbers-over": lambda: _("LiverSeg could not hand the numbers to the worker: {reason}"),
    "write.disk-full": lambda: _("the disk that holds {folder} is full."),
    "write.read-only": lambda: _("{folder} is on a read-only disk."),
    "write.forbidden": lambda: _("{folder} does not allow writing."),
    "write.failed-because": lambda: _("writing into {folder} failed ({reason})."),
    "write.failed": lambda: _("writing into {folder} failed."),
    "write.not-ours": lambda: _(
        "{folder} holds a {name} that LiverSeg did not write or that was changed since; move it away or "
        "choose another folder."
    ),
    "write.nearly-full": lambda: _(
        "The disk that holds {folder} is nearly full: {free:.0f} MB free, results may take {needed:.0f} MB."
    ),
    "write.is-a-file": lambda: _("Results cannot be written to {path}: {file} is a file, not a folder."),
    "write.taken": lambda: _(
        "Another run is writing into {folder}; wait for it or choose another folder. If none is running, "
        "delete {lock}."
    ),
    "write.taken-here": lambda: _(
        "Another run (process {pid} on {host}) is writing into {folder}; wait for it or choose another "
        "folder."
    ),
    "write.taken-elsewhere": lambda: _(
        "Another run (process {pid} on {host}) is writing into {folder}; wait for it or choose another "
        "folder. If none is running, delete {lock}."
    ),
    "write.format": lambda: _('Unknown format "{wanted}". Available: {formats}.'),
    "write.no-pillow": lambda: _(
        "The report needs the Python package pillow: pip install pillow, or leave the report out."
    ),
    "write.too-large": lambda: _("NIfTI cannot hold an image of {size} voxels; choose another format."),
    "write.incomplete": lambda: _("{name} was not written completely."),
    "write.report": lambda: _("The report {path} cannot be written."),
    "write.table": lambda: _("The table {path} cannot be written: {reason}."),
    "write.file": lambda: _("{path} cannot be written."),
    "write.no-opengl": lambda: _(
        "The 3-D picture could not be drawn because no OpenGL library works on this machine."
    ),
}
"""Identifier of a sentence -> its template in the language that Slicer has now."""
