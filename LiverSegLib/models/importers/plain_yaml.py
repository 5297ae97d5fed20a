"""A YAML file as plain values: no objects, no aliases, which can grow to billions of values."""

from typing import Any, Dict

from LiverSegLib.errors import ModelCorruptError, ModelError
from LiverSegLib.models.files import MAX_TEXT_BYTES, PathLike, read_within
from LiverSegLib.sentences import Sentence

MAX_DEPTH = 40


def read_yaml_object(path: PathLike, name: str) -> Dict[str, Any]:
    """The mapping in a YAML file.

    Args:
        path: the file.
        name: what sentences call it.

    Raises:
        ModelError: the package PyYAML is not installed.
        ModelCorruptError: missing, too long, no YAML, no mapping, with aliases or tags of a language's own.
    """
    try:
        import yaml
    except ImportError as error:
        raise ModelError(Sentence("add.bundle-yaml", name=name), str(error)) from error
    data = read_within(path, MAX_TEXT_BYTES)
    try:
        text = data.decode("utf-8")
        depth = 0
        for event in yaml.parse(text, yaml.SafeLoader):
            if isinstance(event, yaml.events.AliasEvent):
                raise _wrong(name, "aliases (*name) are not read")
            depth += isinstance(event, yaml.events.CollectionStartEvent)
            depth -= isinstance(event, yaml.events.CollectionEndEvent)
            if depth > MAX_DEPTH:  # what is deeper takes PyYAML minutes
                raise _wrong(name, f"it is nested deeper than {MAX_DEPTH} levels")
        values = yaml.safe_load(text)
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise _wrong(name, "it is no YAML of plain values", str(error)) from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise _wrong(name, "it must be an object")
    return values


def _wrong(name: str, reason: str, details: str = "") -> ModelCorruptError:
    return ModelCorruptError(Sentence("add.file-wrong", name=name, reason=reason), details)
