"""Plain data out of a pickle that may be hostile: nothing in it is looked up, called or run.

PyTorch writes a checkpoint as a pickle, a small program for a stack machine that may import and call
anything. Here its instructions are read (by the standard library's ``pickletools``) and followed on plain
data only; where the program names a class or a function, the name is looked up in a table of ours, whose
entries make plain values. Any other name refuses the file. So no version of PyTorch, nor whatever gaps its
own reader has, decides how safe this is.
"""

import io
import pickletools
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, NoReturn, Optional

from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.models.files import quoted
from LiverSegLib.sentences import Sentence

MAX_INSTRUCTIONS = 5_000_000
"""Most instructions of one pickle: a checkpoint of a thousand epochs and its optimizer has some hundred
thousand."""
MAX_BYTES = 64 * 1024**2
"""Longest pickle: a checkpoint's numbers lie beside it."""

MAX_LINE = 1000
"""Bytes of a line: names, and numbers written in digits."""

Maker = Callable[..., Any]


class _Mark:
    """Where on the stack the items of a list, tuple or dict begin."""


@dataclass(frozen=True)
class Named:
    """A class or function of the table, not yet called."""

    name: str
    make: Maker


@dataclass(frozen=True)
class Inert:
    """An object that we have no use for: its name, and nothing of what it would be."""

    name: str


class Attributes(Dict[str, Any]):
    """Attributes of an object by name: what a TorchScript file keeps of a network and of its parts."""


