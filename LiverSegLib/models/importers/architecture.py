"""nnU-Net's networks: what its plans say of one, in the arguments of ours, and its weights under our
names."""

import math
import re
from typing import Any, Dict, List, Mapping, NoReturn, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import ModelCorruptError, ModelError
from LiverSegLib.models.files import MAX_WEIGHTS_BYTES, quoted
from LiverSegLib.models.importers.checkpoint import Checkpoint, StoredTensor
from LiverSegLib.models.importers.plans import Configuration, refuse
from LiverSegLib.models.stage import Network
from LiverSegLib.sentences import Sentence

BLOCKS = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}
"""The architectures, nnU-Net's and ours, and what they call the number of a level's convolutions or
blocks."""
NORMS = {"InstanceNorm": "instance", "BatchNorm": "batch"}
SLOPES = {"LeakyReLU": 0.01, "ReLU": 0.0}
"""PyTorch's activation -> negative slope, if its arguments do not say otherwise."""

RENAMED: Sequence[Tuple[str, str]] = (
    (r"encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.", r"encoder.\1.\2."),
    (r"encoder\.stem\.convs\.0\.", r"stem."),
    (r"encoder\.stages\.(\d+)\.blocks\.(\d+)\.conv1\.", r"encoder.\1.\2.first."),
    (r"encoder\.stages\.(\d+)\.blocks\.(\d+)\.conv2\.", r"encoder.\1.\2.second."),
    (r"encoder\.stages\.(\d+)\.blocks\.(\d+)\.skip\.(\d)\.", r"encoder.\1.\2.shortcut.\3."),
    (r"decoder\.stages\.(\d+)\.convs\.(\d+)\.", r"decoder.levels.\1.\2."),
    (r"decoder\.transpconvs\.(\d+)\.", r"decoder.ups.\1."),
)
"""How names of weights in nnU-Net's networks begin, and in ours."""
PREFIXES = ("module.", "_orig_mod.")
"""What PyTorch puts before the names when a network is compiled or spread over several GPUs."""
REPEATED = (".all_modules.", "decoder.encoder.")
"""Parts of names under which nnU-Net's networks list weights a second time."""
OF_TRAINING = ("num_batches_tracked",)


def network_of(configuration: Configuration, in_channels: int, out_channels: int) -> Network:
    """The network that a configuration describes, as a manifest has it.

    Raises:
        ModelError: an architecture or a part of one that is not built here.
        ModelCorruptError: what it says makes no sense.
    """
    described = configuration.architecture or _of_older_plans(configuration)
    name = str(described.get("network_class_name", "")).rpartition(".")[2]
    if name not in BLOCKS:
        refuse("add.architecture", name=quoted(described.get("network_class_name")))
    given = described.get("arch_kwargs")
    if not isinstance(given, dict):
        _wrong("architecture.arch_kwargs is missing")
    levels = given.get("n_stages")
    if type(levels) is not int or not 2 <= levels <= 12:
        _wrong(f"n_stages must be a whole number from 2 to 12, not {quoted(levels)}")
    axes = len(configuration.patch_size)
    arguments: Dict[str, Any] = {
        "in_channels": in_channels,
        "out_channels": out_channels,
        "features_per_stage": _per_level(given, "features_per_stage", levels),
        "kernel_sizes": _per_axis(given, "kernel_sizes", levels, axes),
        "strides": _per_axis(given, "strides", levels, axes),
        BLOCKS[name]: _per_level(given, BLOCKS[name], levels),
        "n_conv_per_stage_decoder": _per_level(given, "n_conv_per_stage_decoder", levels - 1),
        "conv_bias": bool(given.get("conv_bias", False)),
        **_norm(given, axes),
        "negative_slope": _slope(given),
    }
    for key in ("nonlin_first", "bottleneck_channels", "stem_channels", "squeeze_excitation"):
        if given.get(key):
            refuse("add.architecture", name=quoted(f"{name} with {key}"))
    if any(size % stride for size, stride in zip(configuration.patch_size, _products(arguments["strides"]))):
        _wrong("the patch size is no multiple of the network's strides")
    return Network(name, arguments)


def read_weights(checkpoint: Checkpoint, levels: int) -> Dict[str, np.ndarray]:
    """The network's weights in a checkpoint of nnU-Net's, under the names of our networks.

    Args:
        checkpoint: open.
        levels: of the network: only the last of the decoder's heads is used, the others serve the training.

    Raises:
        ModelCorruptError: the checkpoint holds no weights of nnU-Net's, or more than are accepted.
    """
    stored = checkpoint.values.get("network_weights")
    if not isinstance(stored, dict) or not stored:
        raise ModelCorruptError(Sentence("add.no-weights", name=checkpoint.name))
    chosen: Dict[str, StoredTensor] = {}
    for name, tensor in stored.items():
        renamed = our_name(str(name), levels)
        if renamed and isinstance(tensor, StoredTensor):
            chosen[renamed] = tensor
    total = sum(math.prod(tensor.shape) for tensor in chosen.values()) * 4
    if total > MAX_WEIGHTS_BYTES:
        raise ModelCorruptError(
            Sentence("model.too-long", name=checkpoint.name, bytes=total, limit=MAX_WEIGHTS_BYTES)
        )
    return {name: checkpoint.read_tensor(tensor) for name, tensor in chosen.items()}


