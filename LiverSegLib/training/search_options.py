"""A search: which recipe, which of its keys may vary and how, how many trials; read from YAML and checked."""

from pathlib import Path
from typing import Any, Dict, List, Literal, Mapping, Sequence, Tuple, Union

import yaml
from pydantic import Field, ValidationError, model_validator

from LiverSegLib.errors import InputError
from LiverSegLib.training.options import Options
from LiverSegLib.training.recipe import (
    SEARCH,
    Recipe,
    check_recipe,
    overridden,
    recipe_file,
    recipes_folder,
    set_value,
)


class Range(Options):
    """Numbers from ``low`` to ``high``; whole ones if both are whole."""

    low: Union[int, float]
    high: Union[int, float]
    log: bool = False
    """Whether each doubling has the same chance, as for learning rates."""

    @model_validator(mode="after")
    def _in_order(self) -> "Range":
        if not self.low < self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("with log, low must be above 0")
        return self


Space = Union[Range, Tuple[Any, ...]]
"""A range, or a list of choices, each of which may be any value of YAML."""


class SearchOptions(Options):
    """All that makes a search.

    A search that was stopped goes on only with what it began with, but for ``trials``.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9]$")
    description: str = ""
    recipe: str
    """A ready recipe's name, or a file."""
    set: Dict[str, Any] = Field(default_factory=dict)
    """``section.key`` -> value: what differs from the recipe, in the best one too."""
    trial: Dict[str, Any] = Field(default_factory=dict)
    """``section.key`` -> value in trials alone: fewer steps, frequent validations."""
    space: Dict[str, Space] = Field(min_length=1)
    """``section.key`` -> what it may be."""
    trials: int = Field(default=20, ge=1)
    seed: int = Field(default=0, ge=0)
    prune: Literal["median", "hyperband", "none"] = "median"
    """How trials are ended early: below the median of the others at the same step, or by Hyperband (Li et al.
    2018, arXiv:1603.06560)."""
    startup: int = Field(default=5, ge=1)
    """Trials that are drawn at random, and not pruned by the median, before the others guide (TPE: Bergstra
    et al. 2011)."""

    @model_validator(mode="after")
    def _each_key_once(self) -> "SearchOptions":
        for key, values in self.space.items():
            if isinstance(values, tuple) and len(values) < 1:
                raise ValueError(f"space.{key} has no choice")
            if key in self.set or key in self.trial:
                raise ValueError(f"{key} is set and searched at once")
        return self


def ready_searches() -> Dict[str, Path]:
    """Name -> file of the searches that come with LiverSeg."""
    return {path.stem: path for path in sorted(recipes_folder().glob(f"{SEARCH}*.yaml"))}


def read_search(name_or_file: str) -> SearchOptions:
    """Read a search.

    Raises:
        InputError: there is no such search, or it is not valid.
    """
    path = ready_searches().get(name_or_file, Path(name_or_file))
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        ready = ", ".join(ready_searches())
        raise InputError(f'There is no search "{name_or_file}". Ready ones: {ready}.') from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"The search {path} cannot be read.", str(error)) from error
    if not isinstance(content, dict):
        raise InputError(f"The search {path} must be a mapping.")
    return check_search(content)


def check_search(content: Mapping[str, Any]) -> SearchOptions:
    """Make a search of plain values.

    Raises:
        InputError: a key is not known or missing, or a value is not allowed.
    """
    try:
        return SearchOptions.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(key) for key in first["loc"])
        reason = str(first["msg"]).replace("Value error, ", "")
        known = ", ".join(SearchOptions.model_fields)
        more = f" It has: {known}." if first["type"] == "extra_forbidden" else ""
        where = f" at {place}" if place else ""
        raise InputError(f"The search is not valid{where}: {reason}.{more}", str(error)) from error


def base_content(options: SearchOptions, changes: Sequence[str] = ()) -> Dict[str, Any]:
    """The plain values of the recipe that is varied, with the search's ``set`` and the user's changes.

    Raises:
        InputError: the recipe is not there or not valid, or a change is not of the form key=value.
    """
    text = recipe_file(options.recipe).read_text(encoding="utf-8")
    content: Dict[str, Any] = yaml.safe_load(text)
    content = with_values(content, options.set)
    content = overridden(content, changes)
    check_recipe(content)
    return content


def with_values(content: Mapping[str, Any], values: Mapping[str, Any]) -> Dict[str, Any]:
    """A recipe's plain values with others, ``section.key`` -> value."""
    result = overridden(content, ())
    for key, value in values.items():
        set_value(result, key, value)
    return result


def trial_recipe(options: SearchOptions, content: Mapping[str, Any], values: Mapping[str, Any]) -> Recipe:
    """The recipe of a trial with its values.

    Raises:
        InputError: the values do not make a valid recipe.
    """
    return check_recipe(with_values(with_values(content, options.trial), values))


def keys_of(options: SearchOptions) -> List[str]:
    """The keys that vary, in their order."""
    return list(options.space)
