"""A recipe: everything that makes a training run, read from YAML and checked before any work starts.

    recipe = read_recipe("bundled-segment", ["training.steps=100"])

A key that is not known, or a value that is not allowed, is an :class:`InputError` that says where it stands.
"""

import difflib
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple, Type, Union, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from LiverSegLib.errors import InputError, LiverSegError
from LiverSegLib.models import Intensity
from LiverSegLib.training.augmentation.options import AugmentationOptions
from LiverSegLib.training.data import DataOptions, PatchOptions, PreparationOptions
from LiverSegLib.training.losses.options import LossOptions
from LiverSegLib.training.methods.options import MethodOptions, SupervisedOptions
from LiverSegLib.training.methods.semi_options import ModalitiesOptions
from LiverSegLib.training.options import Options
from LiverSegLib.training.pack_options import PackOptions
from LiverSegLib.training.run_options import ExportOptions, NetworkOptions, TrainingOptions, ValidationOptions

PACKAGE = Path(__file__).resolve().parents[1]

ONE_PIECE = ("liver", "spleen")
"""Structures of which each result of LiverSeg has the largest connected part alone (``masks/cleanup.py``)."""
DIMENSIONS_ARGUMENT: Dict[str, Optional[str]] = {
    "monai": "spatial_dims", "PlainConvUNet": None, "ResidualEncoderUNet": None
}  # fmt: skip
"""Networks that call the argument ``dimensions`` otherwise, or tell it by their kernels."""

SEARCH = "search-"
"""What the names of searches begin with, which lie beside the ready recipes."""

ON_PACKS = ("keeping", "lesions")
"""Methods that train on packs alone."""

SHORT_FOR = {"loss": "mix", "method": "name", "start": "weights"}
"""Sections that a text may stand for, and the key that it is short for."""


class Recipe(Options):
    """All sections of a recipe."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}[A-Za-z0-9]$")
    description: str = ""
    seed: int = Field(default=0, ge=0)
    structures: Tuple[str, ...] = Field(min_length=1, max_length=100)
    """Names of the network's label values 1, 2, ...; the background is 0."""
    activation: str = Field(default="softmax", pattern="^(softmax|sigmoid)$")
    network: NetworkOptions
    data: DataOptions
    pack: Optional[PackOptions] = None
    """For the layout "pack" only, in place of ``preparation`` and ``augmentation``."""
    preparation: PreparationOptions = Field(default_factory=PreparationOptions)
    patches: PatchOptions
    augmentation: AugmentationOptions = Field(default_factory=AugmentationOptions)
    loss: LossOptions = Field(default_factory=LossOptions)
    method: MethodOptions = Field(default_factory=SupervisedOptions)
    """The way of training; ``methods.registry`` has them by name."""
    training: TrainingOptions
    validation: ValidationOptions = Field(default_factory=ValidationOptions)
    export: ExportOptions = Field(default_factory=ExportOptions)

    @model_validator(mode="after")
    def _agree(self) -> "Recipe":
        if len(set(self.structures)) < len(self.structures):
            raise ValueError("structures names one of them twice")
        if (self.data.layout == "pack") != (self.pack is not None):
            raise ValueError('the section pack belongs to the layout "pack", and to no other')
        if self.pack is not None and self.method.name not in ("supervised", *ON_PACKS):
            raise ValueError(f"the method {self.method.name} trains on data sets, not on a pack")
        if self.method.name in ON_PACKS and self.pack is None:
            raise ValueError(f"the method {self.method.name} trains on a pack")
        for key in ("dimensions", "spatial_dims"):
            if self.network.arguments.get(key, self.dimensions) != self.dimensions:
                raise ValueError(f"patches.size has {self.dimensions} axes, unlike network.arguments.{key}")
        for name in self.validation.largest_component:
            if name not in self.structures:
                raise ValueError(f"validation.largest_component names {name}, which is no structure")
            if name not in ONE_PIECE:
                raise ValueError(
                    f"validation.largest_component takes {' and '.join(ONE_PIECE)}, which LiverSeg keeps in "
                    f"one piece, but not {name}"
                )
        return self

    @property
    def dimensions(self) -> int:
        """2 for slices, 3 for volumes."""
        return len(self.patches.size)

    @property
    def out_channels(self) -> int:
        """Channels of the network: with softmax the background is the first."""
        return len(self.structures) + (self.activation == "softmax")

    @property
    def intensity(self) -> Intensity:
        """How intensities become what the network sees, as a model's manifest says it."""
        if self.pack is not None:
            return self.pack.intensity
        return self.preparation.intensity.for_manifest()

    def for_modality(self, name: str) -> "Recipe":
        """The recipe for images of one modality: its preparation, and no variation that needs HU but for CT.

        It is the same recipe unless the method tells modalities apart.
        """
        if not isinstance(self.method, ModalitiesOptions):
            return self
        return self.changed(
            method={},
            preparation=self.method.preparations.get(name, self.preparation),
            augmentation=self.augmentation if name == "CT" else self.augmentation.changed(ct=None),
            export=self.export.changed(modality=name if name in ("CT", "MR") else "other"),
        )

    def network_arguments(self) -> Dict[str, Any]:
        """The network's arguments with channels and dimensions filled in."""
        filled = {"in_channels": 1, **self.network.arguments, "out_channels": self.out_channels}
        key = DIMENSIONS_ARGUMENT.get(self.network.name.split(".")[0], "dimensions")
        return filled if key is None else {**filled, key: self.dimensions}


