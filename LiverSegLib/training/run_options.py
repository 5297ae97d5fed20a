"""Sections of a recipe that say how a run goes: network, training, validation, export."""

from typing import Any, Dict, Literal, Optional, Tuple, Union

from pydantic import Field, field_validator

from LiverSegLib.training.options import Options

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
"""What numbers a run computes with, as Lightning names it."""


class NetworkOptions(Options):
    """Which network; ``out_channels`` and ``dimensions`` follow from the rest of the recipe."""

    name: str
    arguments: Dict[str, Any] = Field(default_factory=dict)

    @field_validator("arguments")
    @classmethod
    def _filled_in(cls, arguments: Dict[str, Any]) -> Dict[str, Any]:
        if "out_channels" in arguments:
            raise ValueError("out_channels follows from the structures; leave it out")
        return arguments


class StartOptions(Options):
    """Weights to begin with, as far as names and shapes fit. A text stands for ``weights`` alone."""

    weights: str
    """A model (name or folder), a run's folder, or a checkpoint of PyTorch."""
    skip: Tuple[str, ...] = ()
    """Beginnings of names, or patterns with ``*``, of weights that begin at random all the same."""


class TrainingOptions(Options):
    """How weights are learnt.

    ``schedule`` is what becomes of the learning rate after ``warmup`` steps in which it rises from zero:
    "poly" falls as (1 - step/steps)^power, "cosine" to zero as a half wave, "one-cycle" rises for 30 % of the
    steps and falls as cosines (Smith and Topin 2018, arXiv:1708.07120), "linear-end" stays and falls linearly
    to zero over the last share ``decay`` of the steps, "constant" stays.
    """

    steps: int = Field(ge=1)
    """Steps of the optimizer."""
    batch: int = Field(default=1, ge=1)
    """Patches in a batch, on each device."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are summed for a step."""
    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    betas: Tuple[float, float] = (0.9, 0.999)
    """Of Adam and AdamW; adversarial training often takes (0.5, 0.999)."""
    nesterov: bool = False
    schedule: Literal["poly", "cosine", "one-cycle", "linear-end", "constant"] = "constant"
    warmup: int = Field(default=0, ge=0)
    power: float = Field(default=0.9, gt=0)
    decay: float = Field(default=0.3, gt=0, le=1)
    gradient_limit: Optional[float] = Field(default=None, gt=0)
    """Largest norm of the gradients of a step; larger ones are scaled down."""
    average: Optional[float] = Field(default=None, gt=0, lt=1)
    """Decay of the exponential moving average of the weights, which is validated and exported."""
    rates: Dict[str, float] = Field(default_factory=dict)
    """Beginning of parameters' names, or pattern with ``*``, -> factor of their learning rate; 0 freezes them
    and the statistics of their batch norms. The longest that fits counts."""
    start: Optional[StartOptions] = None
    """Weights to begin with."""
    precision: Precision = "32-true"
    """On a CPU that only emulates bfloat16, bf16-mixed is trained as 32-true."""
    channels_last: bool = False
    """Memory order in which convolutions are often faster, with slightly other rounding."""
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: Union[int, Literal["auto"]] = "auto"
    nodes: int = Field(default=1, ge=1)
    threads: Optional[int] = Field(default=None, ge=1)
    """Threads of the CPU for the network; those that PyTorch takes by itself if not given."""
    workers: int = Field(default=0, ge=0)
    """Processes that prepare patches beside the network; the patches are the same with any number."""
    minutes: Optional[float] = Field(default=None, gt=0)
    """Stop with a checkpoint after so long."""
    checkpoint_every: int = Field(default=250, ge=1)
    log_every: int = Field(default=50, ge=1)
    early_stopping: Optional[int] = Field(default=None, ge=1)
    """Stop after so many validations without a better one."""

    @field_validator("start", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"weights": value} if isinstance(value, str) else value


class ValidationOptions(Options):
    """How often and how whole images are segmented to see how good the weights are."""

    every: int = Field(default=500, ge=0)
    """Steps between validations; 0: only at the end."""
    cases: Optional[int] = Field(default=None, ge=1)
    """Validate on the first so many cases only; all if not given."""
    overlap: float = Field(default=0.25, ge=0, lt=1)
    """Share of a tile that its neighbour covers again, in the exported model too."""
    blend: Literal["gaussian", "constant"] = "gaussian"
    largest_component: Tuple[str, ...] = ()
    """Liver (with its tumors) or spleen, of which only the largest connected part counts: every result of
    LiverSeg has it alone."""
    pictures: int = Field(default=1, ge=0)
    """Cases of which a slice is drawn for TensorBoard."""


class TrainingDataOptions(Options):
    """A data set for the model card; cases are counted."""

    name: str
    licence: str = "unknown"
    citation: str = "none given"


class ExportOptions(Options):
    """What the model card says that the run does not know."""

    name: Optional[str] = None
    """Name of the model; the recipe's if not given."""
    version: str = "1.0.0"
    description: str = ""
    modality: Literal["CT", "MR", "other"] = "CT"
    licence: str = "see the training data"
    citation: str = ""
    intended_use: str = ""
    limitations: str = ""
    training_data: Tuple[TrainingDataOptions, ...] = ()
    weights: Literal["float32", "float16"] = "float32"
