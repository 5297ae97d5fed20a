"""The English template of every sentence about adding and removing models; see ``sentence_texts``."""

from typing import Dict

_ = str

ADDING: Dict[str, str] = {
    # finding a model in what was given
    "add.missing": _("{name} does not exist."),
    "add.kind": _(
        "{name} is no model that can be added: give a trained model's folder of nnU-Net or TotalSegmentator, "
        "a folder of several, a MONAI bundle, or a zip archive of one."
    ),
    "add.nothing-found": _("{name} holds no trained model of nnU-Net: no folder in it has a {plans}."),
    "add.several-configurations": _(
        "There are several configurations of the model; choose one by its name: {available}."
    ),
    "add.several-models": _("There are several models; give the folder of one of them: {available}."),
    "add.several-tasks": _(
        "There are several tasks of TotalSegmentator; choose one by its name: {available}."
    ),
    "add.other-classes": _("The weights {name} have other classes than TotalSegmentator's task {task}."),
    "add.no-such-configuration": _("There is no configuration {configuration}; there are: {available}."),
    "add.no-such-fold": _("There is no fold {fold}; there are: {available}."),
    "add.no-folds": _("{name} holds no fold of a trained model."),
    "add.too-many-folds": _("The model has {count} folds; at most {most} are averaged. Choose some of them."),
    "add.no-checkpoint-in-fold": _("{name} holds no weights ({wanted})."),
    "add.cascade-incomplete": _(
        "The configuration {configuration} builds on {before}, whose folder is not there; add a folder or an "
        "archive that holds both."
    ),
    # what the model says of itself
    "add.file-wrong": _("The model's {name} is not valid: {reason}."),
    "add.no-configuration-in-plans": _("The model's plans.json has no configuration {name}."),
    "add.first-version": _(
        "This model was trained with the first version of nnU-Net; only those of the second can be added."
    ),
    "add.channels": _(
        "The model needs {count} images of a patient at once ({names}); LiverSeg gives it one."
    ),
    "add.reader": _("The model reads its images with {reader}, which LiverSeg cannot do as it did."),
    "add.normalisation": _("The model's normalization {scheme} is none that LiverSeg runs."),
    "add.preprocessor": _("The model prepares its images with {preprocessor}, which LiverSeg does not have."),
    "add.resampling": _("The model resamples its images in a way that LiverSeg does not have: {resampling}."),
    "add.architecture": _("The model's network is {name}, which LiverSeg does not have."),
    "add.no-such-structure": _("The model has no structure {name}; it has: {available}."),
    "add.no-such-label": _("There is no label {label}; choose one of: {available}."),
    "add.label-option": _("A label is chosen as STRUCTURE=LABEL, for example adenoma=tumor, not {given}."),
    "add.json-needs-yes": _("With --json nothing can be asked: give --yes as well."),
    "add.no-liver-label": _(
        "None of the model's structures is known as liver, spleen or liver tumor; all will be extra "
        "structures."
    ),
    # MONAI bundles
    "add.bundle-yaml": _(
        "The bundle's configuration is {name}, which needs the package PyYAML to be read. Install it, or "
        "make an inference.json of it with any converter from YAML to JSON."
    ),
    "add.bundle-lacks": _("The bundle's {name} has no {part}."),
    "add.bundle-expression": _(
        "The bundle's {name} computes {part} with Python code ({code}), which LiverSeg never runs."
    ),
    "add.bundle-network": _(
        "The bundle's network is {network}; of MONAI's, LiverSeg builds these: {available}."
    ),
    "add.bundle-transform": _(
        "The bundle prepares its images with {transform}, which LiverSeg does not do: {reason}."
    ),
    "add.bundle-inferer": _("The bundle's inferer {inferer} cannot be run as MONAI does: {reason}."),
    "add.bundle-output": _("The bundle does not say how scores become labels: {reason}."),
    "add.no-checkpoint": _("{name} is no checkpoint that PyTorch 1.6 or a newer version wrote."),
    "add.checkpoint-damaged": _(
        "The checkpoint {name} is damaged, or holds something else than a model's weights."
    ),
    "add.checkpoint-runs-code": _(
        "The checkpoint {name} was refused: it asks for {wanted} to be run when it is opened, which weights "
        "do not need. Nothing was run."
    ),
    "add.no-weights": _("The checkpoint {name} holds no weights of nnU-Net."),
    "add.does-not-fit": _(
        "The weights {name} are not those of the network {network} that the model describes."
    ),
    "add.no-torch": _("PyTorch is not installed; it is needed to add a model of another program."),
    # archives
    "add.no-archive": _("{name} is no zip archive, or it is damaged."),
    "add.archive-refused": _("The archive {name} was refused: {reason}. Nothing was written."),
    # the store
    "add.name": _(
        "{name} cannot be a model's name: use up to 64 letters, digits, dots, dashes and underscores."
    ),
    "add.name-taken": _("There is a model {name} already; remove it first, or choose another name."),
    "add.failed": _("LiverSeg could not add the model: {reason}"),
    "remove.failed": _("LiverSeg could not remove the model: {reason}"),
    "remove.bundled": _("The model {name} is part of LiverSeg and cannot be removed."),
    "remove.unknown": _("There is no added model {name}; there are: {available}."),
    "remove.none-there": _("There is no added model {name}; no model has been added."),
}
"""Identifier -> English template."""
