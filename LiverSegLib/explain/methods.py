"""Grad-CAM and guided backpropagation for a network that segments, with nothing but PyTorch.

What is explained is the sum of a class's scores (before softmax or sigmoid) over some voxels, as Vinogradova
et al. do for segmentation (Seg-Grad-CAM, 2020, doi:10.1609/aaai.v34i10.7244).
"""

import contextlib
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from LiverSegLib.errors import UsageError
from LiverSegLib.sentences import Sentence

ENCODER, DECODER = "encoder", "decoder"
"""The last layer on the coarsest grid, and the last one before the convolution that gives the scores."""

MOST_NAMES = 12
"""So many layers are named where a wanted one is not there."""

CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)

RECTIFIERS = {
    functional.relu, functional.leaky_relu, functional.prelu, functional.elu, functional.gelu,
    functional.silu, functional.mish, functional.relu6, functional.celu, functional.selu,
    functional.hardswish, torch.relu, torch.Tensor.relu, torch.prelu,
}  # fmt: skip
"""Activations that let positive inputs pass, whole or nearly, and hold negative ones back."""

Poll = Callable[[], None]
Score = Callable[[Tensor], Tensor]
"""Logits (1, classes, spatial axes) -> the number that is explained."""


@dataclass(frozen=True)
class Layer:
    """A part of a network that gives an image of features.

    Attributes:
        name: as ``named_modules`` has it.
        size: of its output, voxels along each spatial axis.
        convolves: whether it is a convolution.
    """

    name: str
    size: Tuple[int, ...]
    convolves: bool


def score_over(channel: int, voxels: Tensor) -> Score:
    """The sum of a class's logits over some voxels.

    Args:
        channel: of the class.
        voxels: bool (spatial axes).
    """
    return lambda logits: logits[0, channel][voxels].sum()


def run_once(network: nn.Module, image: Tensor, poll: Optional[Poll] = None) -> Tuple[Tensor, List[Layer]]:
    """Logits of an image, and the network's layers in the order in which they were done.

    Args:
        network: in ``eval`` mode; image (1, channels, spatial axes) -> logits (1, classes, spatial axes).
        image: of the size of a tile.
        poll: called after each layer; raises to cancel.
    """
    found: List[Layer] = []

    def note(name: str, module: nn.Module) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if torch.is_tensor(output) and output.dim() == image.dim():
                size = tuple(int(edge) for edge in output.shape[2:])
                found.append(Layer(name, size, isinstance(module, CONVOLUTIONS)))

        return hook

    handles = [part.register_forward_hook(note(name, part)) for name, part in network.named_modules() if name]
    try:
        with torch.no_grad(), _polled(network, poll):
            return network(image), found
    finally:
        for handle in handles:
            handle.remove()


def choose_layer(layers: Sequence[Layer], wanted: str) -> str:
    """The name of a layer.

    Args:
        layers: of :func:`run_once`.
        wanted: ENCODER, DECODER, or a layer's name.

    Raises:
        UsageError: the network has no such layer.
    """
    names = [layer.name for layer in layers]
    if wanted in names:
        return wanted
    if wanted == ENCODER and layers:
        least = min(_voxels(layer) for layer in layers)
        return [layer.name for layer in layers if _voxels(layer) == least][-1]
    if wanted == DECODER and layers:
        last = max((number for number, layer in enumerate(layers) if layer.convolves), default=0)
        return names[max(0, last - 1)]
    known = [ENCODER, DECODER, *dict.fromkeys(reversed(names))][:MOST_NAMES]
    raise UsageError(Sentence("explain.no-layer", wanted=wanted, known=", ".join(known)), str(names))


def grad_cam(
    network: nn.Module, image: Tensor, layer: str, score: Score, poll: Optional[Poll] = None
) -> Tensor:
    """Where the features of a layer speak for a score (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74).

    Each feature is weighted by the mean of the score's gradient over it; what remains positive of their sum
    is the map.

    Args:
        network: in ``eval`` mode; its weights must not need gradients, else they get some.
        image: (1, channels, spatial axes).
        layer: name of a part of the network whose output is (1, features, spatial axes).
        score: what is explained.
        poll: called between layers, there and back; raises to cancel.

    Returns:
        (spatial axes) of the layer's output, not normalised; 0 where nothing speaks for the score.
    """
    kept: Dict[str, Tensor] = {}

    def cut(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        # What lies before the layer needs no gradient, and what follows may overwrite its input.
        kept["features"] = output.detach().requires_grad_(True)
        return kept["features"].clone()

    handle = network.get_submodule(layer).register_forward_hook(cut)
    try:
        with torch.enable_grad(), _polled(network, poll):
            value = score(network(image.detach()))
            (gradient,) = torch.autograd.grad(value, [kept["features"]])
    finally:
        handle.remove()
    weights = gradient.flatten(2).mean(2)[0]
    features = kept["features"].detach()[0]
    return functional.relu(torch.einsum("c,c...->...", weights, features))


def guided_backpropagation(
    network: nn.Module, image: Tensor, score: Score, poll: Optional[Poll] = None
) -> Tensor:
    """On which voxels a score depends (Springenberg et al. 2015, arXiv:1412.6806).

    The score's gradient is carried back to the image, and every ReLU passes it on only where its input and
    the gradient are positive. The rule for activations that let something of negative inputs through, as the
    leaky ReLU does with its small slope: forwards they stay as they are, backwards they count as a ReLU.

    Args:
        network, image, score, poll: as in :func:`grad_cam`.

    Returns:
        The gradient (1, channels, spatial axes), of either sign.
    """
    seen = image.detach().clone().requires_grad_(True)
    with torch.enable_grad(), _polled(network, poll), _GuidedRectifiers():
        value = score(network(seen))
    with _polled(network, poll):
        (gradient,) = torch.autograd.grad(value, [seen])
    return gradient


def resized(map_: Tensor, size: Sequence[int]) -> Tensor:
    """A map (spatial axes) of a layer, interpolated linearly to the size of the image."""
    mode = {2: "bilinear", 3: "trilinear"}[map_.dim()]
    return functional.interpolate(map_[None, None], size=tuple(size), mode=mode, align_corners=False)[0, 0]


class _Gate(torch.autograd.Function):
    """Passes an image on, and its gradient back where the image is positive."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        context.save_for_backward(values > 0)
        return values.clone()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (positive,) = context.saved_tensors
        return gradients[0] * positive


class _GuidedRectifiers(TorchFunctionMode):
    """Inside the block activations are guided: also those that a network calls without a module of theirs."""

    def __torch_function__(
        self, function: Any, types: Any, args: Tuple[Any, ...] = (), kwargs: Optional[Dict[str, Any]] = None
    ) -> Any:
        kwargs = kwargs or {}
        if function not in RECTIFIERS or not args:
            return function(*args, **kwargs)
        output = function(_Gate.apply(args[0]), *args[1:], **kwargs)
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient.clamp(min=0))
        return output


@contextlib.contextmanager
def _polled(network: nn.Module, poll: Optional[Poll]) -> Iterator[None]:
    """Call ``poll`` after each layer, and when the gradient comes back to it."""
    if poll is None:
        yield
        return
    ask = poll

    def back(_gradient: Tensor) -> None:
        ask()

    def after(_module: nn.Module, _inputs: Any, output: Any) -> None:
        ask()
        if torch.is_tensor(output) and output.requires_grad:
            output.register_hook(back)

    parts = [part for part in network.modules() if not list(part.children())]
    handles = [part.register_forward_hook(after) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _voxels(layer: Layer) -> int:
    count = 1
    for edge in layer.size:
        count *= edge
    return count