def read_pickle(data: bytes, table: Mapping[str, Maker], persistent: Callable[[Any], Any], name: str) -> Any:
    """The value that a pickle describes.

    Args:
        data: the pickle.
        table: "module.name" -> what makes a plain value of its arguments.
        persistent: makes a value of a persistent identifier, as PyTorch has them for tensors' storages.
        name: the file's name, for sentences.

    Raises:
        ModelCorruptError: it names something that is not in the table, it is damaged, or too long.
    """
    if len(data) > MAX_BYTES:
        raise ModelCorruptError(Sentence("add.checkpoint-damaged", name=name), f"{len(data)} bytes of pickle")
    machine = _Machine(table, persistent, name)
    try:
        for count, (instruction, argument, _) in enumerate(pickletools.genops(_ShortLines(data))):
            if count > MAX_INSTRUCTIONS:
                machine.damaged("too many instructions")
            step = STEPS.get(instruction.name)
            if step is None:
                machine.damaged(f"the instruction {instruction.name}")
            step(machine, argument)
        return machine.result()
    except (
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        details = f"{type(error).__name__}: {quoted(str(error))}"
        raise ModelCorruptError(Sentence("add.checkpoint-damaged", name=name), details) from error


class _ShortLines(io.BytesIO):
    """A stream whose lines are short: Python 3.9 needs hours for a number of a million digits."""

    def readline(self, size: Optional[int] = -1, /) -> bytes:
        line = super().readline(MAX_LINE)
        if len(line) == MAX_LINE:
            raise ValueError("a line is too long")
        return line


class _Machine:
    """The stack and the memory of a pickle's program, with plain data on them."""

    def __init__(self, table: Mapping[str, Maker], persistent: Callable[[Any], Any], name: str) -> None:
        self.stack: List[Any] = []
        self.memory: Dict[int, Any] = {}
        self.table, self.persistent, self.name = table, persistent, name

    def result(self) -> Any:
        if len(self.stack) != 1:
            self.damaged("it does not end with one value")
        return self.stack[0]

    def after_mark(self) -> List[Any]:
        """The items since the last mark, which leave the stack with it."""
        for start in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[start], _Mark):
                items = self.stack[start + 1 :]
                del self.stack[start:]
                return items
        self.damaged("no mark")

    def look_up(self, name: str) -> None:
        make = self.table.get(name)
        if make is None:
            sentence = Sentence("add.checkpoint-runs-code", name=self.name, wanted=quoted(name))
            raise ModelCorruptError(sentence, f"refused: {quoted(name)}")
        self.stack.append(Named(name, make))

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, Named) or not isinstance(arguments, tuple):
            self.damaged("a call of what is no function")
        self.stack.append(function.make(*arguments))

    def set_items(self, items: List[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2]):
                target[_key(key)] = value

    def append(self, items: List[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)

    def damaged(self, why: str) -> NoReturn:
        raise ModelCorruptError(Sentence("add.checkpoint-damaged", name=self.name), why)


def _key(key: Any) -> Any:
    """A dict's key; to hash nested tuples could take for ever."""
    if not isinstance(key, (str, int, float, type(None))):
        raise ValueError("an odd key")
    return key


Step = Callable[[_Machine, Any], None]


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _constant(value: Any) -> Step:
    return lambda machine, _: machine.stack.append(value)


def _fresh(kind: Callable[[], Any]) -> Step:
    return lambda machine, _: machine.stack.append(kind())


def _tuple_of(count: int) -> Step:
    def step(machine: _Machine, _: Any) -> None:
        items = tuple(machine.stack[-count:])
        if len(items) < count:
            machine.damaged("the stack is empty")
        del machine.stack[-count:]
        machine.stack.append(items)

    return step


def _put(machine: _Machine, argument: Optional[int]) -> None:
    machine.memory[len(machine.memory) if argument is None else int(argument)] = machine.stack[-1]


def _get(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memory[int(argument)])


def _global(machine: _Machine, argument: Any) -> None:
    module, _, name = str(argument).partition(" ")
    machine.look_up(f"{module}.{name}")


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        machine.damaged("a name that is no text")
    machine.look_up(f"{module}.{name}")


def _marked(make: Callable[[List[Any]], Any]) -> Step:
    return lambda machine, _: machine.stack.append(make(machine.after_mark()))


def _pairs(items: List[Any]) -> Dict[Any, Any]:
    return {_key(key): value for key, value in zip(items[::2], items[1::2])}


def _set_item(machine: _Machine, _: Any) -> None:
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items([key, value])


def _append_one(machine: _Machine, _: Any) -> None:
    item = machine.stack.pop()
    machine.append([item])


def _persistent(machine: _Machine, _: Any) -> None:
    machine.stack.append(machine.persistent(machine.stack.pop()))


def _drop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


def _build(machine: _Machine, _: Any) -> None:
    """The state of an object: only those that are nothing but their attributes have one for us."""
    state = machine.stack.pop()
    target = machine.stack[-1]
    if isinstance(target, Attributes) and isinstance(state, dict):
        target.update(state)


STEPS: Mapping[str, Step] = {
    "PROTO": lambda machine, _: None, "FRAME": lambda machine, _: None, "STOP": lambda machine, _: None,
    "MARK": _fresh(_Mark),
    "NONE": _constant(None), "NEWTRUE": _constant(True), "NEWFALSE": _constant(False),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
         "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BINSTRING", "SHORT_BINSTRING"), _push),
    "EMPTY_DICT": _fresh(dict), "EMPTY_LIST": _fresh(list), "EMPTY_TUPLE": _fresh(tuple),
    "EMPTY_SET": _fresh(list),
    "DICT": _marked(_pairs), "LIST": _marked(list), "TUPLE": _marked(tuple), "FROZENSET": _marked(list),
    "TUPLE1": _tuple_of(1), "TUPLE2": _tuple_of(2), "TUPLE3": _tuple_of(3),
    "PUT": _put, "BINPUT": _put, "LONG_BINPUT": _put, "MEMOIZE": _put,
    "GET": _get, "BINGET": _get, "LONG_BINGET": _get,
    "GLOBAL": _global, "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda machine, _: machine.call(), "NEWOBJ": lambda machine, _: machine.call(),
    "BUILD": _build,
    "SETITEM": _set_item, "SETITEMS": lambda machine, _: machine.set_items(machine.after_mark()),
    "APPEND": _append_one, "APPENDS": lambda machine, _: machine.append(machine.after_mark()),
    "ADDITEMS": lambda machine, _: machine.append(machine.after_mark()),
    "BINPERSID": _persistent, "POP": _drop,
}  # fmt: skip
"""Name of an instruction -> what it does to the stack. A pickle with any other is refused."""
