"""The English template of every error that the core raises with an identifier; see ``sentence_texts``."""

from typing import Dict

ERRORS: Dict[str, str] = {
    # words, to be arguments
    "read.formats": ".nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd, .dcm or a DICOM folder",
    "mask.label": "{value} {name}",
    # reading a scan
    "read.type": "A scan is a file, a folder or a SimpleITK image, not {type}.",
    "read.missing": "{path} does not exist.",
    "read.forbidden": "{path} cannot be opened: permission denied.",
    "read.failed": "{name} cannot be read.",
    "read.no-folder": "{path} is not a folder.",
    "read.lacks-data": "{name} refers to {data}, which is not there.",
    "read.changed": "{name} changed while it was being read.",
    "read.empty": "{name} is empty.",
    "read.picture": "{name} is a picture, not a CT in Hounsfield units; give {formats}.",
    "read.archive": "{name} is an archive; unpack it and give the folder.",
    "read.unknown-kind": "{name} is of no known kind; give {formats}.",
    "read.damaged": "{name} cannot be read: it is damaged, incomplete or not what its extension says.",
    "read.frames": "The image is a series of {count} frames (four-dimensional); give one of them as a "
    "volume.",
    "read.no-nifti": "{name} is no NIfTI image, or its beginning is damaged.",
    "read.nifti-dimensions": "The file's NIfTI header is damaged: its dimensions make no sense.",
    "read.spacing": "The voxel spacing stored in {name} is zero or not a number.",
    "read.geometry": "The geometry stored in {name} cannot be understood.",
    "read.orientation": "The orientation stored in the file is not usable: its axes do not span space.",
    "read.incomplete-share": "{name} is incomplete: only {percent} % of its voxels.",
    "read.incomplete-compressed": "{name} is incomplete: its compressed data ends too early.",
    "read.damaged-compressed": "{name} is damaged: its compressed data cannot be unpacked.",
    "read.incomplete-voxels": "{name} is incomplete: it ends before its last voxel.",
    "read.damaged-header": "{name} has a damaged header.",
    # correcting a mask
    "correct.target": "There is no structure {name!r} to correct; there are {known}.",
    "correct.no-points": "A correction needs at least one point.",
    "correct.not-a-point": "A point has three coordinates in mm, not {value}.",
    "correct.outside": "The point ({x:.1f}, {y:.1f}, {z:.1f}) mm lies outside the scan.",
    "correct.radius": "The radius of a stroke lies between 0 and {most:g} mm, not {value}.",
    "correct.probability": "The probability must be uint8 of the shape of the mask, {wanted}, not {shape}.",
    "correct.nothing-to-undo": "There is nothing to undo.",
    "correct.nothing-to-redo": "There is nothing to redo.",
    "correct.no-lesion": "There is no lesion at this point.",
    "correct.lesion-there": "There is a lesion at this point already.",
    "correct.not-in-liver": "The point does not lie in the liver.",
    "correct.lesion-size": "The size of a lesion lies between {least:g} and {most:g} mm, not {value}.",
    "correct.not-one-lesion": "The two points do not lie in one lesion.",
    "correct.one-place": "The two points lie too close to each other.",
    "correct.one-lesion": "Both points lie in one lesion already.",
    "correct.far-apart": "The lesions are {mm:.0f} mm apart; at most {most:g} mm can be bridged.",
    "correct.no-bridge": "No bridge through the liver joins the two lesions.",
    # DICOM
    "dicom.nothing": "{name} holds no DICOM images.",
    "dicom.nothing-but-volume": "{name} holds no DICOM images; name the file itself, for example {volume}.",
    "dicom.all-damaged": "None of the DICOM files in {name} can be read; they are damaged or empty.",
    "dicom.no-image": "{name} is a DICOM file without a readable image.",
    "dicom.no-ct": "This is no CT: the folder holds only images of modality {kinds}.",
    "dicom.only-series": "The only series in the folder cannot be used: it is {reason}.",
    "dicom.no-places": "The DICOM files do not say where their slices lie (no position, orientation or pixel "
    "spacing).",
    "dicom.one-slice": "This series is a single slice; a volume of at least 3 slices is needed.",
    "dicom.few-slices": "This series is only {count} slices; a volume of at least 3 slices is needed.",
    "dicom.tilt": "The slices are tilted by {degrees:.0f}° against their row; the header is probably wrong.",
    "dicom.colour": "This series holds color images, no CT.",
    "dicom.other-size": "{name} does not hold the image size that its header states.",
    "dicom.incomplete": "{name} is incomplete: it ends before its last pixel.",
    "dicom.damaged": "{name} cannot be read: it is damaged, incomplete or wrongly encoded.",
    "dicom.repeated": "The series holds {count} duplicate slices: several images lie at the same position.",
    "dicom.slice-missing": "1 slice is missing in the series (first gap after slice {after} of {count}).",
    "dicom.slices-missing": "{missing} slices are missing in the series (first gap after slice {after} of "
    "{count}).",
    "dicom.uneven": "The slices are unevenly spaced ({least:.3g} to {most:.3g} mm), not regular.",
    "dicom.not-in-a-row": "The slices do not lie in a straight row; the series was put together from several "
    "parts.",
    "series.none-suits": "No series in the folder is an axial CT of the trunk. Series: {listed}.",
    "series.several-suit": "The folder holds {count} suitable series; choose one by its number. Series: "
    "{listed}.",
    "series.several-fit": "Several series fit {series!r}; choose one by its UID. Series: {listed}.",
    "series.unknown": "The folder holds no series {series!r}. Series: {listed}.",
    "series.none": "it holds none",
    # why a series is not taken, to be arguments
    "series.modality": "its modality is {modality}, not CT",
    "series.no-modality": "its modality is not stated, not CT",
    "series.secondary": "a secondary capture or color image",
    "series.derived": "a derived image ({kind})",
    "series.scout": "a scout image",
    "series.dose": "a dose report or protocol page",
    "series.rendering": "a projection or rendering",
    "series.bolus": "bolus tracking",
    "series.reformat": "a coronal or sagittal reformat",
    "series.few-slices": "fewer than 3 slices",
    "series.no-orientation": "no slice orientation",
    "series.not-axial": "not axial",
    "series.one-place": "all slices at one place",
    "series.far-apart": "slices {mm:.3g} mm apart",
    "series.low": "only {mm:.0f} mm high",
    # mask and scan
    "mask.dimensions": "A volume is needed, but this image has {count} dimensions.",
    "mask.axes": "The directions of the voxel axes in this image do not span space.",
    "mask.size": "The mask and the scan differ in size: {mask} against {scan} voxels.",
    "mask.place": "The mask and the scan do not lie in the same place: corners are up to {mm:.2f} mm apart.",
    "mask.type": "A mask of whole numbers is needed, not {type}.",
    "mask.unknown-labels": "The mask holds values that are no labels: {values}. Known are {background} "
    "background, {known}.",
    "mask.not-finite": "The scan holds voxels without a finite value, so its attenuation cannot be measured.",
    "mask.empty": "The mask is empty: there is no liver in which ROIs could be placed.",
    "mask.no-liver": "The mask holds no liver in which ROIs could be placed.",
    "mask.numbers": "A scan of numbers and a mask of whole numbers are needed.",
    "mask.no-labels": "The mask holds values that are no labels.",
    # ROIs, cut-offs, and numbers of an earlier result
    "roi.other-organ": "An ROI lies in the {organs}, not in {organ!r}.",
    "roi.centre": "The center of the ROI {name} must be three numbers of mm.",
    "roi.sides": "The sides of the ROI {name} must be from {low:.0f} to {high:.0f} mm.",
    "rois.count": "The number of ROIs in each organ must be from {low:g} to {high:g}, not {value}.",
    "rois.side": "The side of an ROI must be from {low:g} to {high:g} mm, not {value}.",
    "rois.margin": "The distance from the border of the organ must be from {low:g} to {high:g} mm, "
    "not {value}.",
    "rois.lesion-margin": "The distance from lesions must be from {low:g} to {high:g} mm, not {value}.",
    "rois.whole-count": "The number of ROIs in each organ must be a whole number, not {value}.",
    "rois.seed": "The seed must be a whole number from 0, not {value}.",
    "cut-offs.not-positive": "The cut-offs of the ratio must be positive numbers.",
    "cut-offs.order": "The cut-offs must be in order: severe below {severe:g}, moderate below {moderate:g}, "
    "normal above {normal:g}.",
    "result.assessment-format": "This assessment cannot be read: {expected!r} expected, {found!r} found.",
    "result.assessment-damaged": "This fatty-liver assessment is damaged.",
    "result.measurements-format": "These measurements cannot be read: {expected!r} expected, {found!r} "
    "found.",
    "result.measurements-incomplete": "These measurements cannot be read: they are incomplete.",
    # models
    "model.unknown": "There is no model {name!r}. Available: {available}.",
    "model.none-there": "There is no model {name!r}. Available: none.",
    "model.no-model-in-folder": "The folder {path} holds no model (no {manifest}).",
    "model.folder-unreadable": "The folder of models {folder} cannot be read: {reason}.",
    "model.checksum": "The weights {weights} of the model {name} do not match their checksum; please install "
    "the model again.",
    "model.no-description": "The model {name} has no description.",
    "model.leads-out": "The model's {name} leads out of the model's folder.",
    "model.lacks-file": "The model has no file {name}.",
    "model.no-ordinary-file": "The model's {name} is no ordinary file.",
    "model.too-long": "The model's {name} is {bytes} bytes long; at most {limit} are accepted.",
    "model.unreadable": "The model's {name} cannot be read: {reason}.",
    "model.changed": "The model's {name} changed while it was read.",
    "model.not-text": "The model's description is not UTF-8 text.",
    "model.not-json": "The model's description is not JSON.",
    "model.description": "The model's description (model.json) is not valid: {reason}.",
    "model.weights": "The model's weights are damaged: {reason}.",
    "model.needs-newer": "The model {name} needs LiverSeg {needed} or newer; this is {version}. Please "
    "update LiverSeg.",
    "model.newer-format": "The model is in format {format}, and this LiverSeg reads up to {newest}. Please "
    "update LiverSeg.",
    "model.no-stage": "The model {name} has no stage {stage!r}.",
    "model.does-not-fit": "The weights {weights} of the model {name} do not fit its network.",
    "model.no-torch": "PyTorch is not installed, so no model can be loaded.",
    "model.not-mirrored": "The model {name} was not trained to be mirrored; leave out the mirror option.",
    # computing
    "device.no-torch": "PyTorch is not installed; it is needed to segment.",
    "device.broken-torch": "PyTorch is installed but does not load.",
    "device.unknown": "There is no device {wanted!r}; choose one of {devices}.",
    "device.precision": "There is no precision {precision!r}; choose auto, float32, bfloat16 or float16.",
    "device.absent": "This computer has no usable {kind} device; available: {there}.",
    "run.changed": "{name} was changed while it was being segmented; please run again.",
    "run.lesion-size": "The minimum lesion size must be between 0 and {most:g} ml, not {value}.",
    "failed.memory-loading": (
        "Memory ran out while loading the model. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-reading-scan": (
        "Memory ran out while reading the scan. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-segmenting": (
        "Memory ran out while segmenting. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-cleaning": (
        "Memory ran out while cleaning up the mask. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-measuring": (
        "Memory ran out while measuring. Close other programs, or use a computer with more memory."
    ),
    # what the worker was handed
    "handed.nothing": "A request to segment needs either a path or voxels.",
    "handed.no-grid": "Voxels without a grid cannot be segmented.",
    "handed.scan-unreadable": "The scan handed to the worker cannot be read.",
    "handed.segmentation-unreadable": "The segmentation handed to the worker cannot be read.",
    "handed.numbers-unreadable": "The numbers handed to the worker cannot be read.",
    "handed.scan-type": "The scan must be three-dimensional with numbers, not {dimensions}-D of {type}.",
    "handed.grid-numbers": "A grid needs 3 numbers for origin, 3 for spacing and 9 for direction.",
    "handed.grid": "The scan's grid is not usable.",
    "handed.segmentation-type": "The segmentation must be uint8 of shape {shape}, not {type} {found}.",
    # writing; {reason} is one of the next block
    "write.results": "LiverSeg could not write the results: {reason}",
    "write.folder": "LiverSeg could not make the folder {path}: {reason}",
    "write.temporary-folder": "LiverSeg could not make a temporary folder: {reason}",
    "write.result-over": "LiverSeg could not hand the result over: {reason}",
    "write.scan-over": "LiverSeg could not hand the scan to the worker: {reason}",
    "write.numbers-over": "LiverSeg could not hand the numbers to the worker: {reason}",
    "write.disk-full": "the disk that holds {folder} is full.",
    "write.read-only": "{folder} is on a read-only disk.",
    "write.forbidden": "{folder} does not allow writing.",
    "write.failed-because": "writing into {folder} failed ({reason}).",
    "write.failed": "writing into {folder} failed.",
    "write.not-ours": "{folder} holds a {name} that LiverSeg did not write or that was changed since; move "
    "it away or choose another folder.",
    "write.nearly-full": "The disk that holds {folder} is nearly full: {free:.0f} MB free, results may take "
    "{needed:.0f} MB.",
    "write.is-a-file": "Results cannot be written to {path}: {file} is a file, not a folder.",
    "write.taken": "Another run is writing into {folder}; wait for it or choose another folder. If none is "
    "running, delete {lock}.",
    "write.taken-here": "Another run (process {pid} on {host}) is writing into {folder}; wait for it or "
    "choose another folder.",
    "write.taken-elsewhere": "Another run (process {pid} on {host}) is writing into {folder}; wait for it or "
    "choose another folder. If none is running, delete {lock}.",
    "write.format": 'Unknown format "{wanted}". Available: {formats}.',
    "write.no-pillow": "The report needs the Python package pillow: pip install pillow, or leave the report "
    "out.",
    "write.too-large": "NIfTI cannot hold an image of {size} voxels; choose another format.",
    "write.incomplete": "{name} was not written completely.",
    "write.report": "The report {path} cannot be written.",
    "write.table": "The table {path} cannot be written: {reason}.",
    "write.file": "{path} cannot be written.",
    "write.no-opengl": "The 3-D picture could not be drawn because no OpenGL library works on this machine.",
}
"""Identifier -> English template."""
