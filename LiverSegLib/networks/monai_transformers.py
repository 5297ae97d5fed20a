"""Networks of MONAI's with transformers, for the laboratory, by name, with our defaults."""

import importlib.util
from typing import Any, Sequence, Tuple, Union

from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.errors import InputError, ModelError
from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import AnySize, Architecture
from LiverSegLib.networks.monai_by_name import AtLeast
from LiverSegLib.networks.monai_networks import nets_of_monai

UNETR_MULTIPLE = 16
"""UNETR cuts the image into patches of this edge."""
SWIN_MULTIPLE = 32
"""SwinUNETR halves the image five times."""
LARGEST_IMAGE = 512
"""Edge of ``image_size``: more tokens than that fit no machine."""
MAX_TOKENS = 32**3
"""Patches of an image: attention compares each with each."""


class FixedSize(nn.Module):
    """A network for one size of image; smaller ones are padded at their ends, and the logits cut back.

    Args:
        network: for images of ``size``.
        size: a multiple of what the network needs, per axis.
        out_channels: of the logits.
    """

    def __init__(self, network: nn.Module, size: Sequence[int], out_channels: int) -> None:
        super().__init__()
        self.network = network
        self.size = tuple(size)
        self.out_channels = out_channels
        self.size_multiple = self.size

    def forward(self, image: Tensor) -> Tensor:
        """Image (batch, in, spatial axes), at most ``size`` -> logits of the same size.

        Raises:
            InputError: the image is larger.
        """
        given = [int(edge) for edge in image.shape[2:]]
        missing = [whole - edge for whole, edge in zip(self.size, given)]
        if any(amount < 0 for amount in missing):
            largest = " x ".join(str(edge) for edge in self.size)
            raise InputError(
                f"This network was built for images of at most {largest} voxels; give it tiles of that size.",
                f"The image has {given}.",
            )
        if not any(missing):
            return self.network(image)
        pads = [amount for count in reversed(missing) for amount in (0, count)]
        scores = self.network(functional.pad(image, pads, mode="replicate"))
        return scores[(..., *(slice(0, edge) for edge in given))]


def unetr(
    *,
    in_channels: int = 1,
    out_channels: int = 2,
    dimensions: int = 3,
    image_size: Union[int, Sequence[int]] = 96,
    width: int = 16,
    hidden_size: int = 768,
    heads: int = 12,
    dropout: float = 0.0,
) -> nn.Module:
    """UNETR (Hatamizadeh et al. 2022): MONAI's UNETR, for images of one size.

    Args:
        image_size: (z, y, x), (y, x), or one number for all axes; made a multiple of 16. It learns a vector
            for each place, so larger images are refused, smaller ones padded.
        width: channels of the finest level.
        hidden_size: of a token; a multiple of ``heads``.
        heads: of the attention.
        dropout: share of values set to zero in the transformer, in training.
    """
    limits.ends(in_channels, out_channels, dimensions)
    edges = limits.per_axis("image_size", image_size, dimensions, LARGEST_IMAGE)
    size = [-(-edge // UNETR_MULTIPLE) * UNETR_MULTIPLE for edge in edges]
    tokens = 1
    for edge in size:
        tokens *= edge // UNETR_MULTIPLE
    if tokens > MAX_TOKENS:
        raise ValueError(f"image_size {list(edges)} is cut into {tokens} patches; at most {MAX_TOKENS}")
    if limits.whole("hidden_size", hidden_size, 1536) % limits.whole("heads", heads, 64):
        raise ValueError(f"hidden_size must be a multiple of heads, not {hidden_size} and {heads}")
    _require_einops("UNETR")
    network = nets_of_monai("UNETR").UNETR(
        in_channels=in_channels, out_channels=out_channels, img_size=size, spatial_dims=dimensions,
        feature_size=limits.whole("width", width, 128), hidden_size=hidden_size, mlp_dim=4 * hidden_size,
        num_heads=heads, dropout_rate=limits.share("dropout", dropout),
        norm_name=("instance", {"affine": True}),
    )  # fmt: skip
    for block in network.vit.blocks:
        _without_cross_attention(block)
    return FixedSize(network, size, out_channels)


def _require_einops(network: str) -> None:
    """Say what is missing, where MONAI would say it in a traceback: its transformers need one package more.

    Raises:
        ModelError: einops is not installed.
    """
    if importlib.util.find_spec("einops") is None:
        raise ModelError(f"The network {network} needs the Python package einops: pip install einops.")


def _without_cross_attention(block: Any) -> None:
    """Take out weights that MONAI's transformer block makes and never uses."""
    if not getattr(block, "with_cross_attention", True):
        block.norm_cross_attn, block.cross_attn = nn.Identity(), nn.Identity()


def swin_unetr(
    *,
    in_channels: int = 1,
    out_channels: int = 2,
    dimensions: int = 3,
    width: int = 48,
    depths: Sequence[int] = (2, 2, 2, 2),
    heads: Sequence[int] = (3, 6, 12, 24),
    window: int = 7,
    dropout: float = 0.0,
    checkpointing: bool = False,
) -> nn.Module:
    """Swin UNETR (Hatamizadeh et al. 2022): MONAI's SwinUNETR, for images of any size.

    Args:
        width: channels of the finest level, a multiple of 12 and of the first of ``heads``.
        depths: transformer blocks of each of the four levels.
        heads: of the attention at each of the four levels.
        window: edge of the windows in which voxels attend to each other, in tokens.
        dropout: share of values set to zero, in training.
        checkpointing: less memory in training, for about a third more time.
    """
    limits.ends(in_channels, out_channels, dimensions)
    depths, heads = limits.widths("depths", depths, 4, 4), limits.widths("heads", heads, 4, 4)
    if max(depths) > 18 or max(heads) > 128:
        raise ValueError("depths must be at most 18, heads at most 128")
    if limits.whole("width", width, 96) % 12 or any(width * 2**n % heads[n] for n in range(4)):
        raise ValueError(f"width must be a multiple of 12 and of the heads, not {width} with {heads}")
    _require_einops("SwinUNETR")
    network = nets_of_monai("SwinUNETR").SwinUNETR(
        in_channels=in_channels, out_channels=out_channels, spatial_dims=dimensions, feature_size=width,
        depths=depths, num_heads=heads, window_size=limits.whole("window", window, 14),
        drop_rate=limits.share("dropout", dropout), norm_name=("instance", {"affine": True}),
        use_checkpoint=limits.yes_or_no("checkpointing", checkpointing),
    )  # fmt: skip
    return AnySize(AtLeast(network, [SWIN_MULTIPLE] * dimensions), SWIN_MULTIPLE, out_channels)


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        "UNETR", unetr, (3, 2), "Hatamizadeh et al. 2022, doi:10.1109/WACV51458.2022.00181", "MONAI",
        paper_parameters=92_580_000,
        note="For images of at most image_size (96 if not given): larger ones are refused with a sentence,"
        " smaller ones padded. 92.79 million weights with the paper's 14 classes, 0.2 % more. An ONNX graph"
        " holds for that size alone.",
    ),
    Architecture(
        "SwinUNETR", swin_unetr, (3, 2), "Hatamizadeh et al. 2022, doi:10.1007/978-3-031-08999-2_22", "MONAI",
        paper_parameters=61_980_000,
        note="Images are padded to multiples of 32. 62.20 million weights with the paper's 4 channels and 3"
        " classes, 0.4 % more. An ONNX graph holds for one size alone.",
    ),
)  # fmt: skip
