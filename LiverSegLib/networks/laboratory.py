"""All networks of the laboratory by name: built here, listed by ``liverseg networks``."""

from typing import Any, Dict, Mapping, Tuple

import torch

from LiverSegLib.errors import ModelError
from LiverSegLib.networks import (
    block_unet,
    cascade,
    conv_lstm_unet,
    dense_unet,
    hybrid_dense_unet,
    ki_unet,
    limits,
    modified_unet,
    monai_by_name,
    monai_transformers,
    nested_unet,
    recurrent_unet,
    slices,
    unet_3d,
    vnet,
)
from LiverSegLib.networks.architecture import Architecture
from LiverSegLib.networks.residual_unet import ResidualUNet

OWN = Architecture(
    name="ResidualUNet",
    build=ResidualUNet,
    dimensions=(3,),
    paper="He et al. 2016, doi:10.1109/CVPR.2016.90; Isensee et al. 2024, arXiv:2404.09556",
    note="Our residual U-Net, the bundled models' network: skips are added, and with fold 2 it runs on folded"
    " voxels (Shi et al. 2016, arXiv:1609.05158).",
)

FAMILIES: Tuple[Tuple[Architecture, ...], ...] = (
    (OWN,),
    block_unet.ARCHITECTURES,
    unet_3d.ARCHITECTURES,
    monai_by_name.ARCHITECTURES,
    monai_transformers.ARCHITECTURES,
    modified_unet.ARCHITECTURES,
    vnet.ARCHITECTURES,
    dense_unet.ARCHITECTURES,
    hybrid_dense_unet.ARCHITECTURES,
    recurrent_unet.ARCHITECTURES,
    conv_lstm_unet.ARCHITECTURES,
    ki_unet.ARCHITECTURES,
    nested_unet.ARCHITECTURES,
    slices.ARCHITECTURES,
    cascade.ARCHITECTURES,
)
"""What each file of networks exports; a new file is added here."""

LABORATORY: Dict[str, Architecture] = {
    architecture.name: architecture for family in FAMILIES for architecture in family
}
"""Name in a recipe or manifest -> architecture."""

NEEDS_MEMORY = ("SwinUNETR",)
"""Cannot be built without memory for their weights; their own limits keep them below MAX_PARAMETERS."""


def build_laboratory(name: str, arguments: Mapping[str, Any]) -> Any:
    """Return the untrained network of a name in LABORATORY.

    Raises:
        ModelError: it does not take these arguments, they ask for more weights than any network has, or the
            Python package that brings it is missing.
    """
    architecture = LABORATORY[name]
    try:
        _refuse_absurd(architecture, arguments)
        return architecture.build(**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model describes a {name} that cannot be built.", str(error)) from error


def _refuse_absurd(architecture: Architecture, arguments: Mapping[str, Any]) -> None:
    """Build it without memory for its weights and count them."""
    if architecture.name in NEEDS_MEMORY:
        return
    with torch.device("meta"):
        count = parameters_of(architecture.build(**arguments))
    if count > limits.MAX_PARAMETERS:
        raise ValueError(f"{count} weights; at most {limits.MAX_PARAMETERS}")


def parameters_of(network: Any) -> int:
    """How many weights a network has that training changes."""
    return sum(weights.numel() for weights in network.parameters() if weights.requires_grad)
