"""Tiny trained models of nnU-Net, as folders that nnunetv2 2.8 could have written, with seeded weights.

    make_trained(folder)                                  #
    Dataset901_Tiny/nnUNetTrainer__nnUNetPlans__3d_fullres make_trained(folder, configuration="2d",
    folds=("0", "1")) make_cascade(folder)                                  # 3d_lowres and 3d_cascade_fullres
    beside each other

The weights' names, those written twice and the deep-supervision heads included, are those of
dynamic_network_architectures 0.4; ``test_networks.py`` holds them against a file that this library wrote.
nnU-Net itself can predict with these folders (``nnUNetv2_predict_from_modelfolder``), and what it trains in a
few steps (``nnUNetv2_train ID 3d_fullres 0 -device cpu -tr nnUNetTrainer_1epoch``) looks the same.
"""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import torch

from LiverSegLib.networks import build_network

LABELS = {"background": 0, "liver": 1, "spleen": 2, "liver_tumor": 3}
REGIONS = {"background": 0, "liver": [1, 2], "tumor": [2]}
PATCHES = {
    "2d": [16, 16],
    "3d_lowres": [8, 16, 16],
    "3d_fullres": [8, 16, 16],
    "3d_cascade_fullres": [8, 16, 16],
}
SPACINGS = {"2d": [2.0, 2.0], "3d_lowres": [6.0, 4.0, 4.0], "3d_fullres": [3.0, 2.0, 2.0]}
RENAMED = (
    (r"encoder\.(\d+)\.(\d+)\.first\.", r"encoder.stages.\1.blocks.\2.conv1."),
    (r"encoder\.(\d+)\.(\d+)\.second\.", r"encoder.stages.\1.blocks.\2.conv2."),
    (r"encoder\.(\d+)\.(\d+)\.shortcut\.", r"encoder.stages.\1.blocks.\2.skip."),
    (r"encoder\.(\d+)\.(\d+)\.", r"encoder.stages.\1.0.convs.\2."),
    (r"stem\.", r"encoder.stem.convs.0."),
    (r"decoder\.levels\.(\d+)\.(\d+)\.", r"decoder.stages.\1.convs.\2."),
    (r"decoder\.ups\.(\d+)\.", r"decoder.transpconvs.\1."),
)


def make_trained(
    root,
    *,
    dataset="Dataset901_Tiny",
    trainer="nnUNetTrainer",
    configuration="3d_fullres",
    folds=("0",),
    labels=None,
    channels=None,
    architecture="PlainConvUNet",
    mirror_axes=(0, 1, 2),
    plans_changes=None,
    configuration_changes=None,
    dataset_changes=None,
    checkpoint="checkpoint_final.pth",
    old_plans=False,
    seed=0,
):
    """Write a trained model below ``root`` and return its folder."""
    labels = LABELS if labels is None else labels
    plans = plans_json(dataset, architecture=architecture, old=old_plans, **(plans_changes or {}))
    plans["configurations"].get(configuration, {}).update(configuration_changes or {})
    content = dataset_json(labels, channels, **(dataset_changes or {}))
    folder = Path(root) / dataset / f"{trainer}__nnUNetPlans__{configuration}"
    for number, fold in enumerate(folds):
        (folder / f"fold_{fold}").mkdir(parents=True)
        network = network_for(plans, configuration, content, architecture, seed + number)
        torch.save(
            checkpoint_of(network, plans, configuration, content, fold, trainer, mirror_axes),
            folder / f"fold_{fold}" / checkpoint,
        )
    (folder / "plans.json").write_text(json.dumps(plans, indent=4))
    (folder / "dataset.json").write_text(json.dumps(content, indent=4))
    return folder


def make_cascade(root, **options):
    """A low-resolution network and the one that sees its labels; returns the folder of the second."""
    make_trained(root, configuration="3d_lowres", **options)
    return make_trained(root, configuration="3d_cascade_fullres", **options)


def zipped(folder, path):
    """An archive as nnUNetv2_export_model_to_zip writes it: below the folder of results, other files
    beside."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
        archive.writestr("Dataset901_Tiny/inference_information.txt", "best: 3d_fullres")
    return path


def plans_json(dataset="Dataset901_Tiny", *, architecture="PlainConvUNet", old=False, **changes):
    """What nnU-Net plans for a small data set of CT; ``old``: as before version 2.4."""
    configurations = {
        name: _configuration(name, architecture, old) for name in ("2d", "3d_lowres", "3d_fullres")
    }
    configurations["3d_lowres"]["next_stage"] = "3d_cascade_fullres"
    configurations["3d_cascade_fullres"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
    return {
        "dataset_name": dataset,
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [3.0, 0.8, 0.8],
        "original_median_shape_after_transp": [40, 120, 120],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": configurations,
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {
                "max": 400.0, "mean": 95.0, "median": 99.0, "min": -200.0, "percentile_00_5": -20.0,
                "percentile_99_5": 200.0, "std": 45.0,
            }
        },
        **changes,
    }  # fmt: skip


def dataset_json(labels, channels=None, **changes):
    """A data set's description."""
    return {
        "channel_names": channels or {"0": "CT"},
        "labels": labels,
        "numTraining": 4,
        "file_ending": ".nii.gz",
        **({"regions_class_order": [1, 2]} if any(isinstance(v, list) for v in labels.values()) else {}),
        **changes,
    }


