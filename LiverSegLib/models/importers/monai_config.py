"""A MONAI bundle's inference.json: what it does to a scan, in our words; nothing in it is run.

MONAI makes objects of such a file: "_target_" names a class that is imported and called, "$..." is Python
code. Here "_target_" is compared with the names below and its arguments are read as plain values; a transform
that is not among them, or an argument that would change what comes out, refuses the bundle by name.
"""

import ast
from dataclasses import dataclass
from typing import Any, List, Mapping, NoReturn, Optional, Sequence, Tuple

from LiverSegLib.errors import ModelError
from LiverSegLib.models.fields import is_number
from LiverSegLib.models.files import quoted
from LiverSegLib.models.stage import Intensity
from LiverSegLib.sentences import Sentence

HARMLESS = {
    "LoadImage", "EnsureChannelFirst", "AddChannel", "AsChannelFirst", "EnsureType", "ToTensor", "CastToType",
    "ToDevice", "Identity", "DeleteItems", "SelectItems",
}  # fmt: skip
"""Transforms that change the form of an image and none of its numbers."""
ORIENTATIONS = ("RAS", "LPS")
IMAGE_ORDERS = {"bilinear": 1, "linear": 1, "trilinear": 1, "nearest": 0}
NO_CLIP_HU = 1e6
"""Clipping at this many HU either way changes no scan."""
MAX_DEPTH = 32
MAX_VALUES = 100_000
"""Values that references may expand to: a few that name each other could make billions."""


@dataclass(frozen=True)
class Chain:
    """What is done to a scan before the network sees it."""

    orientation: str
    spacing: Optional[Tuple[float, float, float]]
    image_order: int
    intensity: Intensity


@dataclass(frozen=True)
class Tiles:
    """How the network is run over an image."""

    patch: Tuple[int, ...]
    preparation: Mapping[str, Any]


