"""One written function for each kind of request: whether all of its shape is as the protos say, at a glance.

Promises: what it takes has no fault that `validation.py` would name; what it does not take is looked at there
field by field. Written of the names and bounds of the contract, of nothing that came in.
Source: protos/exchange/v1/options.proto (Rule); exchange/decisions/0159-less-on-the-way-of-a-call.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor as Kind

from exchange.server.contract.formats import FORMATS
from exchange.v1 import options_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.descriptor import Descriptor, FieldDescriptor

    Fine = Callable[[Any], bool]

TIMESTAMP: Final = "google.protobuf.Timestamp"
SECONDS_MIN: Final = -62_135_596_800  # the year 1
SECONDS_MAX: Final = 253_402_300_799  # the year 9999
NANOS_MAX: Final = 999_999_999
NUMBERS: Final = frozenset({Kind.CPPTYPE_INT32, Kind.CPPTYPE_INT64, Kind.CPPTYPE_UINT32, Kind.CPPTYPE_UINT64})
_REFUSE: Final = "return False"


class Shapes:
    """The functions that were written, by kind of message. Safe between threads once a kind was seen."""

    def __init__(self) -> None:
        self._fine: dict[str, Fine] = {}
        # What the functions know by name: each other, what a format takes, the values of an enum.
        self._known: dict[str, Any] = {}

    def fine(self, descriptor: Descriptor) -> Fine:
        """Return what tells whether a message of this kind has no fault, written at its first use."""
        found = self._fine.get(descriptor.full_name)
        return self._written(descriptor) if found is None else found

    def _written(self, descriptor: Descriptor) -> Fine:
        name = f"_fine{len(self._fine)}"
        # Set before the fields are looked at: a type may hold itself.
        self._fine[descriptor.full_name] = lambda message: bool(self._known[name](message))
        self._known[name] = None
        lines = [f"def {name}(_m):"]
        for field in descriptor.fields:
            lines += (f" {line}" for line in self._lines(field))
        exec("\n".join([*lines, " return True"]), self._known)  # noqa: S102 -- names and bounds of our contract
        made: Fine = self._known[name]
        self._fine[descriptor.full_name] = made
        return made

    def _lines(self, field: FieldDescriptor) -> Iterator[str]:
        rule = field.GetOptions().Extensions[options_pb2.rule]
        if field.message_type is not None and field.is_repeated:
            yield from self._each(field.name, field.message_type, rule)
            return
        if field.message_type is not None:
            yield f"if _m.HasField({field.name!r}):"
            yield f" if not {self._nested(field.message_type)}(_m.{field.name}): {_REFUSE}"
            if rule.required:
                yield f"else: {_REFUSE}"
            return
        bad = self._bad(field, rule)
        yield f"_v = _m.{field.name}"
        if field.is_repeated:
            yield "if _v:"
            if rule.max_items:
                yield f" if len(_v) > {rule.max_items}: {_REFUSE}"
            yield " for _one in _v:"
            yield f"  if not _one or {bad('_one')}: {_REFUSE}"
            if rule.required:
                yield f"else: {_REFUSE}"
        elif field.cpp_type in NUMBERS or field.enum_type is not None:
            # Nought is a number: only where it has a range of its own is it not as if nothing was given.
            yield f"if {bad('_v')}: {_REFUSE}"
            if rule.required and not rule.ranged:
                yield f"if not _v: {_REFUSE}"
        else:
            yield "if _v:"
            yield f" if {bad('_v')}: {_REFUSE}"
            if rule.required and not rule.ranged:
                yield f"else: {_REFUSE}"

    def _each(self, name: str, descriptor: Descriptor, rule: options_pb2.Rule) -> Iterator[str]:
        """Write how a list of messages is looked at."""
        yield f"_v = _m.{name}"
        if rule.required:
            yield f"if not _v: {_REFUSE}"
        if rule.max_items:
            yield f"if len(_v) > {rule.max_items}: {_REFUSE}"
        yield "for _one in _v:"
        yield f" if not {self._nested(descriptor)}(_one): {_REFUSE}"

    def _nested(self, descriptor: Descriptor) -> str:
        if descriptor.full_name == TIMESTAMP:
            return self._name(_is_time, "_is_time")
        return self._name(self.fine(descriptor), f"_in_{descriptor.name}")

    def _bad(self, field: FieldDescriptor, rule: options_pb2.Rule) -> Callable[[str], str]:
        """Return what says, in Python, when a value of a name is at fault."""
        if field.enum_type is not None:
            known = self._name(frozenset(field.enum_type.values_by_number), f"_of_{field.enum_type.name}")
            return lambda value: f"{value} not in {known}"
        if field.cpp_type in NUMBERS and rule.ranged:
            return lambda value: f"not {rule.min} <= {value} <= {rule.max}"
        if field.cpp_type == Kind.CPPTYPE_STRING:
            short = f"{rule.min_len} <= len({{}}) <= {rule.max_len}"
            if not rule.format:
                return lambda value: f"not {short.format(value)}"
            fault = self._name(FORMATS[rule.format], f"_as_{rule.format}")
            return lambda value: f"not {short.format(value)} or {fault}({value})"
        return lambda _: "False"

    def _name(self, what: object, name: str) -> str:
        """Let the functions know something by a name; another of that name gets one of its own."""
        while self._known.setdefault(name, what) is not what and self._known[name] != what:
            name += "_"
        return name


def _is_time(time: Any) -> bool:  # noqa: ANN401 -- a Timestamp
    seconds: int = time.seconds
    return SECONDS_MIN <= seconds <= SECONDS_MAX and 0 <= time.nanos <= NANOS_MAX
