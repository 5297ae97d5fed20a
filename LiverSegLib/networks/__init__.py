"""Network architectures, built from plain keyword arguments that a JSON manifest can hold. Needs torch."""

from typing import Any, Callable, Dict, Mapping

from LiverSegLib.errors import ModelError
from LiverSegLib.networks.laboratory import LABORATORY, build_laboratory
from LiverSegLib.networks.monai_networks import architectures
from LiverSegLib.networks.plain_conv_unet import PlainConvUNet
from LiverSegLib.networks.residual_encoder_unet import ResidualEncoderUNet
from LiverSegLib.networks.residual_unet import ResidualUNet

ARCHITECTURES: Dict[str, Callable[..., Any]] = {
    "PlainConvUNet": PlainConvUNet,
    "ResidualEncoderUNet": ResidualEncoderUNet,
    **architectures(),
    **{name: architecture.build for name, architecture in LABORATORY.items()},
}
"""Name in a model manifest -> class, or what builds it; those of the laboratory among them."""


def build_network(name: str, arguments: Mapping[str, Any]) -> Any:
    """Return the untrained ``torch.nn.Module`` that a manifest's ``network`` entry describes.

    Raises:
        ModelError: no such architecture, or it does not take these arguments.
    """
    try:
        known = ARCHITECTURES[name]
    except KeyError:
        raise ModelError(
            f"The model asks for the network {name!r}, which this LiverSeg does not have.",
            f"Available: {sorted(ARCHITECTURES)}",
        ) from None
    if name in LABORATORY and known is LABORATORY[name].build:
        return build_laboratory(name, arguments)
    try:
        return known(**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model describes a {name} that cannot be built.", str(error)) from error


__all__ = [
    "ARCHITECTURES", "LABORATORY", "PlainConvUNet", "ResidualEncoderUNet", "ResidualUNet", "build_network",
]  # fmt: skip
