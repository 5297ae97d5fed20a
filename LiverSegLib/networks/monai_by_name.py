"""Convolutional networks of MONAI's for the laboratory, by name, with our defaults.

MONAI is imported when one is built: the core runs without it. Sizes of any number are padded (``AnySize``);
deep supervision gives a list, finest first, in training only, whatever MONAI's class does.
"""

from typing import Any, Dict, List, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from LiverSegLib.networks import limits
from LiverSegLib.networks.architecture import AnySize, Architecture, Scores
from LiverSegLib.networks.monai_networks import nets_of_monai

BASIC_LEVELS = 5
"""MONAI's BasicUNet and BasicUNetPlusPlus have these levels, no other number."""
BASIC_MULTIPLE = 2 ** (BASIC_LEVELS - 1)
NORMS: Dict[str, Any] = {
    "batch": "batch",
    "instance": ("instance", {"affine": True}),
    "none": None,
}
"""What ``norm`` may be -> how MONAI says it; its plain "instance" has no weights."""


class AtLeast(nn.Module):
    """Doubles images that are a single voxel at the coarsest level, which PyTorch's instance normalisation
    refuses in training; the logits of all levels are cut back.

    Args:
        network: takes sizes that are multiples of ``multiple``.
        multiple: of the network, per axis.
    """

    def __init__(self, network: nn.Module, multiple: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.multiple = list(multiple)

    def forward(self, image: Tensor) -> Scores:
        """Image whose edges are multiples of ``multiple`` -> logits of the same size."""
        edges = [int(edge) for edge in image.shape[2:]]
        if edges != self.multiple:
            return self.network(image)
        pads = [0, edges[-1]] + [0, 0] * (len(edges) - 1)
        scores: Scores = self.network(functional.pad(image, pads, mode="replicate"))
        if torch.is_tensor(scores):
            return scores[..., : edges[-1]]
        return [level[..., : level.shape[-1] // 2] for level in scores]


def unet(
    *,
    in_channels: int = 1,
    out_channels: int = 2,
    dimensions: int = 2,
    channels: Sequence[int] = (64, 128, 256, 512, 1024),
    dropout: float = 0.0,
    norm: str = "batch",
) -> nn.Module:
    """U-Net (Ronneberger et al. 2015): MONAI's BasicUNet with ReLU.

    Args:
        channels: of its five levels, finest first.
        dropout: share of values set to zero after each convolution in training.
        norm: "batch", "instance" or "none" (the paper's).
    """
    arguments = _basic(in_channels, out_channels, dimensions, channels, dropout, norm)
    network = nets_of_monai("BasicUNet").BasicUNet(**arguments, act=("relu", {"inplace": True}))
    return AnySize(AtLeast(network, [BASIC_MULTIPLE] * dimensions), BASIC_MULTIPLE, out_channels)


class NestedOutputs(nn.Module):
    """MONAI's BasicUNetPlusPlus, which gives a list in any mode, its last entry the deepest decoder's.

    Without deep supervision the outputs of the shallower decoders are taken out, as nothing would train them.
    """

    def __init__(self, network: Any, deep_supervision: bool) -> None:
        super().__init__()
        self.network = network
        if not deep_supervision:
            network.final_conv_0_1 = network.final_conv_0_2 = network.final_conv_0_3 = nn.Identity()

    def forward(self, image: Tensor) -> Scores:
        """Image -> logits; with deep supervision, in training, those of the deepest decoder first."""
        scores: List[Tensor] = self.network(image)
        if self.training and self.network.deep_supervision:
            return scores[::-1]
        return scores[-1]


def unet_plus_plus(
    *,
    in_channels: int = 1,
    out_channels: int = 2,
    dimensions: int = 2,
    channels: Sequence[int] = (32, 64, 128, 256, 512),
    dropout: float = 0.0,
    norm: str = "batch",
    deep_supervision: bool = False,
) -> nn.Module:
    """U-Net++ (Zhou et al. 2018): MONAI's BasicUNetPlusPlus; all levels of deep supervision have full size.

    Args:
        channels: of its five levels, finest first.
        dropout: share of values set to zero after each convolution in training.
        norm: "batch", "instance" or "none".
        deep_supervision: in training, the logits of all four nested decoders, deepest first.
    """
    limits.yes_or_no("deep_supervision", deep_supervision)
    arguments = _basic(in_channels, out_channels, dimensions, channels, dropout, norm)
    network = nets_of_monai("BasicUNetPlusPlus").BasicUNetPlusPlus(
        **arguments, act=("relu", {"inplace": True}), deep_supervision=deep_supervision
    )
    nested = NestedOutputs(network, deep_supervision)
    return AnySize(AtLeast(nested, [BASIC_MULTIPLE] * dimensions), BASIC_MULTIPLE, out_channels)


def attention_unet(
    *,
    in_channels: int = 1,
    out_channels: int = 2,
    dimensions: int = 3,
    channels: Sequence[int] = (16, 32, 64, 128, 256),
    dropout: float = 0.0,
) -> nn.Module:
    """Attention U-Net (Oktay et al. 2018): MONAI's AttentionUnet, each level half the size of the one above.

    Args:
        channels: of each level, finest first.
        dropout: share of values set to zero after each convolution in training.
    """
    limits.ends(in_channels, out_channels, dimensions)
    channels, steps = limits.widths("channels", channels), [2] * (len(channels) - 1)
    network = nets_of_monai("AttentionUnet").AttentionUnet(
        spatial_dims=dimensions, in_channels=in_channels, out_channels=out_channels, channels=channels,
        strides=steps, dropout=limits.share("dropout", dropout),
    )  # fmt: skip
    return AnySize(network, 2 ** len(steps), out_channels)


def vnet(
    *, in_channels: int = 1, out_channels: int = 2, dimensions: int = 3, dropout: float = 0.0
) -> nn.Module:
    """V-Net (Milletari et al. 2016): MONAI's VNet, whose channels are fixed at 16 to 256.

    Args:
        in_channels: a divisor of 16: the image is repeated and added to the first 16 channels.
        dropout: share of channels set to zero in the two deepest levels on each way, in training.
    """
    limits.ends(in_channels, out_channels, dimensions)
    limits.one_of("in_channels", in_channels, (1, 2, 4, 8, 16))
    rate = limits.share("dropout", dropout)
    network = nets_of_monai("VNet").VNet(
        spatial_dims=dimensions, in_channels=in_channels, out_channels=out_channels,
        dropout_prob_down=rate, dropout_prob_up=(rate, rate), dropout_dim=dimensions,
    )  # fmt: skip
    return AnySize(network, 16, out_channels)


class OwnSizes(nn.Module):
    """MONAI's DynUNet, which stretches the coarser logits to full size and stacks them: undone here.

    It stretches by repeating values, so that every n-th voxel of the stretched is the coarse one, exactly.
    """

    def __init__(self, network: Any, strides: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.network = network
        self.strides = strides

    def forward(self, image: Tensor) -> Scores:
        """Image -> logits; with deep supervision, in training, each level at its own size, finest first."""
        scores: Tensor = self.network(image)
        if not (self.training and self.network.deep_supervision):
            return scores
        levels, step = [], [1] * (image.dim() - 2)
        for number, level in enumerate(torch.unbind(scores, 1)):
            step = [have * more for have, more in zip(step, self.strides[number])]
            every: Tuple[Any, ...] = (..., *(slice(None, None, n) for n in step))
            levels.append(level[every])
        return levels


def dyn_unet(
    *,
    in_channels: int = 1,
    out_channels: int = 2,
    dimensions: int = 3,
    channels: Sequence[int] = (32, 64, 128, 256, 320, 320),
    kernel_sizes: Any = 3,
    strides: Any = None,
    residual: bool = False,
    deep_supervision: bool = False,
) -> nn.Module:
    """nnU-Net's U-Net (Isensee et al. 2021): MONAI's DynUNet with instance norm and leaky ReLU.

    Args:
        channels: of each level, finest first.
        kernel_sizes: one odd number, or for each level a number or one for each axis.
        strides: for each level a number or one for each axis; 1, then 2 for each further level if not given.
        residual: blocks have a shortcut.
        deep_supervision: in training, the logits of all levels but the two coarsest, finest first.
    """
    limits.ends(in_channels, out_channels, dimensions)
    limits.yes_or_no("residual", residual)
    limits.yes_or_no("deep_supervision", deep_supervision)
    channels = limits.widths("channels", channels, least_levels=3)
    kernels = _levels("kernel_sizes", kernel_sizes, channels, dimensions, 7)
    if any(edge % 2 == 0 for level in kernels for edge in level):
        raise ValueError(f"kernel_sizes must be odd, not {kernel_sizes!r:.60}")
    given = [1] + [2] * (len(channels) - 1) if strides is None else strides
    steps = _levels("strides", given, channels, dimensions, 4)
    network = nets_of_monai("DynUNet").DynUNet(
        spatial_dims=dimensions, in_channels=in_channels, out_channels=out_channels, kernel_size=kernels,
        strides=steps, upsample_kernel_size=steps[1:], filters=channels, res_block=residual,
        deep_supervision=deep_supervision, deep_supr_num=max(1, len(channels) - 3),
    )  # fmt: skip
    multiple = [1] * dimensions
    for level in steps:
        multiple = [have * step for have, step in zip(multiple, level)]
    return AnySize(AtLeast(OwnSizes(network, steps), multiple), multiple, out_channels)


def seg_res_net(
    *,
    in_channels: int = 1,
    out_channels: int = 2,
    dimensions: int = 3,
    width: int = 32,
    blocks_down: Sequence[int] = (1, 2, 2, 4),
    blocks_up: Sequence[int] = (1, 1, 1),
    dropout: float = 0.0,
) -> nn.Module:
    """SegResNet (Myronenko 2018) without its autoencoder: MONAI's SegResNet.

    Args:
        width: channels of the first level, a multiple of 8; each further level has twice as many.
        blocks_down: residual blocks of each level on the way down, finest first.
        blocks_up: the same on the way up, which has one level less.
        dropout: share of values set to zero after the first convolution, in training.
    """
    limits.ends(in_channels, out_channels, dimensions)
    down = limits.widths("blocks_down", blocks_down)
    up = limits.widths("blocks_up", blocks_up, 1)
    if len(up) != len(down) - 1 or max(*down, *up) > 16:
        raise ValueError("blocks_down must have one level more than blocks_up, and at most 16 blocks in each")
    if limits.whole("width", width, 128) % 8:
        raise ValueError(f"width must be a multiple of 8, not {width}")
    network = nets_of_monai("SegResNet").SegResNet(
        spatial_dims=dimensions, in_channels=in_channels, out_channels=out_channels, init_filters=width,
        blocks_down=down, blocks_up=up, dropout_prob=limits.share("dropout", dropout) or None,
    )  # fmt: skip
    return AnySize(network, 2 ** len(up), out_channels)


def _basic(
    in_channels: int, out_channels: int, dimensions: int, channels: Any, dropout: Any, norm: Any
) -> Dict[str, Any]:
    """Arguments of BasicUNet and BasicUNetPlusPlus; the last of ``features`` is the last decoder's width."""
    limits.ends(in_channels, out_channels, dimensions)
    widths = limits.widths("channels", channels, BASIC_LEVELS, BASIC_LEVELS)
    return {
        "spatial_dims": dimensions,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "features": (*widths, widths[0]),
        "dropout": limits.share("dropout", dropout),
        "norm": NORMS[limits.one_of("norm", norm, tuple(NORMS))],
    }


def _levels(name: str, given: Any, channels: Sequence[int], axes: int, most: int) -> List[Tuple[int, ...]]:
    """A number per axis for each level, from one number for all, or a list with an entry for each level."""
    values = given if isinstance(given, (list, tuple)) else [given] * len(channels)
    if len(values) != len(channels):
        raise ValueError(f"{name} must have an entry for each of {len(channels)} levels, not {given!r:.60}")
    return [limits.per_axis(name, value, axes, most) for value in values]


ARCHITECTURES: Tuple[Architecture, ...] = (
    Architecture(
        "UNet", unet, (2, 3), "Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28", "MONAI",
        note="BasicUNet: padded convolutions, batch normalisation (norm none is the paper's), and the last"
        " transposed convolution keeps its channels.",
    ),
    Architecture(
        "AttentionUNet", attention_unet, (3, 2), "Oktay et al. 2018, arXiv:1804.03999", "MONAI",
        note="Learned upsampling where the paper interpolates.",
    ),
    Architecture(
        "VNetMONAI", vnet, (3, 2), "Milletari et al. 2016, doi:10.1109/3DV.2016.79", "MONAI",
        note="With batch normalisation and ELU where the paper has none and PReLU.",
    ),
    Architecture(
        "UNetPlusPlus", unet_plus_plus, (2, 3), "Zhou et al. 2018, doi:10.1007/978-3-030-00889-5_1", "MONAI",
        arguments={"deep_supervision": True}, paper_parameters=9_040_000,
        note="Transposed convolutions halve their channels; all decoders' logits have full size; 0.9 % more"
        " weights than the paper's.",
    ),
    Architecture(
        "DynUNet", dyn_unet, (3, 2), "Isensee et al. 2021, doi:10.1038/s41592-020-01008-z", "MONAI",
        arguments={"deep_supervision": True},
        note="nnU-Net chooses its levels for each data set, so the paper has no one number of weights.",
    ),
    Architecture(
        "SegResNet", seg_res_net, (3, 2), "Myronenko 2018, arXiv:1810.11654", "MONAI",
        note="Without the variational autoencoder that the paper trains beside it.",
    ),
)  # fmt: skip
