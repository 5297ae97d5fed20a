"""nnU-Net's plans.json: how one of its configurations prepares a scan, as this version can run it.

The plans are somebody else's file: every field is checked before it is used, and what asks for something that
is not run here is refused in words, because a model that is run in another way than it was trained for draws
plausible nonsense.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, NoReturn, Optional, Tuple

from LiverSegLib.errors import ModelCorruptError, ModelError
from LiverSegLib.models.fields import OBJECT, TEXT, JsonObject, Rule, is_list, is_number, read_json, ruled
from LiverSegLib.models.files import MAX_TEXT_BYTES, PathLike, quoted, read_within
from LiverSegLib.models.rules import MAX_PATCH_EDGE, MAX_SPACING_MM
from LiverSegLib.models.stage import Intensity, Preparation
from LiverSegLib.sentences import Sentence

SCHEMES = {
    "CTNormalization": "ct-percentile", "ZScoreNormalization": "zscore", "NoNormalization": "none",
}  # fmt: skip
"""nnU-Net's class -> scheme of a stage. Others (RescaleTo01, RGBTo01, of the user's own) are refused."""
READERS = {
    "SimpleITKIO": "stored", "NibabelIO": "stored", "NibabelIOWithReorient": "RAS",
    "SimpleITKIOWithReorient": "RAS",
}  # fmt: skip
"""nnU-Net's class that reads scans -> the directions of the network's axes."""
SPLINES = ("resample_data_or_seg_to_shape", "resample_data_or_seg_to_spacing")
TRILINEAR = ("resample_torch_simple", "resample_torch_fornnunet")
UNCHANGED = ("no_resampling_data_or_seg_to_shape", "no_resampling_hack")
ANISOTROPY = 3.0
"""nnU-Net's ANISO_THRESHOLD."""
DEEPEST_INHERITANCE = 8

_POSITIONS = Rule(
    "an order of the axes 0, 1 and 2",
    lambda value: isinstance(value, list) and sorted(map(repr, value)) == ["0", "1", "2"],
)
_EDGES = Rule(
    f"two or three whole numbers from 1 to {MAX_PATCH_EDGE}",
    lambda value: is_list(value, lambda edge: type(edge) is int and 1 <= edge <= MAX_PATCH_EDGE, 2, 3),
)
_STEPS = Rule(
    f"two or three numbers above 0 and up to {MAX_SPACING_MM:g}",
    lambda value: is_list(value, lambda step: is_number(step) and 0 < step <= MAX_SPACING_MM, 2, 3),
)
_TEXTS = Rule(
    "a list of texts", lambda value: is_list(value, lambda item: isinstance(item, str)) and len(value) > 0
)
_FLAGS = Rule("a list of true and false", lambda value: is_list(value, lambda item: isinstance(item, bool)))


@dataclass(frozen=True)
class Configuration(JsonObject):
    """One configuration of the plans, what it inherits included. Sizes are in the network's order of axes."""

    patch_size: List[int] = ruled(_EDGES)
    spacing: List[float] = ruled(_STEPS)
    normalization_schemes: List[str] = ruled(_TEXTS)
    use_mask_for_norm: List[bool] = ruled(_FLAGS, default_factory=list)
    preprocessor_name: str = ruled(TEXT, default="DefaultPreprocessor")
    resampling_fn_data: str = ruled(TEXT, default=SPLINES[0])
    resampling_fn_data_kwargs: Mapping[str, Any] = ruled(OBJECT, default_factory=dict)
    resampling_fn_probabilities: str = ruled(TEXT, default=SPLINES[0])
    resampling_fn_probabilities_kwargs: Mapping[str, Any] = ruled(OBJECT, default_factory=dict)
    architecture: Optional[Mapping[str, Any]] = ruled(OBJECT, default=None)
    previous_stage: Optional[str] = ruled(TEXT, default=None)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def check(self, where: str) -> None:
        """Patch and spacing have the same axes."""
        if len(self.patch_size) != len(self.spacing):
            raise ModelCorruptError(
                Sentence("model.description", reason=f"{where}: patch_size and spacing differ")
            )


