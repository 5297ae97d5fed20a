"""Network architectures, built from plain keyword arguments that a JSON manifest can hold. Needs torch."""

from typing import Any, Callable, Dict, Mapping

from LiverSegLib.errors import ModelError
from LiverSegLib.networks.monai_networks import architectures
from LiverSegLib.networks.plain_conv_unet import PlainConvUNet
from LiverSegLib.networks.residual_encoder_unet import ResidualEncoderUNet
from LiverSegLib.networks.residual_unet import ResidualUNet

ARCHITECTURES: Dict[str, Callable[..., Any]] = {
    "PlainConvUNet": PlainConvUNet,
    "ResidualEncoderUNet": ResidualEncoderUNet,
    "ResidualUNet": ResidualUNet,
    **architectures(),
}
"""Name in a model manifest -> class."""


def build_network(name: str, arguments: Mapping[str, Any]) -> Any:
    """Return the untrained ``torch.nn.Module`` that a manifest's ``network`` entry describes.

    Raises:
        ModelError: no such architecture, or it does not take these arguments.
    """
    try:
        architecture = ARCHITECTURES[name]
    except KeyError:
        raise ModelError(
            f"The model asks for the network {name!r}, which this LiverSeg does not have.",
            f"Available: {sorted(ARCHITECTURES)}",
        ) from None
    try:
        return architecture(**arguments)
    except (TypeError, ValueError) as error:
        raise ModelError(f"The model describes a {name} that cannot be built.", str(error)) from error


__all__ = ["ARCHITECTURES", "PlainConvUNet", "ResidualEncoderUNet", "ResidualUNet", "build_network"]
