"""nnU-Net itself, for tests and benchmarks that compare with it: small trained models, and its predictor.

Needs the package nnunetv2, which the environment of `make test-models` has. Networks are trained for some
steps, so that their scores have the statistics of a trained network's; what they learn is what a threshold
could say of the same scan.
"""

import json
import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage

for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
    os.environ.setdefault(name, "/nonexistent")  # nnU-Net warns where they are not set; nothing is read there

from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape  # noqa: E402
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor  # noqa: E402
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer  # noqa: E402
from nnunetv2.utilities.label_handling.label_handling import convert_labelmap_to_one_hot  # noqa: E402
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager  # noqa: E402

LABELS = {"background": 0, "air": 1, "soft tissue": 2, "bone": 3}
REGIONS = {"background": 0, "body": [2, 3], "bone": [3]}
SMOOTHING_MM = 2.0
TRAINED_EDGE = 32
"""Voxels: patches are no larger in training, which learns as much from small ones here, but for networks
whose deepest level would see a single voxel."""


@dataclass(frozen=True)
class Recipe:
    """What of nnU-Net's planning a model was made with; spacing, patch and strides in the network's order."""

    configuration: str = "3d_fullres"
    spacing: Tuple[float, ...] = (4.0, 3.0, 3.0)
    patch: Tuple[int, ...] = (32, 48, 48)
    features: Tuple[int, ...] = (8, 16, 24)
    strides: Optional[Tuple[Tuple[int, ...], ...]] = None
    architecture: str = "PlainConvUNet"
    normalization: str = "CTNormalization"
    use_mask: bool = False
    regions: bool = False
    transpose: Tuple[int, int, int] = (0, 1, 2)
    folds: int = 1
    reader: str = "SimpleITKIO"
    previous: Optional[str] = None
    steps: int = 40
    labels: Dict[str, Any] = field(default_factory=lambda: dict(LABELS))

    @property
    def dataset(self) -> Dict[str, Any]:
        """dataset.json."""
        found: Dict[str, Any] = {
            "channel_names": {"0": "CT"}, "labels": REGIONS if self.regions else self.labels,
            "numTraining": 1, "file_ending": ".nii.gz",
        }  # fmt: skip
        if self.regions:
            found["regions_class_order"] = [2, 3]
        return found

    @property
    def configuration_entry(self) -> Dict[str, Any]:
        """The configuration in plans.json."""
        axes, levels = len(self.patch), len(self.features)
        strides = self.strides or ((1,) * axes, *((2,) * axes,) * (levels - 1))
        resample = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
        blocks = "n_conv_per_stage" if self.architecture == "PlainConvUNet" else "n_blocks_per_stage"
        arguments = {
            "n_stages": levels, "features_per_stage": list(self.features),
            "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
            "kernel_sizes": [[3] * axes] * levels, "strides": [list(step) for step in strides],
            blocks: [2] * levels if blocks == "n_conv_per_stage" else [1, *[2] * (levels - 1)],
            "n_conv_per_stage_decoder": [2 if blocks == "n_conv_per_stage" else 1] * (levels - 1),
            "conv_bias": True, "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True}, "dropout_op": None, "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
        }  # fmt: skip
        found = {
            "data_identifier": self.configuration, "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 2, "patch_size": list(self.patch), "spacing": list(self.spacing),
            "median_image_size_in_voxels": list(self.patch), "batch_dice": False,
            "normalization_schemes": [self.normalization], "use_mask_for_norm": [self.use_mask],
            "resampling_fn_data": "resample_data_or_seg_to_shape", "resampling_fn_data_kwargs": resample,
            "resampling_fn_seg": "resample_data_or_seg_to_shape",
            "resampling_fn_seg_kwargs": {**resample, "is_seg": True, "order": 1},
            "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
            "resampling_fn_probabilities_kwargs": {**resample, "order": 1},
            "architecture": {
                "network_class_name": f"dynamic_network_architectures.architectures.unet.{self.architecture}",
                "arch_kwargs": arguments,
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        }  # fmt: skip
        if self.previous is not None:
            found["previous_stage"] = self.previous
        return found


def plans(recipes: Sequence[Recipe]) -> Dict[str, Any]:
    """plans.json of models that belong together."""
    first = recipes[0]
    return {
        "dataset_name": "Dataset001_Tissue", "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(first.spacing[-3:]),
        "original_median_shape_after_transp": list(first.patch[-3:]),
        "image_reader_writer": first.reader, "transpose_forward": list(first.transpose),
        "transpose_backward": [int(axis) for axis in np.argsort(first.transpose)],
        "configurations": {recipe.configuration: recipe.configuration_entry for recipe in recipes},
        "experiment_planner_used": "ExperimentPlanner", "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {
                "max": 1500.0, "mean": 60.0, "median": 70.0, "min": -1000.0, "percentile_00_5": -160.0,
                "percentile_99_5": 400.0, "std": 110.0,
            }
        },
    }  # fmt: skip