class Config:
    """The values of an inference.json by their names.

    Args:
        values: the JSON object.
        name: of the file, for sentences.
    """

    def __init__(self, values: Mapping[str, Any], name: str) -> None:
        self.name = name
        self._values = values
        self._seen = 0

    def part(self, *names: str) -> Any:
        """The first of some parts that is there, resolved.

        Raises:
            ModelError: none is there.
        """
        for name in names:
            if name in self._values:
                return self.resolved(self._values[name], name)
        raise ModelError(Sentence("add.bundle-lacks", name=self.name, part=names[0]))

    def has(self, name: str) -> bool:
        """Whether there is such a part."""
        return name in self._values

    def resolved(self, value: Any, place: str, depth: int = 0) -> Any:
        """A value with its references ("@name", "@name#0#key") replaced by what they name.

        Raises:
            ModelError: it needs Python code to be run, or names nothing.
        """
        self._seen += 1
        if depth > MAX_DEPTH or self._seen > MAX_VALUES:
            raise ModelError(Sentence("add.bundle-lacks", name=self.name, part=quoted(place)))
        if isinstance(value, str) and value.startswith("$"):
            try:
                return ast.literal_eval(value[1:].strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                code = {"part": quoted(place), "code": quoted(value)}
                raise ModelError(Sentence("add.bundle-expression", name=self.name, **code)) from None
        if isinstance(value, str) and value.startswith("@"):
            return self.resolved(self._named(value[1:]), value, depth + 1)
        if isinstance(value, dict):
            return {key: self.resolved(item, f"{place}#{key}", depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolved(item, place, depth + 1) for item in value]
        return value

    def _named(self, path: str) -> Any:
        found: Any = self._values
        for key in path.replace("::", "#").split("#"):
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise ModelError(Sentence("add.bundle-lacks", name=self.name, part=quoted(path)))
        return found


def target_of(value: Any) -> str:
    """The class that an object of the file asks for, without its module; empty if it asks for none."""
    target = value.get("_target_") if isinstance(value, dict) else None
    return target.rpartition(".")[2] if isinstance(target, str) else ""


def transforms_of(config: Config, *names: str) -> List[Mapping[str, Any]]:
    """The transforms of a chain that are not disabled.

    Raises:
        ModelError: it is no list of transforms.
    """
    chain = config.part(*names)
    if target_of(chain) == "Compose":
        chain = chain.get("transforms")
    if not isinstance(chain, list) or not all(target_of(item) for item in chain):
        raise ModelError(Sentence("add.bundle-lacks", name=config.name, part=names[0]))
    return [item for item in chain if item.get("_disabled_", False) is False]


def read_chain(transforms: Sequence[Mapping[str, Any]]) -> Chain:
    """What transforms do to a scan, in the order in which LiverSeg does it: orientation, spacing, intensity.

    Raises:
        ModelError: one of them is not run here, or stands in another order.
    """
    orientation, intensity = "stored", Intensity("none")
    spacing: Optional[Tuple[float, float, float]] = None
    order, done = 1, 0
    for item in transforms:
        name = _plain(target_of(item))
        if name in HARMLESS:
            continue
        rank = {"Orientation": 1, "Spacing": 2, "ScaleIntensityRange": 3, "NormalizeIntensity": 3}.get(name)
        if rank is None:
            _no(target_of(item), "it is none of those that are known")
        if rank <= done:
            _no(name, "orientation, spacing and one change of intensities come in this order")
        done = rank
        if rank == 1:
            orientation = _orientation(item)
        elif rank == 2:
            spacing, order = _spacing(item)
        else:
            intensity = _window(item) if name == "ScaleIntensityRange" else _normalised(item)
    return Chain(orientation, spacing, order, intensity)


def read_tiles(inferer: Any, chain: Chain, scores_order: int) -> Tiles:
    """How a sliding-window inferer runs the network.

    Raises:
        ModelError: it is another inferer, or has settings that are not run here.
    """
    name = target_of(inferer)
    if name != "SlidingWindowInferer":
        raise ModelError(
            Sentence("add.bundle-inferer", inferer=name or quoted(inferer), reason="it is not known")
        )

    def refuse(reason: str) -> NoReturn:
        raise ModelError(Sentence("add.bundle-inferer", inferer=name, reason=reason))

    patch, overlap = inferer.get("roi_size"), inferer.get("overlap", 0.25)
    if not isinstance(patch, list) or len(patch) != 3 or not all(type(n) is int and n > 0 for n in patch):
        refuse(f"roi_size is {quoted(patch)}, not three whole numbers above 0")
    if not is_number(overlap) or not 0 <= overlap < 1:
        refuse(f"overlap is {quoted(overlap)}")
    usual = {"padding_mode": "constant", "cval": 0.0, "sigma_scale": 0.125, "roi_weight_map": None}
    for key, value in usual.items():
        if inferer.get(key, value) != value:
            refuse(f"{key} is {quoted(inferer[key])}, not {value}")
    mode = inferer.get("mode", "constant")
    if mode not in ("constant", "gaussian"):
        refuse(f"mode is {quoted(mode)}")
    return Tiles(
        tuple(patch),
        {
            "crop": "none", "image_order": chain.image_order, "scores_order": scores_order,
            "keep_spacing": "all" if chain.spacing is None else "no", "tile_step": 1.0 - overlap,
            "blend": mode,
        },
    )  # fmt: skip


def read_output(transforms: Sequence[Mapping[str, Any]]) -> Tuple[str, int]:
    """The activation, and the order in which scores are resampled back to the scan.

    Raises:
        ModelError: it does not say how scores become labels.
    """
    activation, order = "", 1
    for item in transforms:
        name = _plain(target_of(item))
        if name == "Activations" and item.get("softmax"):
            activation = "softmax"
        elif name == "Activations" and item.get("sigmoid"):
            activation = "sigmoid"
        elif name == "AsDiscrete":
            activation = activation or ("softmax" if item.get("argmax") else "")
            if item.get("threshold") not in (None, 0.5, True) and not item.get("argmax"):
                raise ModelError(Sentence("add.bundle-output", reason=f"threshold {item['threshold']!r}"))
        elif name == "Invert":
            order = 0 if item.get("nearest_interp", True) is True else 1
        elif name == "KeepLargestConnectedComponent":
            continue  # LiverSeg cleans up by its own rules
    if not activation:
        raise ModelError(Sentence("add.bundle-output", reason="neither softmax, sigmoid nor argmax"))
    return activation, order


def _orientation(item: Mapping[str, Any]) -> str:
    codes = item.get("axcodes")
    if codes not in ORIENTATIONS:
        _no("Orientation", f"axcodes is {quoted(codes)}, not {' or '.join(ORIENTATIONS)}")
    return str(codes)


def _spacing(item: Mapping[str, Any]) -> Tuple[Tuple[float, float, float], int]:
    steps, mode = item.get("pixdim"), item.get("mode", "bilinear")
    if not isinstance(steps, list) or len(steps) != 3 or not all(is_number(n) and n > 0 for n in steps):
        _no("Spacing", f"pixdim is {quoted(steps)}, not three numbers above 0")
    mode = mode[0] if isinstance(mode, list) and len(mode) == 1 else mode
    if mode not in IMAGE_ORDERS:
        _no("Spacing", f"mode is {quoted(mode)}, not one of {', '.join(IMAGE_ORDERS)}")
    for key in ("align_corners", "scale_extent", "recompute_affine"):
        if item.get(key) not in (None, False, [False]):
            _no("Spacing", f"{key} is {quoted(item[key])}")
    x, y, z = (float(step) for step in steps)
    return (x, y, z), IMAGE_ORDERS[mode]


def _window(item: Mapping[str, Any]) -> Intensity:
    """ScaleIntensityRange: a window mapped onto a range, cut off outside it or not."""
    given: List[Any] = [item.get(key) for key in ("a_min", "a_max", "b_min", "b_max")]
    low, high, bottom, top = given
    if not all(map(is_number, given)) or not (low < high and bottom < top):
        _no("ScaleIntensityRange", f"a_min, a_max, b_min and b_max are {quoted(given)}")
    if item.get("clip", False) is True:
        return Intensity("window", window=(low, high), scale=(bottom, top))
    std = (high - low) / (top - bottom)
    return _shifted(low - bottom * std, std)


def _normalised(item: Mapping[str, Any]) -> Intensity:
    """NormalizeIntensity: by given numbers, or by the image's own mean and deviation."""
    if item.get("nonzero", False) is not False:
        _no("NormalizeIntensity", "nonzero leaves out voxels of 0 HU, which lie in every organ")
    given: List[Any] = [item.get("subtrahend"), item.get("divisor")]
    shift, divisor = given
    if shift is None and divisor is None:
        return Intensity("zscore", nonzero=False)
    if not is_number(shift) or not is_number(divisor) or divisor <= 0:
        _no("NormalizeIntensity", f"subtrahend and divisor are {quoted(given)}")
    return _shifted(shift, divisor)


def _shifted(mean: float, std: float) -> Intensity:
    return Intensity("ct-percentile", clip=(-NO_CLIP_HU, NO_CLIP_HU), mean=float(mean), std=float(std))


def _plain(name: str) -> str:
    """The name of a transform whose dictionary form ends with d, D or Dict."""
    for ending in ("Dict", "d", "D"):
        if name.endswith(ending):
            return name[: -len(ending)]
    return name


def _no(transform: str, reason: str) -> NoReturn:
    raise ModelError(Sentence("add.bundle-transform", transform=transform or "something", reason=reason))
