"""Sections ``method`` of recipes that learn from unlabelled scans, other modalities, or other networks."""

from typing import Dict, Literal, Optional, Tuple

from pydantic import Field, model_validator

from LiverSegLib.training.data.options import PreparationOptions
from LiverSegLib.training.options import Options


class MeanTeacherOptions(Options):
    """A student that agrees, on unlabelled patches seen in two ways, with the average of its own weights.

    Tarvainen and Valpola 2017, arXiv:1703.01780; with ``passes`` only where the teacher is certain (Yu et al.
    2019, doi:10.1007/978-3-030-32245-8_67), whose weight, decay and noise are the defaults.
    """

    name: Literal["mean-teacher"] = "mean-teacher"
    weight: float = Field(default=0.1, ge=0)
    """Of the consistency beside the loss, once it is ramped up."""
    ramp: float = Field(default=0.4, ge=0, le=1)
    """Share of the steps over which the weight rises as exp(-5 (1 - t)^2)."""
    decay: float = Field(default=0.99, gt=0, lt=1)
    """Of the teacher's average; in the beginning it follows faster: after n steps it keeps n / (n + 1)."""
    passes: int = Field(default=0, ge=0)
    """Passes of the teacher, with dropout and noise, that tell how certain it is; 0: all voxels count."""
    noise: float = Field(default=0.1, ge=0)
    """SD of the noise in these passes, in units of the network's input."""


class ModalitiesOptions(Options):
    """One network for several modalities: convolutions are shared, each modality has norms of its own.

    Dou et al. 2020, doi:10.1109/TMI.2019.2963882. A step sees a batch of each modality; what the network
    takes the voxels of each class for is to be alike in all of them (knowledge distillation).
    """

    name: Literal["modalities"] = "modalities"
    modalities: Tuple[str, ...] = ("CT", "MR")
    """As data sets name them; each becomes a model of its own."""
    preparations: Dict[str, PreparationOptions] = Field(default_factory=dict)
    """Modality -> its preparation, where it is not the recipe's."""
    weight: float = Field(default=0.5, ge=0)
    """Of the distillation beside the mean of the modalities' losses."""
    temperature: float = Field(default=2.0, gt=0)
    """Divides the scores before their softmax; the paper's."""

    @model_validator(mode="after")
    def _at_least_two(self) -> "ModalitiesOptions":
        if len(set(self.modalities)) < 2 or len(set(self.modalities)) < len(self.modalities):
            raise ValueError("modalities must name at least two, each once")
        unknown = [name for name in self.preparations if name not in self.modalities]
        if unknown:
            raise ValueError(f"preparations names {unknown[0]}, which is none of the modalities")
        return self


class DistillationOptions(Options):
    """A student that learns a larger network's probabilities beside the labels.

    Hinton et al. 2015, arXiv:1503.02531.
    """

    name: Literal["distillation"] = "distillation"
    teacher: str
    """A model (name or folder) or a run, with the recipe's structures, spacing and intensity."""
    weight: float = Field(default=0.5, ge=0, le=1)
    """Share of the teacher in the loss; the labels have the rest."""
    temperature: float = Field(default=2.0, gt=0)
    """Divides the scores of both before their softmax."""
    stage: Optional[str] = None
    """Of the teacher's model; the one that makes its results if not given."""


class KeepingOptions(Options):
    """A segmenter that learns more of tumours from a pack and keeps the organs of a network that is there.

    Learning without forgetting: Li and Hoiem 2016, arXiv:1606.09282.
    """

    name: Literal["keeping"] = "keeping"
    teacher: str
    """The model (name or folder) whose organs are kept, with the recipe's structures, spacing and
    intensity."""
    weight: float = Field(default=10.0, ge=0)
    """Of the distance to its organs beside the loss of the tumours."""
    soft: float = Field(default=1.0, ge=0)
    """Of what other networks say of tumours in scans whose tumours are not annotated."""


class LesionsOptions(Options):
    """A network for lesions alone, which sees the liver beside the scan; see ``methods.lesions``."""

    name: Literal["lesions"] = "lesions"
    reach_mm: float = Field(default=10.0, gt=0)
    """How far around the liver lesions are looked for."""
    soft: float = Field(default=0.5, ge=0)
    """Weight of what other networks say of tumors in scans whose tumors are not annotated."""