def tissue_labels(image: sitk.Image) -> sitk.Image:
    """Air, soft tissue and bone by thresholds of the smoothed scan: 1, 2, 3 of LABELS; else fat, 0."""
    sigma = [SMOOTHING_MM / spacing for spacing in image.GetSpacing()[::-1]]
    hu = ndimage.gaussian_filter(sitk.GetArrayFromImage(image).astype(np.float32), sigma)
    labels = np.select([hu < -400, hu > 180, hu > 20], [1, 3, 2], 0).astype(np.uint8)
    found = sitk.GetImageFromArray(labels)
    found.CopyInformation(image)
    return found


def trained_model(recipes: Sequence[Recipe], scan: Path, folder: Path) -> List[Path]:
    """Train the models of some recipes, which share plans, on one scan.

    Returns:
        For each its trained-model folder, as nnU-Net's own training leaves it.
    """
    image = sitk.ReadImage(str(scan))
    folder.mkdir(parents=True, exist_ok=True)
    truth = folder / "truth.nii.gz"
    sitk.WriteImage(tissue_labels(image), str(truth))
    found = []
    for recipe in recipes:
        where = folder / f"nnUNetTrainer__nnUNetPlans__{recipe.configuration}"
        where.mkdir(parents=True)
        (where / "plans.json").write_text(json.dumps(plans(recipes)))
        (where / "dataset.json").write_text(json.dumps(recipe.dataset))
        for fold in range(recipe.folds):
            weights = _trained_weights(recipe, plans(recipes), scan, truth, seed=fold)
            (where / f"fold_{fold}").mkdir()
            checkpoint = {
                "network_weights": weights, "trainer_name": "nnUNetTrainer",
                "init_args": {"configuration": recipe.configuration, "fold": fold},
                "inference_allowed_mirroring_axes": tuple(range(len(recipe.patch))),
            }  # fmt: skip
            torch.save(checkpoint, where / f"fold_{fold}" / "checkpoint_final.pth")
        found.append(where)
    return found


