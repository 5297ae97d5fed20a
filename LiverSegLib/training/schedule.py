"""The learning rate over the steps, as a factor of the recipe's rate."""

import math

from LiverSegLib.training.run_options import TrainingOptions

ONE_CYCLE_RISE = 0.3
ONE_CYCLE_START = 0.04
ONE_CYCLE_END = 4e-6
"""Share of the steps in which the rate rises, and the factors at both ends: PyTorch's defaults."""


def rate_factor(options: TrainingOptions, step: int) -> float:
    """The factor of the learning rate at a step, from 0 on; in closed form, so that it resumes exactly."""
    warm = min(1.0, (step + 1) / max(1, options.warmup))
    return warm * _after_warmup(options, step)


def _after_warmup(options: TrainingOptions, step: int) -> float:
    steps = options.steps
    done = min(1.0, step / steps)
    if options.schedule == "poly":
        return float((1 - done) ** options.power)
    if options.schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    if options.schedule == "one-cycle":
        if done < ONE_CYCLE_RISE:
            return _wave(ONE_CYCLE_START, 1.0, done / ONE_CYCLE_RISE)
        return _wave(1.0, ONE_CYCLE_END, (done - ONE_CYCLE_RISE) / (1 - ONE_CYCLE_RISE))
    if options.schedule == "linear-end":
        left = (steps - step) / max(1.0, options.decay * steps)
        return max(0.0, min(1.0, left))
    return 1.0


def _wave(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