def recipes_folder(package: Path = PACKAGE) -> Path:
    """``Resources/Recipes`` inside the package, as pip installs it, or beside it, as in a checkout."""
    inside = package / "Resources" / "Recipes"
    return inside if inside.is_dir() else package.parent / "Resources" / "Recipes"


def ready_recipes() -> Dict[str, Path]:
    """Name -> file of the recipes that come with LiverSeg."""
    return {
        path.stem: path
        for path in sorted(recipes_folder().glob("*.yaml"))
        if not path.stem.startswith(SEARCH)
    }


def read_recipe(name_or_file: Union[str, "os.PathLike[str]"], overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        name_or_file: a .yaml file, or the name of a ready recipe.
        overrides: changes as ``section.key=value``, the value in YAML.

    Raises:
        InputError: there is no such recipe, or it is not valid; the sentence says where.
    """
    path = recipe_file(name_or_file)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe {path} cannot be read.", str(error)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = "" if mark is None else f" at line {mark.line + 1}"
        raise InputError(f"The recipe {path} is not valid YAML{where}.", str(error)) from error
    if not isinstance(content, dict):
        raise InputError(f"The recipe {path} must be a mapping of sections.")
    return check_recipe(overridden(content, overrides))


def recipe_file(name_or_file: Union[str, "os.PathLike[str]"]) -> Path:
    """The file of a recipe that is given by its file or by the name of a ready one.

    Raises:
        InputError: there is none.
    """
    path, ready = Path(name_or_file), ready_recipes()
    if path.is_file():
        return path
    if str(name_or_file) in ready:
        return ready[str(name_or_file)]
    near = difflib.get_close_matches(str(name_or_file), ready, 1)
    hint = f' Did you mean "{near[0]}"?' if near else " `liverseg train --list` names the ready ones."
    raise InputError(f'There is no recipe "{name_or_file}".{hint}')


def overridden(content: Mapping[str, Any], overrides: Sequence[str]) -> Dict[str, Any]:
    """A recipe's plain values with changes.

    Args:
        content: as YAML gives it.
        overrides: ``section.key=value`` each.

    Raises:
        InputError: a change is not of that form, or leads through something that has no keys.
    """
    result: Dict[str, Any] = _copy(content)
    for override in overrides:
        place, equals, text = override.partition("=")
        keys = place.split(".")
        if not equals or not all(key.strip() for key in keys):
            raise InputError(f'A change of the recipe must read section.key=value, not "{override}".')
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f'The value in "{override}" is not valid YAML.', str(error)) from error
        set_value(result, place, value)
    return result


def set_value(content: Dict[str, Any], place: str, value: Any) -> None:
    """Change one of a recipe's plain values in place; sections that are not there are made.

    Raises:
        InputError: the place leads through something that has no keys.
    """
    keys = place.split(".")
    part = content
    for key in keys[:-1]:
        inner = part.get(key)
        if inner is None:
            inner = part[key] = {}
        elif isinstance(inner, str) and key in SHORT_FOR:
            inner = part[key] = {SHORT_FOR[key]: inner}
        if not isinstance(inner, dict):
            raise InputError(f'"{place}" leads nowhere: {key} is a value, no section.')
        part = inner
    part[keys[-1]] = value


def check_recipe(content: Mapping[str, Any]) -> Recipe:
    """Make a recipe of plain values.

    Raises:
        InputError: a key is not known or missing, or a value is not allowed.
    """
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InputError(_sentence(first), str(error)) from error
    except LiverSegError as error:  # a section's own check
        raise InputError(f"The recipe is not valid: {error}", error.details) from error


def dump_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe with every value that it resolved to; :func:`read_recipe` of it gives an equal one."""
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value


def _sentence(error: Mapping[str, Any]) -> str:
    """What is wrong with a recipe, of one of pydantic's errors."""
    keys = _keys(error["loc"])
    place = ".".join(keys)
    if error["type"] == "union_tag_invalid":
        tag, known = error["ctx"]["tag"], error["ctx"]["expected_tags"]
        return f"The recipe's {place} cannot be {tag!r}: it should be {known}."
    if error["type"] == "extra_forbidden":
        section = ".".join(keys[:-1])
        where = f"The recipe's section {section}" if section else "The recipe"
        known = _known_keys([str(key) for key in error["loc"][:-1]])
        near = difflib.get_close_matches(keys[-1], known, 1, 0.4)
        hint = f' Did you mean "{near[0]}"?' if near else f" It has: {', '.join(known)}."
        return f'{where} has no key "{keys[-1]}".{hint}'
    if error["type"] == "missing":
        return f"The recipe lacks {place}."
    if not place or error["type"] == "value_error":
        reason = str(error["msg"]).replace("Value error, ", "")
        return f"The recipe is not valid{' at ' + place if place else ''}: {reason}."
    message = str(error["msg"])
    allowed = message.replace("Input should", "it should").replace("String should", "it should")
    return f"The recipe's {place} cannot be {error['input']!r}: {allowed[:1].lower() + allowed[1:]}."


def _keys(place: Sequence[Union[str, int]]) -> List[str]:
    """The keys that lead to a place; pydantic puts the method's name between the section and its key."""
    keys = [str(key) for key in place]
    return keys[:1] + keys[2:] if keys[:1] == ["method"] else keys


def _known_keys(place: Sequence[str]) -> List[str]:
    """The keys of the section at a place; none where nothing is known of it."""
    sections: List[Type[BaseModel]] = [Recipe]
    for key in place:
        named = [section for section in sections if _method_name(section) == key]
        found = [section.model_fields[key] for section in sections if key in section.model_fields]
        sections = named or [kind for field in found for kind in _sections(field.annotation)]
    return list(dict.fromkeys(key for section in sections for key in section.model_fields))


def _method_name(section: Type[BaseModel]) -> Any:
    field = section.model_fields.get("name")
    return None if field is None else field.default


def _sections(annotation: Any) -> List[Type[BaseModel]]:
    """The sections that a key may hold; several where they are told apart by name."""
    kinds = [annotation, *get_args(annotation)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
