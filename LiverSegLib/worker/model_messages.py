"""The messages by which models of other programs are added to the user's folder and removed from it.

They are worked off by the worker, since reading weights of nnU-Net needs PyTorch.
"""

from dataclasses import dataclass
from typing import ClassVar, Optional


@dataclass(frozen=True)
class AddModel:
    """Add a trained model: ``source`` is its folder or a zip archive. ``configuration`` says which, where
    there are several. Answered by ``model-added`` or ``error``."""

    type: ClassVar[str] = "add-model"
    id: str
    source: str
    name: Optional[str] = None
    configuration: Optional[str] = None


@dataclass(frozen=True)
class RemoveModel:
    """Delete a model from the user's folder. Answered by ``model-removed`` or ``error``."""

    type: ClassVar[str] = "remove-model"
    id: str
    name: str


@dataclass(frozen=True)
class ModelAdded:
    """A model is in the user's folder; ``name`` is what it answers to."""

    type: ClassVar[str] = "model-added"
    id: str
    name: str


@dataclass(frozen=True)
class ModelRemoved:
    """A model is no longer there."""

    type: ClassVar[str] = "model-removed"
    id: str
    name: str
