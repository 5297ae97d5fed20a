"""A picture of what augmentation does: patches as they were and as they became, with their labels."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Protocol, Sequence, Tuple

import numpy as np

from LiverSegLib.errors import UsageError, write_failure
from LiverSegLib.labels import LABELS
from LiverSegLib.training.augmentation.build import Augmentation, Sample
from LiverSegLib.training.augmentation.geometry import cut_middle

COLUMNS = 4
"""At most, side by side."""
INCHES = 3.0
"""Width of one patch in the picture."""
DOTS_PER_INCH = 110
SHOWN_PERCENTILES = (0.5, 99.5)
"""Of all voxels of the original patch: black and white of both."""
OTHER_COLOURS = ("#4cc9f0", "#80ed99", "#f72585", "#ff9f1c", "#b8c0ff", "#e0e0e0")
"""Of structures that LiverSeg has no color for, in their order."""


class Samples(Protocol):
    """Items by number, such as ``SampleSet`` has them."""

    def __getitem__(self, index: int) -> Sample: ...

    def __len__(self) -> int: ...


class WithOriginal:
    """An augmentation whose samples keep the patch as it was, under ``original_image`` and
    ``original_label``.
    """

    def __init__(self, augmentation: Augmentation) -> None:
        self._augmentation = augmentation

    def enlarged(self, patch: Sequence[int]) -> Tuple[int, ...]:
        """As the augmentation's own."""
        return self._augmentation.enlarged(patch)

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """The varied sample, and the middle of the crop that it was made of."""
        varied = self._augmentation(sample, rng)
        middle = {name: cut_middle(sample[name], self._augmentation.patch) for name in ("image", "label")}
        return {**varied, "original_image": middle["image"], "original_label": middle["label"]}


@dataclass(frozen=True)
class _Slice:
    """What is drawn of a patch: grey values and labels (y, x), and where it lies."""

    image: np.ndarray
    label: np.ndarray
    place: str


def show_augmentation(samples: Samples, path: Path, count: int, *, structures: Sequence[str]) -> Path:
    """Write a PNG with patches as they were, and below each as it became, with outlines of their labels.

    Of a volume the axial slice with the largest label is shown, of each patch its own. Black and white are
    the same in both.

    Args:
        samples: made with ``WithOriginal(augmentation)``.
        path: of the PNG.
        count: how many samples are shown, the first ones.
        structures: names in the order of the label's values, from 1.

    Returns:
        The path.

    Raises:
        UsageError: ``count`` is below 1, or there is no sample.
        OutputError: the file cannot be written.
    """
    shown = min(count, len(samples))
    if shown < 1:
        raise UsageError("At least one sample must be shown.")
    figure = _figure([samples[index] for index in range(shown)], _colours(structures))
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(unfinished, format="png", dpi=DOTS_PER_INCH, facecolor="black")
        os.replace(unfinished, path)
    except OSError as error:
        raise write_failure(error, path.parent) from error
    return path


def _figure(samples: Sequence[Sample], colours: Mapping[str, Any]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    blocks = -(-len(samples) // COLUMNS)
    columns = -(-len(samples) // blocks)
    step = samples[0]["spacing"].tolist()
    height, width = samples[0]["image"].shape[-2:]
    tall = INCHES * (height * step[1]) / (width * step[0]) + 0.35
    figure = Figure(figsize=(INCHES * columns + 0.4, 2 * blocks * tall + 0.5), layout="constrained")
    axes = figure.subplots(2 * blocks, columns, squeeze=False)
    for each in axes.flat:
        each.set_axis_off()
    for number, sample in enumerate(samples):
        block, column = divmod(number, columns)
        _draw_pair(axes[2 * block, column], axes[2 * block + 1, column], sample, list(colours.values()))
    lines = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    figure.legend(handles=lines, loc="outside lower center", ncols=6, frameon=False, labelcolor="white")
    return figure


def _draw_pair(above: Any, below: Any, sample: Sample, colours: Sequence[Any]) -> None:
    from matplotlib.collections import LineCollection

    before = _slice_of(sample["original_image"], sample["original_label"])
    after = _slice_of(sample["image"], sample["label"])
    low, high = np.percentile(sample["original_image"].numpy(), SHOWN_PERCENTILES)
    step = sample["spacing"].tolist()
    for axis, drawn, title in ((above, before, sample["id"]), (below, after, "augmented")):
        axis.imshow(
            drawn.image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=step[1] / step[0],
            interpolation="nearest",
        )  # fmt: skip
        for value, colour in enumerate(colours, start=1):
            lines = list(_outlines(drawn.label == value))
            axis.add_collection(LineCollection(lines, colors=[colour], linewidths=1.3), autolim=False)
        axis.set_title(f"{title}{drawn.place}", color="white", fontsize=9, pad=3)


def _slice_of(image: Any, label: Any) -> _Slice:
    """The middle channel, of a volume the slice with the largest label (the middle one if there is none)."""
    grey, values = image[image.shape[0] // 2].numpy(), label[0].numpy()
    if grey.ndim == 2:
        return _Slice(grey, values, "")
    areas = (values > 0).sum((1, 2))
    best = int(areas.argmax()) if areas.any() else len(areas) // 2
    return _Slice(grey[best], values[best], f", slice {best + 1} of {len(areas)}")


def _outlines(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Closed lines (n, 2) of (x, y) around the mask, in pixels from the middle of the first pixel."""
    from contourpy import contour_generator

    if mask.any():
        padded = np.pad(mask, 1).astype(np.float32)
        for line in contour_generator(z=padded).lines(0.5):
            yield np.asarray(line) - 1


def _colours(structures: Sequence[str]) -> Dict[str, Any]:
    """Name of each structure -> its color, that of LiverSeg's labels where there is one."""
    own = {info.key: tuple(part / 255 for part in info.colour) for info in LABELS.values()}
    spare: List[str] = list(OTHER_COLOURS)
    colours: Dict[str, Any] = {}
    for number, name in enumerate(structures):
        key = (
            name.lower().replace("_", " ").replace("liver tumour", "tumour").replace("liver tumor", "tumour")
        )
        known: Optional[Any] = own.get(key)
        colours[name] = known if known is not None else spare[number % len(spare)]
    return colours
