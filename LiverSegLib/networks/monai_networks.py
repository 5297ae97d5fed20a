"""Networks of MONAI's, for bundles that were added: its own classes, where MONAI is installed.

A bundle names its network by a path, and MONAI would import and call whatever stands there. Here the path
only chooses one of ALLOWED, and the arguments are plain values.
"""

from typing import Any, Callable, Dict, Mapping

from LiverSegLib.errors import ModelError
from LiverSegLib.sentences import Sentence

PREFIX = "monai."
ALLOWED = (
    "AttentionUnet", "BasicUNet", "BasicUNetPlusPlus", "DynUNet", "FlexibleUNet", "SegResNet", "SwinUNETR",
    "UNETR", "UNet", "VNet",
)  # fmt: skip
"""Classes of monai.networks.nets that may be built: networks for segmentation that take one image and give
one."""


def build(name: str, arguments: Mapping[str, Any]) -> Any:
    """A network of MONAI's with ``out_channels`` and ``size_multiple``.

    Raises:
        ModelError: MONAI is not installed.
        TypeError, ValueError: it cannot be built with these arguments.
    """
    nets = nets_of_monai(name)
    network = getattr(nets, name)(**arguments)
    network.out_channels = int(arguments["out_channels"])
    network.size_multiple = 1  # the bundle says how large tiles are
    return network


def nets_of_monai(network: str) -> Any:
    """The module of MONAI's networks.

    Args:
        network: which needs it, for the sentence.

    Raises:
        ModelError: MONAI is not installed.
    """
    try:
        from monai.networks import nets
    except ImportError as error:
        raise ModelError(Sentence("model.needs-monai", network=network), str(error)) from error
    return nets


def architectures() -> Dict[str, Callable[..., Any]]:
    """Name in a model manifest -> what builds it."""

    def builder(name: str) -> Callable[..., Any]:
        return lambda **arguments: build(name, arguments)

    return {PREFIX + name: builder(name) for name in ALLOWED}