def network_for(plans, configuration, content, architecture, seed=0):
    """One of our networks with the seeded weights that the checkpoint gets; norms' scales vary too."""
    settings = {**plans["configurations"][configuration]}
    cascade = "previous_stage" in settings
    settings = {**plans["configurations"].get(settings.get("inherits_from"), {}), **settings}
    axes = len(settings["patch_size"])
    regions = any(isinstance(value, list) for value in content["labels"].values())
    names = [name for name in content["labels"] if name != "ignore"]
    values = {
        v for value in content["labels"].values() for v in (value if isinstance(value, list) else [value])
    }
    torch.manual_seed(seed)
    network = build_network(
        architecture,
        {
            "in_channels": 1 + (len(values - {0}) if cascade else 0),
            "out_channels": len(names) - regions,
            "features_per_stage": [4, 8, 8],
            "kernel_sizes": _kernels(axes), "strides": _strides(axes),
            _blocks(architecture): [1, 2, 1], "n_conv_per_stage_decoder": [2, 1], "conv_bias": True,
        },
    )  # fmt: skip
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if "norm" in name:
                tensor.uniform_(0.5, 1.5) if name.endswith("weight") else tensor.normal_(0, 0.2)
    return network.eval()


def checkpoint_of(network, plans, configuration, content, fold, trainer, mirror_axes):
    """What nnUNetTrainer.save_checkpoint writes."""
    weights = their_weights(network.state_dict())
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.01, momentum=0.99, nesterov=True)
    return {
        "network_weights": weights,
        "optimizer_state": optimizer.state_dict(),
        "grad_scaler_state": None,
        "logging": {
            "mean_fg_dice": [np.float64(0.1), np.float64(0.4)],
            "ema_fg_dice": [np.float64(0.1), np.float64(0.13)],
            "dice_per_class_or_region": [[np.float64(0.1)], [np.float64(0.4)]],
            "train_losses": [np.float32(0.5), np.float32(0.2)],
            "val_losses": [np.float32(0.6), np.float32(0.3)],
            "lrs": [0.01, 0.005], "epoch_start_timestamps": [1.0, 2.0], "epoch_end_timestamps": [2.0, 3.0],
        },
        "_best_ema": np.float64(0.13),
        "current_epoch": 2,
        "init_args": {
            "plans": plans, "configuration": configuration,
            "fold": int(fold) if str(fold).isdigit() else fold,
            "dataset_json": content, "device": torch.device("cpu"),
        },
        "trainer_name": trainer,
        "inference_allowed_mirroring_axes": mirror_axes,
    }  # fmt: skip


def their_weights(state):
    """Our weights under the names of dynamic_network_architectures, some of them twice as there."""
    theirs = {}
    for name, tensor in state.items():
        if name.startswith("decoder.head."):
            theirs[f"decoder.seg_layers.1.{name[len('decoder.head.') :]}"] = tensor
            theirs[f"decoder.seg_layers.0.{name[len('decoder.head.') :]}"] = (
                torch.zeros(tensor.shape[0], 8, *tensor.shape[2:])
                if tensor.dim() > 1
                else torch.zeros_like(tensor)
            )
            continue
        for pattern, replacement in RENAMED:
            match = re.match(pattern, name)
            if match:
                name = match.expand(replacement) + name[match.end() :]
                break
        for copy in (name, _again(name)):
            theirs[copy] = tensor
            if copy.startswith("encoder."):
                theirs["decoder." + copy] = tensor
    return theirs


def _again(name):
    """The name under which a block of convolution, norm and activation lists a tensor a second time."""
    return name.replace(".conv.", ".all_modules.0.").replace(".norm.", ".all_modules.1.")


def _configuration(name, architecture, old):
    axes = len(PATCHES[name])
    common = {
        "data_identifier": f"nnUNetPlans_{name}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": PATCHES[name],
        "median_image_size_in_voxels": [40.0, 48.0, 48.0][-axes:],
        "spacing": SPACINGS[name],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities_kwargs": {
            "is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None,
        },
    }  # fmt: skip
    if old:
        return {
            **common,
            "UNet_class_name": architecture, "UNet_base_num_features": 4, "unet_max_num_features": 8,
            "n_conv_per_stage_encoder": [1, 2, 1], "n_conv_per_stage_decoder": [2, 1],
            "num_pool_per_axis": [1, 2, 2][-axes:], "pool_op_kernel_sizes": _strides(axes),
            "conv_kernel_sizes": _kernels(axes),
        }  # fmt: skip
    return {
        **common,
        "batch_dice": False,
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{architecture}",
            "arch_kwargs": {
                "n_stages": 3, "features_per_stage": [4, 8, 8],
                "conv_op": f"torch.nn.modules.conv.Conv{axes}d",
                "kernel_sizes": _kernels(axes), "strides": _strides(axes),
                _blocks(architecture): [1, 2, 1], "n_conv_per_stage_decoder": [2, 1], "conv_bias": True,
                "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{axes}d",
                "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                "dropout_op": None, "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }  # fmt: skip


def _kernels(axes):
    return [[1, 3, 3][-axes:], [3, 3, 3][-axes:], [3, 3, 3][-axes:]]


def _strides(axes):
    return [[1, 1, 1][-axes:], [1, 2, 2][-axes:], [2, 2, 2][-axes:]]


def _blocks(architecture):
    return "n_conv_per_stage" if architecture == "PlainConvUNet" else "n_blocks_per_stage"
