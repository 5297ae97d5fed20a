"""Training of the small networks of LiverSegLib.correct on voxels near simulated clicks."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from correct_clicks import Click
from scipy import ndimage, optimize

from LiverSegLib.correct.features import Values, features
from LiverSegLib.correct.local import Local
from LiverSegLib.correct.perceptron import Layer, Perceptrons, kind_of, stacked

SAMPLES = 250
"""At most so many voxels of a click are taken of each of three sorts: to change, near those, and the rest."""
NEAR_MM = 8.0
SMALL_MM3 = 500.0
"""An error much smaller than this weighs less: what matters is the volume made wrong by that put right."""
PROJECT_WEIGHT = 0.6
"""Weight of what no expert drew beside what one drew."""
BATCH = 2048
RATE = 8e-3
FLATTEST = 0.12
"""A feature that hardly varies is not stretched further than to this share of its range."""
NETWORK = "network"
"""Names of features of the network's probability hold this word."""


@dataclass(frozen=True)
class Recipe:
    """How the networks of one kind of action are made.

    Attributes:
        hidden: widths of the hidden layers; none makes a logistic function.
        dropout: share of the inputs left out at a time.
        decay: weight decay.
        sees: names of features; None: all but the network's probability, for the network has seen the lesions
            of the training patients, so that on them it tells more than on others.
    """

    hidden: Tuple[int, ...]
    dropout: float
    decay: float
    sees: Optional[Tuple[str, ...]] = None
    epochs: int = 6

    def seen(self, names: Sequence[str]) -> np.ndarray:
        """Return which of the features are seen, bool."""
        return np.array([NETWORK not in name if self.sees is None else name in self.sees for name in names])


ORGAN = (
    "unlike", "contrast", "histogram", "network", "no network", "distance", "far", "farther", "depth",
    "shallow",
)  # fmt: skip
RECIPES = {
    "tumor add": Recipe((64, 32), 0.15, 0.05),
    "tumor remove": Recipe((48, 24), 0.15, 0.05),
    "organ add": Recipe((), 0.0, 0.0, ORGAN, 30),
    "organ remove": Recipe((), 0.0, 0.0, ORGAN, 30),
}
"""Networks with hidden layers correct organs of patients left out no better than logistic functions do; these
are fitted to the errors of the model alone and to what lies near: far from the click they may be wrong."""
ORGAN_FAR = 2.9
"""Feature "distance" (cm) up to which organs are learnt."""
ORGAN_FARTHER = 4.0
"""Feature "farther" (sizes of the error) up to which organs are learnt."""


@dataclass(frozen=True)
class Samples:
    """Voxels: features (n, len(names)), whether they are to change, their weight, and whose they are."""

    names: Tuple[str, ...]
    inputs: np.ndarray
    change: np.ndarray
    weight: np.ndarray
    patient: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> "Samples":
        return replace(
            self, inputs=self.inputs[chosen], change=self.change[chosen], weight=self.weight[chosen],
            patient=self.patient[chosen],
        )  # fmt: skip


def sampled(clicks: Iterable[Click], rng: np.random.Generator) -> Dict[str, Samples]:
    """Return samples of clicks by the kind of action, with and without what the network told."""
    found: Dict[str, List[Tuple[Any, ...]]] = {}
    names: Tuple[str, ...] = ()
    for packed in clicks:
        if packed.local.target != "tumor" and packed.origin != "model":
            continue
        click = packed.unpacked()
        values = features(click.local)
        names = tuple(values)
        seen = [values] if click.local.network is None else [values, _without_network(values)]
        for version in seen:
            where, weight = _chosen(click, values, rng)
            rows = stacked(version, names, where).astype(np.float16)
            whose = np.full(len(rows), click.patient)
            parts = (rows, click.change[where], weight[where] / np.float32(len(seen)), whose)
            found.setdefault(kind_of(click.local), []).append(parts)
    return {
        kind: Samples(names, *(np.concatenate(part) for part in zip(*parts))) for kind, parts in found.items()
    }


def _without_network(values: Dict[str, Values]) -> Dict[str, Values]:
    hidden: Dict[str, Values] = {name: 0.0 for name in values if NETWORK in name}
    return {**values, **hidden, "no network": 1.0}


def _chosen(
    click: Click, values: Dict[str, Values], rng: np.random.Generator
) -> Tuple[np.ndarray, np.ndarray]:
    """Return which voxels (z, y, x) of a click are taken, and their weights."""
    local: Local = click.local
    judged, distance = local.free & click.counts, np.asarray(values["distance"])
    if local.target != "tumor":
        judged &= (distance < ORGAN_FAR) & (np.asarray(values["farther"]) < ORGAN_FARTHER)
    right = judged & click.change
    near = judged & ~right & (distance < 1.0)
    if right.any():
        near |= judged & ~right & (ndimage.distance_transform_edt(~right, sampling=local.spacing) < NEAR_MM)
    where, weight = np.zeros(right.shape, bool), np.zeros(right.shape, np.float32)
    block = float(np.prod(local.spacing))
    whole = (1.0 if click.expert else PROJECT_WEIGHT) * block / (np.count_nonzero(right) * block + SMALL_MM3)
    for sort in (right, near, judged & ~right & ~near):
        places = np.flatnonzero(sort)
        if places.size:
            taken = rng.choice(places, min(SAMPLES, places.size), replace=False)
            where.ravel()[taken] = True
            weight.ravel()[taken] = whole * places.size / taken.size
    return where, weight


