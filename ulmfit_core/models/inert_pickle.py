"""Reads pickles as data: nothing that a pickle names is imported, looked up or called.

A pickle is a program for a small stack machine. Python's own machine runs it by importing what the pickle names
and calling it, which is how a pickle comes to run code. The machine here does neither. `pickletools` (the standard
library's disassembler) cuts the bytes into opcodes; a name (GLOBAL) stays a pair of strings; "call this" (REDUCE,
NEWOBJ) and "fill this" (BUILD) make a `Record` of what was asked for. An opcode that is not in the tables below,
or a name that the caller does not expect, ends the reading with a sentence. Values are None, booleans, numbers,
strings, bytes, lists, tuples, dicts and records, never larger than the file that they come from.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import IO, Any

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY: dict[str, type] = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict}
LITERALS = {
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
}  # fmt: skip
SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
MEANINGLESS = {"PROTO", "FRAME"}
DICTIONARIES = {("collections", "OrderedDict"), ("collections", "defaultdict")}

# A vocabulary takes two for each word; a step makes less than a hundred bytes that are not in the file.
MOST_STEPS = 2_000_000
# Names that begin so belong to objects with behaviour, not to weights.
OBJECTS = ("fastai.", "fastai2.", "torch.nn.", "functools.", "__main__.")

Name = tuple[str, str]  # module, name


@dataclass
class Global:
    """A name that the pickle mentions."""

    name: Name


@dataclass
class Record:
    """What the pickle asks to have made: `name` called with `arguments`, then filled with `state`."""

    name: Name
    arguments: tuple[Any, ...]
    state: Any = None


@dataclass
class Reference:
    """What the pickle asks its reader to supply (BINPERSID), such as a storage of a tensor."""

    facts: Any


class Unexpected(Exception):
    """The pickle mentions a name that its kind of file has no use for."""

    def __init__(self, name: Name):
        super().__init__(".".join(name))
        self.name = name


def refusal(file_name: str, name: Name) -> str:
    """What a person is told of a file with an unexpected name, and what to do."""
    address = ".".join(name)
    if not address.startswith(OBJECTS):
        return f"{file_name} names {address}, which is no part of weights or words and may run code. It is not opened."
    return (
        f"{file_name} is a whole program object (it names {address}), as learn.export writes it. Opening it can run "
        "any code, so it is not opened. In fastai, save the weights with learn.save or learn.save_encoder and the "
        "vocabulary with save_pickle('vocab.pkl', learn.dls.vocab), and import these two files."
    )


def read(file: IO[bytes], expected: set[Name]) -> Any:
    """The value of the pickle that begins at the file's position, which moves to its end.

    Raises Unexpected for a name that is not `expected`, ValueError where the bytes are no pickle of plain values.
    """
    machine = _Machine(expected)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if count > MOST_STEPS:
                raise ValueError("the pickle is longer than any of weights or words")
            if opcode.name == "STOP":
                return machine.pop()
            machine.step(opcode.name, argument)
    except (IndexError, KeyError) as error:  # an empty stack, an empty place of the memo
        raise ValueError(f"the pickle is damaged ({error!r})") from None
    raise ValueError("the pickle has no end")


class _Machine:
    def __init__(self, expected: set[Name]):
        self._expected = expected
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # what lies under each mark
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self._stack.pop()

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in LITERALS:
            self._stack.append(argument)
        elif opcode in CONSTANTS:
            self._stack.append(CONSTANTS[opcode])
        elif opcode in EMPTY:
            self._stack.append(EMPTY[opcode]())
        elif opcode in SHORT_TUPLES:
            self._stack.append(tuple(self._take(SHORT_TUPLES[opcode])))
        elif opcode not in MEANINGLESS:
            handler = getattr(self, f"_{opcode.lower()}", None)  # INST, OBJ, EXT, PERSID and DUP have none
            if handler is None:
                raise ValueError(f"the pickle uses {opcode}, which plain values do not need")
            handler(argument)

    def _take(self, count: int) -> list[Any]:
        """The topmost values, off the stack."""
        if len(self._stack) < count:
            raise IndexError("stack")
        taken = self._stack[-count:]
        del self._stack[-count:]
        return taken

    # Marks: what follows one belongs together.

    def _mark(self, _: Any) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _pop_mark(self, _: Any = None) -> list[Any]:
        marked, self._stack = self._stack, self._below.pop()
        return marked

    def _tuple(self, _: Any) -> None:
        marked = self._pop_mark()
        self._stack.append(tuple(marked))

    def _list(self, _: Any) -> None:
        marked = self._pop_mark()
        self._stack.append(marked)

    def _dict(self, _: Any) -> None:
        marked = self._pop_mark()
        self._stack.append({})
        self._fill(marked)

    def _appends(self, _: Any) -> None:
        self._extend(self._pop_mark())

    def _append(self, _: Any) -> None:
        self._extend(self._take(1))

    def _setitems(self, _: Any) -> None:
        self._fill(self._pop_mark())

    def _setitem(self, _: Any) -> None:
        self._fill(self._take(2))

    def _extend(self, values: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise ValueError("the pickle appends to what is no list")
        self._stack[-1].extend(values)

    def _fill(self, flat: list[Any]) -> None:
        """Key, value, key, value ... into the dict on top. Keys are plain, so that hashing them is quick."""
        target, keys = self._stack[-1], flat[::2]
        if not isinstance(target, dict) or not all(isinstance(key, (str, int, float)) for key in keys):
            raise ValueError("the pickle fills what is no plain dict")
        target.update(zip(keys, flat[1::2], strict=True))

    # The memo, and the stack's own moves.

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    _binput = _long_binput = _put

    def _memoize(self, _: Any) -> None:
        self._put(len(self._memo))

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    _binget = _long_binget = _get

    def _pop(self, _: Any) -> None:
        self._take(1)

    # Names, and what the pickle would have Python do with them.

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _: Any) -> None:
        self._name(*self._take(2))

    def _name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("the pickle has a name that is no text")
        if (module, name) not in self._expected:
            raise Unexpected((module, name))
        self._stack.append(Global((module, name)))

    def _reduce(self, _: Any) -> None:
        subject, arguments = self._take(2)
        if not isinstance(subject, Global) or not isinstance(arguments, tuple):
            raise ValueError("the pickle calls what is no name")
        self._stack.append({} if subject.name in DICTIONARIES else Record(subject.name, arguments))

    _newobj = _reduce

    def _build(self, _: Any) -> None:
        (state,) = self._take(1)
        if isinstance(self._stack[-1], Record):
            self._stack[-1].state = state  # attributes of an OrderedDict are of no use here

    def _binpersid(self, _: Any) -> None:
        self._stack.append(Reference(self._take(1)[0]))
