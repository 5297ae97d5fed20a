"""The precision a run computes in, and bfloat16 on processors as it can be trusted."""

import contextlib
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence, Tuple

import torch
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from torch.overrides import TorchFunctionMode

from LiverSegLib.training.run_options import Precision as PrecisionName
from LiverSegLib.training.run_options import TrainingOptions

CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)
NATIVE = ("avx512_bf16", "amx_bf16")
"""What PyTorch calls the abilities of processors that multiply in bfloat16; others emulate it, slower than
float32."""


def precision_of(options: TrainingOptions) -> PrecisionName:
    """The precision that is trained in: float32 in place of bfloat16 on processors that only emulate it."""
    emulated = options.precision == "bf16-mixed" and is_on_cpu(options) and not computes_in_bfloat16()
    return "32-true" if emulated else options.precision


def precision_plugin(options: TrainingOptions) -> Optional[Precision]:
    """Lightning's plugin for bfloat16 on a CPU; None where Lightning's own choice is right."""
    if is_on_cpu(options) and precision_of(options) == "bf16-mixed":
        return ProcessorPrecision("bf16-mixed", "cpu")
    return None


def is_on_cpu(options: TrainingOptions) -> bool:
    """Whether the run computes on the processor."""
    if options.accelerator != "auto":
        return options.accelerator == "cpu"
    return not torch.cuda.is_available() and not torch.backends.mps.is_available()


def computes_in_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16; False where an older PyTorch cannot tell."""
    tell = getattr(torch.cpu, "get_capabilities", None)
    found: Mapping[str, Any] = tell() if tell is not None else {}
    return any(found.get(name, False) for name in NATIVE)


class ProcessorPrecision(MixedPrecision):
    """Mixed precision on a CPU in which narrow convolutions compute in float32."""

    @contextlib.contextmanager
    def forward_context(self) -> Iterator[None]:
        """As Lightning's, with :class:`NarrowConvolutions` around."""
        with NarrowConvolutions(), super().forward_context():
            yield


class NarrowConvolutions(TorchFunctionMode):
    """Computes a convolution in float32 where an axis of its input is shorter than the kernel.

    With PyTorch 2.13 the weight gradients of just these come out wrong or infinite in bfloat16 on
    processors that compute in it (3x3x3 on inputs of two slices, as deep levels of small patches have; 5x5x5
    on four and fewer); all that was compared beyond them agreed with float32 within rounding.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Tuple[Any, ...] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
    ) -> Any:
        """Call the function, in float32 where it is such a convolution."""
        named = dict(kwargs or {})
        if func in CONVOLUTIONS and torch.is_autocast_enabled("cpu") and _is_narrow(args[0], args[1]):
            with torch.autocast("cpu", enabled=False):
                return func(*(_to_float32(value) for value in args), **named)
        return func(*args, **named)


def _is_narrow(image: torch.Tensor, weight: torch.Tensor) -> bool:
    return any(size < kernel for size, kernel in zip(image.shape[2:], weight.shape[2:]))


def _to_float32(value: Any) -> Any:
    return value.float() if torch.is_tensor(value) else value