def check_fit(network: Network, weights: Dict[str, np.ndarray], source: str) -> None:
    """Check that weights are those of a network; norms without scale and shift get those of one and zero.

    Raises:
        ModelCorruptError: a tensor is missing, has another shape, or there are others.
        ModelError: PyTorch is not installed.
    """
    expected = _shapes(network)
    for name, shape in expected.items():
        if name not in weights and re.search(r"norm\.(weight|bias)$", name):
            weights[name] = np.full(shape, 1.0 if name.endswith("weight") else 0.0, np.float32)
    found = {name: tuple(array.shape) for name, array in weights.items()}
    if found != expected:
        names = sorted(set(found.items()) ^ set(expected.items()))[:4]
        raise ModelCorruptError(
            Sentence("add.does-not-fit", name=source, network=network.name), quoted(names)
        )


def _shapes(network: Network) -> Dict[str, Tuple[int, ...]]:
    """Name -> shape of every tensor of a network, which is built without memory for its numbers."""
    try:
        import torch
    except ImportError as error:
        raise ModelError(Sentence("add.no-torch"), str(error)) from error
    from LiverSegLib.networks import build_network

    with torch.device("meta"):
        built = build_network(network.name, network.arguments)
    return {name: tuple(tensor.shape) for name, tensor in built.state_dict().items()}


def our_name(name: str, levels: int) -> str:
    """The name that a tensor has in our networks; empty for what they do not have."""
    for prefix in PREFIXES:
        name = name[len(prefix) :] if name.startswith(prefix) else name
    if any(part in name for part in REPEATED) or name.endswith(OF_TRAINING):
        return ""
    head = re.fullmatch(r"decoder\.seg_layers\.(\d+)\.(weight|bias)", name)
    if head:
        return f"decoder.head.{head.group(2)}" if int(head.group(1)) == levels - 2 else ""
    for pattern, ours in RENAMED:
        match = re.match(pattern, name)
        if match:
            return match.expand(ours) + name[match.end() :]
    return name


def _of_older_plans(configuration: Configuration) -> Mapping[str, Any]:
    """The architecture of plans from before nnU-Net 2.4, which every model of TotalSegmentator 2.0 has.

    Bias, norm and activation were the same for all then.
    """
    old = configuration.extra
    name = old.get("UNet_class_name")
    convolutions = old.get("n_conv_per_stage_encoder")
    base, most = old.get("UNet_base_num_features"), old.get("unet_max_num_features")
    if (
        not isinstance(convolutions, list)
        or type(base) is not int
        or type(most) is not int
        or len(convolutions) > 12
    ):
        _wrong("it describes no architecture")
    axes = len(configuration.patch_size)
    return {
        "network_class_name": name,
        "arch_kwargs": {
            "n_stages": len(convolutions),
            "features_per_stage": [min(base * 2**level, most) for level in range(len(convolutions))],
            "kernel_sizes": old.get("conv_kernel_sizes"),
            "strides": old.get("pool_op_kernel_sizes"),
            BLOCKS.get(str(name), "n_conv_per_stage"): convolutions,
            "n_conv_per_stage_decoder": old.get("n_conv_per_stage_decoder"),
            "conv_bias": True,
            "norm_op": f"InstanceNorm{axes}d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "nonlin": "LeakyReLU",
        },
    }


def _per_level(given: Mapping[str, Any], key: str, levels: int) -> List[int]:
    """A number for each level; plans may have one for all."""
    value = given.get(key)
    value = [value] * levels if type(value) is int else value
    if not isinstance(value, list) or len(value) != levels or not all(type(item) is int for item in value):
        _wrong(f"{key} must be {levels} whole numbers")
    if not all(1 <= item <= 4096 for item in value):
        _wrong(f"{key} must be from 1 to 4096")
    return value


def _per_axis(given: Mapping[str, Any], key: str, levels: int, axes: int) -> List[List[int]]:
    """Numbers for each level and axis; plans may have one for all axes of a level."""
    value = given.get(key)
    value = [value] * levels if type(value) is int else value
    if not isinstance(value, list) or len(value) != levels:
        _wrong(f"{key} must be a list for each of {levels} levels")
    sizes = [[item] * axes if type(item) is int else item for item in value]
    for item in sizes:
        possible = isinstance(item, list) and len(item) == axes
        if not possible or not all(type(size) is int and 1 <= size <= 16 for size in item):
            _wrong(f"{key} must be whole numbers from 1 to 16 for each axis")
    return sizes


def _norm(given: Mapping[str, Any], axes: int) -> Dict[str, Any]:
    name = re.sub(r"\dd$", "", str(given.get("norm_op")).rpartition(".")[2])
    if name not in NORMS:
        refuse("add.architecture", name=quoted(f"norm {given.get('norm_op')}"))
    arguments = given.get("norm_op_kwargs") or {}
    eps: Any = arguments.get("eps", 1e-5) if isinstance(arguments, dict) else None
    if type(eps) not in (int, float) or not 0 < eps < 1:
        _wrong("norm_op_kwargs.eps must be a number above 0 and below 1")
    return {"norm": NORMS[name], "eps": float(eps)}


def _slope(given: Mapping[str, Any]) -> float:
    name = str(given.get("nonlin")).rpartition(".")[2]
    if name not in SLOPES:
        refuse("add.architecture", name=quoted(f"activation {given.get('nonlin')}"))
    arguments = given.get("nonlin_kwargs") or {}
    slope: Any = arguments.get("negative_slope", SLOPES[name]) if isinstance(arguments, dict) else None
    if type(slope) not in (int, float) or not 0 <= slope < 1:
        _wrong("nonlin_kwargs.negative_slope must be a number from 0 on and below 1")
    return float(slope)


def _products(strides: Sequence[Sequence[int]]) -> Tuple[int, ...]:
    return tuple(math.prod(steps) for steps in zip(*strides))


def _wrong(reason: str) -> NoReturn:
    raise ModelCorruptError(Sentence("add.file-wrong", name="plans.json", reason=reason))