def trained(samples: Samples, recipe: Recipe, seeds: Sequence[int]) -> Perceptrons:
    """Return networks that tell whether voxels are to change, one for each seed."""
    seen = recipe.seen(samples.names)
    samples = replace(
        samples, names=tuple(np.array(samples.names)[seen].tolist()), inputs=samples.inputs[:, seen]
    )
    members = tuple(_member(samples, recipe, seed) for seed in (seeds if recipe.hidden else seeds[:1]))
    networks = Perceptrons(samples.names, members)
    slope, step = _calibration(networks.logits(samples.inputs.astype(np.float32)), samples)
    scaled = tuple(
        (*layers[:-1], (layers[-1][0] * slope, layers[-1][1] * slope + step)) for layers in members
    )
    return Perceptrons(samples.names, scaled)


def _member(samples: Samples, recipe: Recipe, seed: int) -> Tuple[Layer, ...]:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    inputs = samples.inputs.astype(np.float32)
    middle = inputs.mean(0)
    scale = np.maximum(inputs.std(0), FLATTEST * np.ptp(inputs, axis=0))
    scale = (1 / np.where(scale > 1e-4, scale, np.inf)).astype(np.float32)
    normal = torch.from_numpy((inputs - middle) * scale)
    network = _layers(inputs.shape[1], recipe.hidden)
    # Voxels are drawn by their weight: weighting the loss instead makes its steps too uneven to converge.
    share = samples.weight.astype(float) / samples.weight.sum(dtype=float)
    for batch, optimizer in _steps(network, recipe, share, rng):
        rows = normal[batch]
        rows = rows * (torch.rand(rows.shape) >= recipe.dropout)
        wanted = torch.from_numpy(samples.change[batch].astype(np.float32))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(network(rows)[:, 0], wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    layers = [
        (layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy())
        for layer in network
        if isinstance(layer, torch.nn.Linear)
    ]
    weights, biases = layers[0]
    layers[0] = (weights * scale[:, None], biases - (middle * scale) @ weights)
    return tuple(layers)


def _layers(inputs: int, hidden: Sequence[int]) -> torch.nn.Sequential:
    widths = (inputs, *hidden)
    layers: List[torch.nn.Module] = []
    for width, following in zip(widths, widths[1:]):
        layers += [torch.nn.Linear(width, following), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], 1))


def _steps(
    network: torch.nn.Module, recipe: Recipe, share: np.ndarray, rng: np.random.Generator
) -> Iterator[Tuple[np.ndarray, torch.optim.Optimizer]]:
    """Yield the voxels of each batch, and the optimizer to step."""
    count = max(10, recipe.epochs * len(share) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=count + 1, pct_start=0.2)
    ends = np.cumsum(share)
    for _ in range(count):
        yield np.minimum(np.searchsorted(ends, rng.random(BATCH)), len(share) - 1), optimizer
        schedule.step()


def _calibration(logits: np.ndarray, samples: Samples) -> Tuple[np.float32, np.float32]:
    """Return the factor and the addend of logits that make the probabilities fit the weighted samples."""
    sign = np.where(samples.change, 1.0, -1.0)
    weight = samples.weight / samples.weight.sum(dtype=float)

    def loss(line: np.ndarray) -> Tuple[float, np.ndarray]:
        margin = sign * (line[0] * logits + line[1])
        pull = -weight * sign / (1 + np.exp(np.clip(margin, -40, 40)))
        return float((weight * np.logaddexp(0, -margin)).sum()), np.array([(pull * logits).sum(), pull.sum()])

    slope, step = optimize.minimize(loss, [1.0, 0.0], jac=True).x
    return np.float32(slope), np.float32(step)


def arrays_of(networks: Dict[str, Perceptrons]) -> Dict[str, np.ndarray]:
    """Return the arrays that ``perceptron.unpacked`` reads, half precision."""
    arrays: Dict[str, np.ndarray] = {}
    for kind, one in networks.items():
        arrays[f"{kind}/names"] = np.array(one.names)
        for number, layers in enumerate(one.members):
            for depth, (weights, biases) in enumerate(layers):
                arrays[f"{kind}/{number}/{depth}/weights"] = weights.astype(np.float16)
                arrays[f"{kind}/{number}/{depth}/biases"] = biases.astype(np.float16)
    return arrays