@dataclass(frozen=True)
class Plans(JsonObject):
    """What is used of a plans.json."""

    dataset_name: str = ruled(TEXT)
    configurations: Mapping[str, Any] = ruled(OBJECT)
    image_reader_writer: str = ruled(TEXT)
    transpose_forward: List[int] = ruled(_POSITIONS)
    plans_name: str = ruled(TEXT, default="nnUNetPlans")
    label_manager: str = ruled(TEXT, default="LabelManager")
    original_median_spacing_after_transp: Optional[List[float]] = ruled(_STEPS, default=None)
    foreground_intensity_properties_per_channel: Optional[Mapping[str, Any]] = ruled(OBJECT, default=None)
    foreground_intensity_properties_by_modality: Optional[Mapping[str, Any]] = ruled(OBJECT, default=None)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def axes(self) -> str:
        """The order of the network's axes, as a stage has it."""
        return "".join("zyx"[position] for position in self.transpose_forward)

    @property
    def orientation(self) -> str:
        """The directions of the network's axes, as a stage has them."""
        if self.image_reader_writer not in READERS:
            refuse("add.reader", reader=quoted(self.image_reader_writer))
        return READERS[self.image_reader_writer]

    def configuration(self, name: str) -> Configuration:
        """A configuration with all that it inherits.

        Raises:
            ModelCorruptError: there is none of the name, or it is not valid.
        """
        found: Dict[str, Any] = {}
        wanted = name
        for _ in range(DEEPEST_INHERITANCE):
            own = self.configurations.get(wanted)
            if not isinstance(own, dict):
                raise ModelCorruptError(Sentence("add.no-configuration-in-plans", name=quoted(wanted)))
            found = {**own, **found}
            parent = own.get("inherits_from")
            if parent is None:
                break
            wanted = str(parent)[:100]
        with described_in("plans.json"):
            return Configuration.read(found, f"configurations.{name}")


def read_plans(path: PathLike) -> Plans:
    """Read a plans.json.

    Raises:
        ModelCorruptError: it is missing or not valid; the sentence names the field.
    """
    values = read_object(path, "plans.json")
    with described_in("plans.json"):
        return Plans.read(values, "")


def read_object(path: PathLike, name: str) -> Dict[str, Any]:
    """The JSON object in a file of nnU-Net's.

    Raises:
        ModelCorruptError: missing, too long, no JSON, no object.
    """
    data = read_within(path, MAX_TEXT_BYTES)
    with described_in(name):
        values = read_json(data)
    if not isinstance(values, dict):
        raise ModelCorruptError(Sentence("add.file-wrong", name=name, reason="it must be an object"))
    return values


@contextmanager
def described_in(name: str) -> Iterator[None]:
    """Errors of reading a description name this file instead of model.json."""
    try:
        yield
    except ModelCorruptError as error:
        arguments = getattr(error.sentence, "arguments", {})
        sentence = Sentence("add.file-wrong", name=name, reason=arguments.get("reason", str(error)))
        raise ModelCorruptError(sentence, error.details) from error


def intensity_of(plans: Plans, configuration: Configuration) -> Intensity:
    """How the scan's values become what the network sees.

    Raises:
        ModelError: a normalisation that is not run here.
        ModelCorruptError: the plans lack the numbers it needs.
    """
    name = configuration.normalization_schemes[0]
    scheme = SCHEMES.get(name)
    if scheme is None:
        refuse("add.normalisation", scheme=quoted(name))
    if scheme == "zscore":
        masks = configuration.use_mask_for_norm
        return Intensity(scheme, nonzero=bool(masks and masks[0]))
    if scheme == "none":
        return Intensity(scheme)
    channels = (
        plans.foreground_intensity_properties_per_channel
        or plans.foreground_intensity_properties_by_modality
        or {}
    )
    found = channels.get("0")
    numbers: List[Any] = [found.get(key) if isinstance(found, dict) else None for key in CT_NUMBERS]
    if not all(is_number(number) for number in numbers) or not numbers[2] < numbers[3]:
        reason = f"foreground_intensity_properties_per_channel needs {', '.join(CT_NUMBERS)}"
        raise ModelCorruptError(Sentence("add.file-wrong", name="plans.json", reason=reason))
    mean, std, low, high = (float(number) for number in numbers)
    return Intensity(scheme, clip=(low, high), mean=mean, std=max(std, 1e-8))


