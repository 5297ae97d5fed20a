"""What the networks are trained to make small: ``build_loss`` makes the loss of a recipe.

``partial`` is the loss of the bundled models, which needs nothing but PyTorch; so the others are loaded when
they are asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from LiverSegLib.training.losses.build import build_loss
    from LiverSegLib.training.losses.options import LossOptions

__all__ = ["LossOptions", "build_loss"]


def __getattr__(name: str) -> Any:
    if name == "LossOptions":
        from LiverSegLib.training.losses.options import LossOptions

        return LossOptions
    if name == "build_loss":
        from LiverSegLib.training.losses.build import build_loss

        return build_loss
    raise AttributeError(name)
