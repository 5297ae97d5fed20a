"""What a network costs: weights, floating-point operations for each voxel, memory of a training step.

Counted on PyTorch's "meta" device, which computes shapes and no numbers, so a full-sized network at a
full-sized patch takes a second and no memory.
"""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from LiverSegLib.errors import ModelError
from LiverSegLib.networks.laboratory import LABORATORY, NEEDS_MEMORY, build_laboratory, parameters_of

BYTES_PER_WEIGHT = 16
"""Of a training step in float32 with Adam: the weight, its gradient, two moments."""
DEFAULT_PATCHES: Dict[int, Tuple[int, ...]] = {2: (256, 256), 3: (96, 96, 96)}
"""Dimensions -> patch at which costs are counted if no other is asked for."""


@dataclass(frozen=True)
class Cost:
    """What a network costs at one patch, batch 1, one channel in, two classes out.

    Attributes:
        dimensions: 2 or 3.
        patch: (z, y, x) or (y, x) in voxels.
        parameters: weights that training changes.
        flops_per_voxel: of the whole network in evaluation, over the voxels of the patch; multiply and add
            are two. Convolutions, transposed convolutions and matrix products are counted, norms and
            activations are not.
        training_bytes: an estimate for float32 with Adam: weights, gradients, moments, and the activations
            that PyTorch saves for the backward pass, each counted once. What convolutions need while they
            run and what the framework needs comes on top.
    """

    dimensions: int
    patch: Tuple[int, ...]
    parameters: int
    flops_per_voxel: float
    training_bytes: int


def cost_of(
    name: str,
    dimensions: int,
    patch: Optional[Sequence[int]] = None,
    arguments: Optional[Mapping[str, Any]] = None,
) -> Cost:
    """Count what a network of the laboratory costs.

    Args:
        name: in LABORATORY.
        dimensions: 2 or 3.
        patch: (z, y, x) or (y, x) in voxels; that of DEFAULT_PATCHES if not given.
        arguments: beside channels and dimensions; the network's usual ones if not given.

    Raises:
        ModelError: the network cannot be built, a Python package that it needs is missing, or the patch is
            too small for it.
    """
    size = tuple(patch or DEFAULT_PATCHES[dimensions])
    given = dict(LABORATORY[name].arguments if arguments is None else arguments)
    if "image_size" in given or name == "UNETR":
        given["image_size"] = list(size)
    given.update(in_channels=1, out_channels=2, dimensions=dimensions)
    network = _without_memory(name, given)
    image = torch.zeros(1, 1, *size, device="meta")
    parameters = parameters_of(network)
    try:
        kept = saved_bytes(network.train(), image)
    except ValueError as error:  # batch norm of a single voxel
        patch_words = " x ".join(map(str, size))
        raise ModelError(f"{name} cannot be trained on a patch of {patch_words}.", str(error)) from error
    return Cost(
        dimensions=dimensions,
        patch=size,
        parameters=parameters,
        flops_per_voxel=_flops(network.eval().requires_grad_(False), image) / image.numel(),
        training_bytes=BYTES_PER_WEIGHT * parameters + kept,
    )


def _without_memory(name: str, arguments: Mapping[str, Any]) -> Any:
    """The network with weights that have shapes and no numbers."""
    if name in NEEDS_MEMORY:
        return build_laboratory(name, arguments).to("meta")
    with torch.device("meta"):
        return build_laboratory(name, arguments)


def _flops(network: Any, image: Tensor) -> int:
    """Of a network whose weights need no gradient: the counter looks for one in what is a view of them."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(image)
    return int(counter.get_total_flops())


def saved_bytes(network: Any, image: Tensor) -> int:
    """Bytes of the tensors that PyTorch keeps for the backward pass, without weights; each storage once."""
    weights = {_storage(tensor) for tensor in (*network.parameters(), *network.buffers())}
    kept: Dict[int, Tensor] = {}  # held, so that no storage's number is given to another

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(_storage(tensor), tensor)
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        scores = network(image)
    del scores
    return sum(
        tensor.untyped_storage().nbytes() for storage, tensor in kept.items() if storage not in weights
    )


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