CT_NUMBERS = ("mean", "std", "percentile_00_5", "percentile_99_5")
"""What CTNormalization takes from the plans, in HU."""


def preparation_of(configuration: Configuration) -> Preparation:
    """How nnU-Net makes the network's image of a scan, and scores on the scan's grid of its output.

    Raises:
        ModelError: a preprocessing or resampling that is not run here.
    """
    if configuration.preprocessor_name != "DefaultPreprocessor":
        refuse("add.preprocessor", preprocessor=quoted(configuration.preprocessor_name))
    image = _resampling(configuration.resampling_fn_data, configuration.resampling_fn_data_kwargs, 3)
    scores = _resampling(
        configuration.resampling_fn_probabilities, configuration.resampling_fn_probabilities_kwargs, 1
    )
    if (image.separate, image.anisotropy, image.kept) != (scores.separate, scores.anisotropy, scores.kept):
        refuse("add.resampling", resampling="different ways there and back")
    kept = "all" if image.kept else "z" if len(configuration.patch_size) == 2 else "no"
    return Preparation(
        crop="nonzero",
        image_order=image.order, image_order_z=image.order_z,
        scores_order=scores.order, scores_order_z=scores.order_z,
        separate_z=image.separate, anisotropy=image.anisotropy, keep_spacing=kept,
    )  # fmt: skip


@dataclass(frozen=True)
class _Resampling:
    order: int
    order_z: int
    separate: Optional[bool]
    anisotropy: float
    kept: bool = False


def _resampling(function: str, arguments: Mapping[str, Any], usual: int) -> _Resampling:
    """What a resampling function of nnU-Net's and its arguments mean."""
    if function in UNCHANGED:
        return _Resampling(usual, 0, None, ANISOTROPY, True)
    if function in TRILINEAR:
        if arguments.get("mode", "linear") != "linear":
            refuse("add.resampling", resampling=quoted(arguments.get("mode")))
        separate = False if function == TRILINEAR[0] else arguments.get("force_separate_z")
        return _checked(_Resampling(1, 0, separate, _anisotropy(arguments)))
    if function not in SPLINES:
        refuse("add.resampling", resampling=quoted(function))
    order, order_z = arguments.get("order", usual), arguments.get("order_z", 0)
    return _checked(_Resampling(order, order_z, arguments.get("force_separate_z"), _anisotropy(arguments)))


def _anisotropy(arguments: Mapping[str, Any]) -> Any:
    return arguments.get("separate_z_anisotropy_threshold", ANISOTROPY)


def _checked(found: _Resampling) -> _Resampling:
    orders = all(type(order) is int and 0 <= order <= 5 for order in (found.order, found.order_z))
    separate = found.separate is None or isinstance(found.separate, bool)
    if not orders or not separate or not is_number(found.anisotropy) or found.anisotropy <= 0:
        reason = "the arguments of the resampling are not possible"
        raise ModelCorruptError(Sentence("add.file-wrong", name="plans.json", reason=reason))
    return found


def spacing_of(plans: Plans, configuration: Configuration) -> Tuple[float, float, float]:
    """The network's spacing in mm (x, y, z); of a network of two dimensions, across its slices the median of
    the training cases, for information."""
    spacing = [float(step) for step in configuration.spacing]
    if len(spacing) == 2:
        median = plans.original_median_spacing_after_transp
        spacing.insert(0, float(median[0]) if median else spacing[0])
    by_axis = dict(zip(plans.axes, spacing))
    return by_axis["x"], by_axis["y"], by_axis["z"]


def refuse(key: str, **arguments: Any) -> NoReturn:
    """Raise the error that the model needs something that is not run here."""
    raise ModelError(Sentence(key, **arguments))
