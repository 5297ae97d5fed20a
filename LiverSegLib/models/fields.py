"""Objects of model.json as frozen dataclasses: each field carries the rules that its JSON value must keep.

A :class:`JsonObject` reads and writes itself by that table. What is wrong becomes a sentence that names the
field, as ``stages[0].network.name``; keys that no field has are kept in ``extra`` and written back.
"""

import dataclasses
import json
import math
import re
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    NoReturn,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.models.files import MAX_TEXT_BYTES, quoted
from LiverSegLib.sentences import Sentence

MAX_DEPTH = 32
"""Deepest nesting of lists and objects: deeper ones could exhaust the stack of whoever walks them."""

EXTRA = "extra"
"""The field that keeps the keys which no other field has."""

_MAX_DIGITS = 18

Object = TypeVar("Object", bound="JsonObject")


class Rule(NamedTuple):
    """What a value must be, in words that follow "must be", and whether one is."""

    words: str
    holds: Callable[[Any], bool]


TEXT = Rule("text", lambda value: isinstance(value, str) and bool(value.strip()))
TEXT_OR_NOTHING = Rule("text", lambda value: isinstance(value, str))
OBJECT = Rule("an object", lambda value: isinstance(value, dict))
NUMBER = Rule("a number", lambda value: is_number(value))
INTERVAL = Rule(
    "two numbers, the lower first", lambda value: is_list(value, is_number, 2) and value[0] < value[1]
)


def spelt(pattern: "re.Pattern[str]", words: str) -> Rule:
    """Text that a pattern matches from end to end."""
    return Rule(words, lambda value: pattern.fullmatch(value) is not None)


def one_of(*choices: str) -> Rule:
    """One of some texts."""
    return Rule(f"one of {', '.join(choices)}", lambda value: isinstance(value, str) and value in choices)


def whole(least: int) -> Rule:
    """A whole number; bool is an int to Python, not to JSON."""
    return Rule(f"a whole number of at least {least}", lambda value: type(value) is int and value >= least)


def objects(least: int, most: int) -> Rule:
    """A list of objects, which are looked at one by one afterwards."""
    return Rule(
        f"a list of {least} to {most} objects",
        lambda value: isinstance(value, list) and least <= len(value) <= most,
    )


def is_number(value: Any) -> bool:
    """A finite number; bool is an int to Python, not to JSON."""
    return type(value) in (int, float) and math.isfinite(value)


def is_list(value: Any, check: Callable[[Any], bool], *lengths: int) -> bool:
    """A list of such items, of one of the lengths if any are given."""
    return isinstance(value, list) and (not lengths or len(value) in lengths) and all(map(check, value))


def numbers(value: Iterable[float]) -> Tuple[float, ...]:
    """A list of numbers as they are kept."""
    return tuple(float(item) for item in value)


def ruled(
    *rules: Rule,
    read: Callable[[Any], Any] = lambda value: value,
    write: Callable[[Any], Any] = lambda value: value,
    of: Union[Type["JsonObject"], None] = None,
    **default: Any,
) -> Any:
    """A dataclass field.

    Args:
        *rules: What its JSON value must keep; null counts as absent.
        read: From the JSON value to what is kept.
        write: The way back, where JSON does not have what is kept.
        of: It is an object of this class, or a list of them.
        **default: As for ``dataclasses.field``; without, the field must be there.
    """
    return dataclasses.field(metadata={"rules": rules, "read": read, "write": write, "of": of}, **default)


@dataclasses.dataclass(frozen=True)
class JsonObject:
    """Base of the dataclasses whose fields are made by :func:`ruled`, and ``extra`` the last of them."""

    @classmethod
    def read(cls: Type[Object], data: Any, where: str) -> Object:
        """Take a JSON object apart.

        Args:
            data: JSON values.
            where: The object's name in sentences; empty for the whole text.

        Raises:
            ModelCorruptError: A field is missing or wrong.
        """
        if not isinstance(data, dict):
            refuse(f"{where or 'it'} must be an object")
        left = dict(data)
        values: Dict[str, Any] = {}
        for item in dataclasses.fields(cls):
            if item.name == EXTRA:
                continue
            name, value = f"{where}.{item.name}" if where else item.name, left.pop(item.name, None)
            if value is not None:
                values[item.name] = _read_field(item, value, name)
            elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
                refuse(f"{name} is missing")
        made = cls(**values, **{EXTRA: left})
        made.check(where)
        return made

    def check(self, where: str) -> None:
        """Raise ModelCorruptError if the fields contradict each other."""

    def to_dict(self) -> Dict[str, Any]:
        """The object as plain JSON values, without the optional ones that are absent."""
        known = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            optional = item.default == () or item.default_factory is not dataclasses.MISSING
            absent = value is None or (optional and not value)
            if item.name != EXTRA and not absent:
                known[item.name] = _plain(item.metadata["write"](value))
        return {**known, **_plain(getattr(self, EXTRA))}


def read_json(text: Union[str, bytes, bytearray]) -> Any:
    """The JSON values of a text that may be hostile.

    Raises:
        ModelCorruptError: Not JSON, too long, too deep, keys that repeat, numbers without end.
    """
    if len(text) > MAX_TEXT_BYTES:
        refuse(f"it is longer than {MAX_TEXT_BYTES} bytes")
    try:
        data = json.loads(
            text if isinstance(text, str) else bytes(text).decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_int=_short_integer,
            parse_float=_finite_number,
            parse_constant=_finite_number,
        )
        json.dumps(data, ensure_ascii=False).encode("utf-8")  # escapes can make text that no screen can show
    except UnicodeDecodeError as error:
        raise ModelCorruptError(Sentence("model.not-text"), str(error)) from error
    except (ValueError, RecursionError) as error:
        raise ModelCorruptError(Sentence("model.not-json"), str(error)) from error
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in _contents(item)]
    if level:
        refuse(f"it is nested more than {MAX_DEPTH} deep")
    return data


def refuse(reason: str) -> NoReturn:
    """Raise the error that the model's description is wrong."""
    raise ModelCorruptError(Sentence("model.description", reason=reason))


def _read_field(item: "dataclasses.Field[Any]", value: Any, name: str) -> Any:
    for rule in item.metadata["rules"]:
        if not rule.holds(value):
            refuse(f"{name} must be {rule.words}, not {quoted(value)}")
    kind = item.metadata["of"]
    if kind is None:
        return item.metadata["read"](value)
    if isinstance(value, list) and item.metadata["rules"]:
        return tuple(kind.read(entry, f"{name}[{index}]") for index, entry in enumerate(value))
    return kind.read(value, name)


def _plain(value: Any) -> Any:
    """A copy with JSON's own types, so that an argument given as a tuple equals the list that is read
    back."""
    if isinstance(value, JsonObject):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _unique_keys(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    result: Dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            refuse(f"it names {quoted(key)} twice")
        result[key] = value
    return result


def _contents(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _short_integer(digits: str) -> int:
    """Convert an integer of reasonable length: a million digits would take Python 3.9 seconds."""
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        refuse(f"it holds an integer of more than {_MAX_DIGITS} digits")
    return int(digits)


def _finite_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        refuse(f"it holds {quoted(text)}, which is no finite number")
    return value
