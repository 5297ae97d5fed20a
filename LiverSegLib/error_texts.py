"""The English template of every error that the core raises with an identifier; see ``sentence_texts``."""

from typing import Dict

_ = str

ERRORS: Dict[str, str] = {
    # words, to be arguments
    "read.formats": _(".nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd, .dcm, a DICOM folder or a .zip of one"),
    "mask.label": _("{value} {name}"),
    # reading a scan
    "read.type": _("A scan is a file, a folder or a SimpleITK image, not {type}."),
    "read.missing": _("{path} does not exist."),
    "read.forbidden": _("{path} cannot be opened: permission denied."),
    "read.failed": _("{name} cannot be read."),
    "read.no-folder": _("{path} is not a folder."),
    "read.lacks-data": _("{name} refers to {data}, which is not there."),
    "read.changed": _("{name} changed while it was being read."),
    "read.empty": _("{name} is empty."),
    "read.picture": _("{name} is a picture, not a CT in Hounsfield units; give {formats}."),
    "read.archive": _("{name} is an archive; unpack it and give the folder."),
    "read.unknown-kind": _("{name} is of no known kind; give {formats}."),
    "read.damaged": _("{name} cannot be read: it is damaged, incomplete or not what its extension says."),
    "read.frames": _(
        "The image is a series of {count} frames (four-dimensional); give one of them as a volume."
    ),
    "read.no-nifti": _("{name} is no NIfTI image, or its beginning is damaged."),
    "read.nifti-dimensions": _("The file's NIfTI header is damaged: its dimensions make no sense."),
    "read.spacing": _("The voxel spacing stored in {name} is zero or not a number."),
    "read.geometry": _("The geometry stored in {name} cannot be understood."),
    "read.orientation": _("The orientation stored in the file is not usable: its axes do not span space."),
    "read.incomplete-share": _("{name} is incomplete: only {percent} % of its voxels."),
    "read.incomplete-compressed": _("{name} is incomplete: its compressed data ends too early."),
    "read.damaged-compressed": _("{name} is damaged: its compressed data cannot be unpacked."),
    "read.incomplete-voxels": _("{name} is incomplete: it ends before its last voxel."),
    "read.damaged-header": _("{name} has a damaged header."),
    # correcting a mask
    "correct.target": _("There is no structure {name!r} to correct; there are {known}."),
    "correct.no-points": _("A correction needs at least one point."),
    "correct.not-a-point": _("A point has three coordinates in mm, not {value}."),
    "correct.outside": _("The point ({x:.1f}, {y:.1f}, {z:.1f}) mm lies outside the scan."),
    "correct.radius": _("The radius of a stroke lies between 0 and {most:g} mm, not {value}."),
    "correct.probability": _(
        "The probability must be uint8 of the shape of the mask, {wanted}, not {shape}."
    ),
    "correct.case-image": _("The scan must be an array of shape {wanted} as its grid says, not {found}."),
    "correct.case-labels": _("The segmentation must be uint8 of shape {wanted}, not {type} {found}."),
    "correct.case-values": _("The segmentation holds the value {value}; the largest label is {most}."),
    "correct.case-probability": _("A probability needs the automatic segmentation that it belongs to."),
    "correct.box": _("The box {box} does not lie within the scan, whose shape is {shape}."),
    "correct.outside-box": _(
        "The point ({x:.1f}, {y:.1f}, {z:.1f}) mm lies outside the part of the scan that was handed over."
    ),
    "correct.action": _("There is no correction {name!r}; there are {known}."),
    "correct.point-count": _("This correction needs {count} points, not {found}."),
    "correct.one-point": _("This correction needs one point, not {found}."),
    "correct.not-open": _(
        "LiverSeg's worker does not have this scan open, for instance because it was started again."
    ),
    "correct.nothing-to-undo": _("There is nothing to undo."),
    "correct.nothing-to-redo": _("There is nothing to redo."),
    "correct.no-lesion": _("There is no lesion at this point."),
    "correct.lesion-there": _("There is a lesion at this point already."),
    "correct.not-in-liver": _("The point does not lie in the liver."),
    "correct.lesion-size": _("The size of a lesion lies between {least:g} and {most:g} mm, not {value}."),
    "correct.not-one-lesion": _("The two points do not lie in one lesion."),
    "correct.one-place": _("The two points lie too close to each other."),
    "correct.one-lesion": _("Both points lie in one lesion already."),
    "correct.far-apart": _("The lesions are {mm:.0f} mm apart; at most {most:g} mm can be bridged."),
    "correct.no-bridge": _("No bridge through the liver joins the two lesions."),
    # zip archives of DICOM files
    "zip.damaged": _("{name} is damaged, or no zip archive."),
    "zip.encrypted": _("{name} is encrypted; unpack it with its password and give the folder."),
    "zip.method": _(
        "{name} is packed in a way that LiverSeg cannot read; unpack it with another program and give the "
        "folder."
    ),
    "zip.link": _("{name} was refused: {member} in it is a link, not a file."),
    "zip.leads-out": _("{name} was refused: {member} in it leads out of the archive."),
    "zip.too-many": _("{name} was refused: it holds {count} files, more than {most}."),
    "zip.too-large": _("{name} was refused: unpacked it has {gb:.0f} GB, more than {most:.0f} GB."),
    "zip.bomb": _("{name} was refused: unpacked it grows more than {most} times."),
    "zip.nested": _(
        "{name} holds no DICOM images but another archive, {member}; unpack it and give the one within."
    ),
    "zip.no-dicom": _("{name} holds no DICOM images; give a scan of another format by its own file."),
    "zip.no-room": _(
        "{name} cannot be unpacked: that takes {needed:.1f} GB, but {folder} has only {free:.1f} GB free."
    ),
    "zip.not-unpacked": _("LiverSeg could not unpack {name}: {reason}"),
    # DICOM
    "dicom.nothing": _("{name} holds no DICOM images."),
    "dicom.nothing-but-volume": _(
        "{name} holds no DICOM images; name the file itself, for example {volume}."
    ),
    "dicom.all-damaged": _("None of the DICOM files in {name} can be read; they are damaged or empty."),
    "dicom.no-image": _("{name} is a DICOM file without a readable image."),
    "dicom.no-ct": _("This is no CT: the folder holds only images of modality {kinds}."),
    "dicom.no-mr": _("This is no MR: the folder holds only images of modality {kinds}."),
    "dicom.only-series": _("The only series in the folder cannot be used: it is {reason}."),
    "dicom.no-places": _(
        "The DICOM files do not say where their slices lie (no position, orientation or pixel spacing)."
    ),
    "dicom.one-slice": _("This series is a single slice; a volume of at least 3 slices is needed."),
    "dicom.few-slices": _("This series is only {count} slices; a volume of at least 3 slices is needed."),
    "dicom.tilt": _(
        "The slices are tilted by {degrees:.0f}° against their row; the header is probably wrong."
    ),
    "dicom.colour": _("This series holds color images, no CT."),
    "dicom.other-size": _("{name} does not hold the image size that its header states."),
    "dicom.incomplete": _("{name} is incomplete: it ends before its last pixel."),
    "dicom.compression": _(
        "{name} is compressed as {compression}, which LiverSeg cannot decode; export the series uncompressed "
        "or as JPEG 2000."
    ),
    "dicom.damaged": _("{name} cannot be read: it is damaged, incomplete or wrongly encoded."),
    "dicom.repeated": _(
        "The series holds {count} duplicate slices: several images lie at the same position."
    ),
    "dicom.slice-missing": _("1 slice is missing in the series (first gap after slice {after} of {count})."),
    "dicom.slices-missing": _(
        "{missing} slices are missing in the series (first gap after slice {after} of {count})."
    ),
    "dicom.perhaps-damaged": _("{why} {damaged}"),
    "dicom.uneven": _("The slices are unevenly spaced ({least:.3g} to {most:.3g} mm), not regular."),
    "dicom.not-in-a-row": _(
        "The slices do not lie in a straight row; the series was put together from several parts."
    ),
    "series.none-suits": _("No series in the folder is an axial CT of the trunk. Series: {listed}."),
    "series.none-suits-mr": _("No series in the folder is an axial MR of the trunk. Series: {listed}."),
    "series.several-suit": _(
        "The folder holds {count} suitable series; choose one by its number. Series: {listed}."
    ),
    "series.several-fit": _("Several series fit {series!r}; choose one by its UID. Series: {listed}."),
    "series.unknown": _("The folder holds no series {series!r}. Series: {listed}."),
    "series.none": _("it holds none"),
    # what tells the stacks of a series apart, to be arguments
    "series.part-stack": _("stack {value}"),
    "series.part-acquisition": _("acquisition {value}"),
    "series.part-time-point": _("time point {value}"),
    "series.part-kernel": _("kernel {value}"),
    "series.part-time": _("acquired at {value}"),
    # why a series is not taken, to be arguments
    "series.modality": _("its modality is {modality}, not CT"),
    "series.modality-mr": _("its modality is {modality}, not MR"),
    "series.no-modality": _("its modality is not stated, not CT"),
    "series.secondary": _("a secondary capture or color image"),
    "series.derived": _("a derived image ({kind})"),
    "series.scout": _("a scout image"),
    "series.dose": _("a dose report or protocol page"),
    "series.rendering": _("a projection or rendering"),
    "series.bolus": _("bolus tracking"),
    "series.reformat": _("a coronal or sagittal reformat"),
    "series.few-slices": _("fewer than 3 slices"),
    "series.no-orientation": _("no slice orientation"),
    "series.not-axial": _("not axial"),
    "series.one-place": _("all slices at one place"),
    "series.far-apart": _("slices {mm:.3g} mm apart"),
    "series.low": _("only {mm:.0f} mm high"),
    # mask and scan
    "mask.dimensions": _("A volume is needed, but this image has {count} dimensions."),
    "mask.axes": _("The directions of the voxel axes in this image do not span space."),
    "mask.size": _("The mask and the scan differ in size: {mask} against {scan} voxels."),
    "mask.place": _(
        "The mask and the scan do not lie in the same place: corners are up to {mm:.2f} mm apart."
    ),
    "mask.type": _("A mask of whole numbers is needed, not {type}."),
    "mask.unknown-labels": _(
        "The mask holds values that are no labels: {values}. Known are {background} background, {known}."
    ),
    "mask.not-finite": _(
        "The scan holds voxels without a finite value, so its attenuation cannot be measured."
    ),
    "mask.empty": _("The mask is empty: there is no liver in which ROIs could be placed."),
    "mask.no-liver": _("The mask holds no liver in which ROIs could be placed."),
    "mask.numbers": _("A scan of numbers and a mask of whole numbers are needed."),
    "mask.no-labels": _("The mask holds values that are no labels."),
    # ROIs, cut-offs, and numbers of an earlier result
    "roi.other-organ": _("An ROI lies in the {organs}, not in {organ!r}."),
    "roi.centre": _("The center of the ROI {name} must be three numbers of mm."),
    "roi.sides": _("The sides of the ROI {name} must be from {low:.0f} to {high:.0f} mm."),
    "rois.count": _("The number of ROIs in each organ must be from {low:g} to {high:g}, not {value}."),
    "rois.side": _("The side of an ROI must be from {low:g} to {high:g} mm, not {value}."),
    "rois.margin": _(
        "The distance from the border of the organ must be from {low:g} to {high:g} mm, not {value}."
    ),
    "rois.lesion-margin": _("The distance from lesions must be from {low:g} to {high:g} mm, not {value}."),
    "rois.whole-count": _("The number of ROIs in each organ must be a whole number, not {value}."),
    "rois.seed": _("The seed must be a whole number from 0, not {value}."),
    "cut-offs.not-positive": _("The cut-offs of the ratio must be positive numbers."),
    "cut-offs.order": _(
        "The cut-offs must be in order: severe below {severe:g}, moderate below {moderate:g}, "
        "normal above {normal:g}."
    ),
    "result.assessment-format": _("This assessment cannot be read: {expected!r} expected, {found!r} found."),
    "result.assessment-damaged": _("This fatty-liver assessment is damaged."),
    "result.measurements-format": _(
        "These measurements cannot be read: {expected!r} expected, {found!r} found."
    ),
    "result.review": _("Who reviewed this result cannot be read: neither automatic, edited nor accepted."),
    "result.measurements-incomplete": _("These measurements cannot be read: they are incomplete."),
    # models
    "model.unknown": _("There is no model {name!r}. Available: {available}."),
    "model.none-there": _("There is no model {name!r}. Available: none."),
    "model.no-model-in-folder": _("The folder {path} holds no model (no {manifest})."),
    "model.folder-unreadable": _("The folder of models {folder} cannot be read: {reason}."),
    "model.checksum": _(
        "The weights {weights} of the model {name} do not match their checksum; please install "
        "the model again."
    ),
    "model.no-description": _("The model {name} has no description."),
    "model.leads-out": _("The model's {name} leads out of the model's folder."),
    "model.lacks-file": _("The model has no file {name}."),
    "model.no-ordinary-file": _("The model's {name} is no ordinary file."),
    "model.too-long": _("The model's {name} is {bytes} bytes long; at most {limit} are accepted."),
    "model.unreadable": _("The model's {name} cannot be read: {reason}."),
    "model.changed": _("The model's {name} changed while it was read."),
    "model.not-text": _("The model's description is not UTF-8 text."),
    "model.not-json": _("The model's description is not JSON."),
    "model.description": _("The model's description (model.json) is not valid: {reason}."),
    "model.weights": _("The model's weights are damaged: {reason}."),
    "model.needs-newer": _(
        "The model {name} needs LiverSeg {needed} or newer; this is {version}. Please update LiverSeg."
    ),
    "model.newer-format": _(
        "The model is in format {format}, and this LiverSeg reads up to {newest}. Please update LiverSeg."
    ),
    "model.scores-order": _(
        "The model {name} wants its class scores interpolated with splines of order {order}. LiverSeg"
        " interpolates them linearly."
    ),
    "model.no-stage": _("The model {name} has no stage {stage!r}."),
    "model.does-not-fit": _("The weights {weights} of the model {name} do not fit its network."),
    "model.no-torch": _("PyTorch is not installed, so no model can be loaded."),
    "model.not-mirrored": _("The model {name} was not trained to be mirrored; leave out the mirror option."),
    "model.needs-monai": _(
        "The model's network is MONAI's {network}: it runs only where the Python package monai is installed."
    ),
    "model.not-for-ct": _(
        "The model {name} is for images of another kind ({modality}); LiverSeg segments CT and MR."
    ),
    "model.other-modality": _(
        "The model {name} is for images of another kind ({modality}); this scan is {scan}. "
        "Choose a model for {scan}."
    ),
    "model.no-mr": _(
        "There is no model for MR on this computer. Add one, with liverseg models add or in 3D Slicer under "
        "Advanced, Models."
    ),
    "model.several-mr": _("There are several models for MR on this computer; choose one of them: {names}."),
    "model.not-for-organs": _(
        "The model {name} draws no liver. It can draw the tumors beside another model, not the organs."
    ),
    "model.not-for-tumours": _("The model {name} draws no liver tumors; choose another one for the tumors."),
    "structures.none": _(
        "The model draws nothing beyond liver, spleen and liver tumors, so it has no structure {name!r}."
    ),
    "structures.unknown": _("The model draws no structure {name!r}. Among those it draws: {known}."),
    # computing
    "device.no-torch": _("PyTorch is not installed."),
    "device.needs-torch": _("Computing on {kind} needs PyTorch, which is not installed."),
    "device.broken-torch": _("PyTorch is installed but does not load."),
    "device.unknown": _("There is no device {wanted!r}; choose one of {devices}."),
    "device.precision": _("There is no precision {precision!r}; choose auto, float32, bfloat16 or float16."),
    "device.absent": _("This computer has no usable {kind} device; available: {there}."),
    "engine.unknown": _("There is no engine {wanted!r}; choose one of {engines}."),
    "engine.none": _(
        "Nothing that runs neural networks is installed: install OpenVINO, ONNX Runtime or PyTorch."
    ),
    "engine.absent": _("{engine} is not installed; available: {there}."),
    "engine.broken": _("{engine} does not load."),
    "engine.cpu-only": _("{engine} computes on the CPU only; {kind} needs PyTorch."),
    "engine.needs-onnx": _("Writing ONNX graphs needs the Python package onnx: pip install onnx."),
    "engine.no-graph": _(
        "The model {name} has no ONNX graph for {engine}; install PyTorch, or add one with liverseg export."
    ),
    "model.no-onnx": _("The network of the model {name} cannot be written as an ONNX graph."),
    "model.graph": _("The network graph of the model {name} is not usable: {reason}."),
    "run.changed": _("{name} was changed while it was being segmented; please run again."),
    "run.lesion-size": _("The minimum lesion size must be between 0 and {most:g} ml, not {value}."),
    "failed.memory-loading": _(
        "Memory ran out while loading the model. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-reading-scan": _(
        "Memory ran out while reading the scan. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-segmenting": _(
        "Memory ran out while segmenting. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-cleaning": _(
        "Memory ran out while cleaning up the mask. Close other programs, or use a computer with more memory."
    ),
    "failed.memory-measuring": _(
        "Memory ran out while measuring. Close other programs, or use a computer with more memory."
    ),
    # what the worker was handed
    "handed.nothing": _("A request to segment needs either a path or voxels."),
    "handed.no-grid": _("Voxels without a grid cannot be segmented."),
    "handed.scan-unreadable": _("The scan handed to the worker cannot be read."),
    "handed.segmentation-unreadable": _("The segmentation handed to the worker cannot be read."),
    "handed.probability-unreadable": _("The probability handed to the worker cannot be read."),
    "handed.box-numbers": _("A box needs 6 numbers, first and last along z, y and x, not {found}."),
    "handed.numbers-unreadable": _("The numbers handed to the worker cannot be read."),
    "handed.scan-type": _("The scan must be three-dimensional with numbers, not {dimensions}-D of {type}."),
    "handed.grid-numbers": _("A grid needs 3 numbers for origin, 3 for spacing and 9 for direction."),
    "handed.grid": _("The scan's grid is not usable."),
    "handed.segmentation-type": _("The segmentation must be uint8 of shape {shape}, not {type} {found}."),
    "handed.structures-type": _(
        "The mask of further structures must be uint8 or uint16 of shape {shape}, not {type} {found}."
    ),
    # writing; {reason} is one of the next block
    "write.results": _("LiverSeg could not write the results: {reason}"),
    "write.folder": _("LiverSeg could not make the folder {path}: {reason}"),
    "write.temporary-folder": _("LiverSeg could not make a temporary folder: {reason}"),
    "write.result-over": _("LiverSeg could not hand the result over: {reason}"),
    "write.scan-over": _("LiverSeg could not hand the scan to the worker: {reason}"),
    "write.numbers-over": _("LiverSeg could not hand the numbers to the worker: {reason}"),
    "write.journal": _("LiverSeg cannot keep your corrections for recovery, so save the scene: {reason}"),
    "write.disk-full": _("the disk that holds {folder} is full."),
    "write.read-only": _("{folder} is on a read-only disk."),
    "write.forbidden": _("{folder} does not allow writing."),
    "write.failed-because": _("writing into {folder} failed ({reason})."),
    "write.failed": _("writing into {folder} failed."),
    "write.not-ours": _(
        "{folder} holds a {name} that LiverSeg did not write or that was changed since; move "
        "it away or choose another folder."
    ),
    "write.nearly-full": _(
        "The disk that holds {folder} is nearly full: {free:.0f} MB free, results may take {needed:.0f} MB."
    ),
    "write.is-a-file": _("Results cannot be written to {path}: {file} is a file, not a folder."),
    "write.taken": _(
        "Another run is writing into {folder}; wait for it or choose another folder. If none is "
        "running, delete {lock}."
    ),
    "write.taken-here": _(
        "Another run (process {pid} on {host}) is writing into {folder}; wait for it or "
        "choose another folder."
    ),
    "write.taken-elsewhere": _(
        "Another run (process {pid} on {host}) is writing into {folder}; wait for it or "
        "choose another folder. If none is running, delete {lock}."
    ),
    "write.format": _('Unknown format "{wanted}". Available: {formats}.'),
    "write.no-pillow": _(
        "The report needs the Python package pillow: pip install pillow, or leave the report out."
    ),
    "write.too-large": _("NIfTI cannot hold an image of {size} voxels; choose another format."),
    "write.incomplete": _("{name} was not written completely."),
    "write.table": _("The table {path} cannot be written: {reason}."),
    "write.no-opengl": _(
        "The 3-D picture could not be drawn because no OpenGL library works on this machine."
    ),
}
"""Identifier -> English template."""