def _trained_weights(
    recipe: Recipe, plan: Dict[str, Any], scan: Path, truth: Path, seed: int
) -> Dict[str, torch.Tensor]:
    torch.set_num_threads(1)  # threads that wait for each other take long on a busy machine
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    manager = PlansManager(json.loads(json.dumps(plan)))
    configuration = manager.get_configuration(recipe.configuration)
    handler = manager.get_label_manager(recipe.dataset)
    preprocessor = configuration.preprocessor_class(verbose=False)
    data, seg, _ = preprocessor.run_case([str(scan)], str(truth), manager, configuration, recipe.dataset)
    seg = np.maximum(seg, 0)
    if recipe.previous is not None:
        data = np.vstack((data, convert_labelmap_to_one_hot(seg[0], handler.foreground_labels, data.dtype)))
    heads = handler.num_segmentation_heads
    weights = _class_weights(seg, heads)
    network = nnUNetTrainer.build_network_architecture(manager, configuration, len(data), heads, False)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(recipe.steps):
        patch = [min(edge, max(TRAINED_EDGE, 2 ** len(recipe.features))) for edge in recipe.patch]
        batch, target = _patches(data, seg[0], patch, random)
        scores = network(batch)
        if recipe.regions:
            wanted = torch.stack([torch.isin(target, torch.tensor(r)) for r in handler.foreground_regions], 1)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, wanted.float())
        else:
            loss = torch.nn.functional.cross_entropy(scores, target, weight=weights)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def _class_weights(seg: np.ndarray, classes: int) -> torch.Tensor:
    """More for rare classes, or few steps would teach the common ones alone: (classes,) floats."""
    counts = np.maximum(np.bincount(seg.astype(np.int64).ravel(), minlength=classes)[:classes], 1)
    return torch.from_numpy(np.sqrt(counts.max() / counts).astype(np.float32))


def _patches(
    data: np.ndarray, seg: np.ndarray, patch: Sequence[int], random: np.random.Generator
) -> Tuple[torch.Tensor, torch.Tensor]:
    """Two patches and their labels, (2, channels, ...) and (2, ...), padded where the image ends.

    The first lies at random, the second round a voxel of a class at random, as nnU-Net oversamples.
    """
    size = (1,) * (3 - len(patch)) + tuple(patch)
    images, labels = [], []
    wanted = np.argwhere(seg == random.choice(np.unique(seg)))
    for centre in (None, wanted[random.integers(len(wanted))]):
        starts = [int(random.integers(0, max(1, n - edge + 1))) for n, edge in zip(seg.shape, size)]
        if centre is not None:
            lasts = [max(0, n - edge) for n, edge in zip(seg.shape, size)]
            starts = [int(np.clip(c - edge // 2, 0, last)) for c, edge, last in zip(centre, size, lasts)]
        place = tuple(slice(s, s + edge) for s, edge in zip(starts, size))
        pads = [(0, edge - len(range(*part.indices(n)))) for part, n, edge in zip(place, seg.shape, size)]
        images.append(np.pad(data[(slice(None), *place)], [(0, 0), *pads]))
        labels.append(np.pad(seg[place], pads))
    image, label = np.stack(images), np.stack(labels).astype(np.int64)
    if len(patch) == 2:
        image, label = image[:, :, 0], label[:, 0]
    return torch.from_numpy(image), torch.from_numpy(label)


def predict(
    folder: Path, scan: Path, out: Path, *, mirror: bool = False, previous: Optional[Path] = None
) -> np.ndarray:
    """Segment a scan with nnU-Net's predictor; its labels are written to ``out`` (.nii.gz).

    Returns:
        Probabilities (classes or regions, z, y, x) as its reader has the axes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predictor = nnUNetPredictor(use_mirroring=mirror, device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(folder), None, "checkpoint_final.pth")
    manager, configuration = predictor.plans_manager, predictor.configuration_manager
    preprocessor = configuration.preprocessor_class(verbose=False)
    data, seg, properties = preprocessor.run_case(
        [str(scan)],
        None if previous is None else str(previous),
        manager,
        configuration,
        predictor.dataset_json,
    )
    if previous is not None:
        labels = predictor.label_manager.foreground_labels
        data = np.vstack((data, convert_labelmap_to_one_hot(seg[0], labels, data.dtype)))
    scores = predictor.predict_logits_from_preprocessed_data(torch.from_numpy(data))
    labels, probability = convert_predicted_logits_to_segmentation_with_correct_shape(
        scores, manager, configuration, predictor.label_manager, properties, return_probabilities=True
    )
    manager.image_reader_writer_class().write_seg(labels, str(out), properties)
    return probability
