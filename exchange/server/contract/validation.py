"""Shape of a request, by the rules the protos carry: at a glance, and its faults by flat checks.

Promises: every fault of a message is named at once under its path, and no fault repeats a value; an enum
value this version does not know is refused, also inside a list; a text with a BSN is refused as such.
Source: protos/exchange/v1/options.proto (Rule).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor as Kind

from exchange.errors import BsnRefused, RequestInvalid
from exchange.server.contract.formats import BSN_FOUND, FINE, FORMATS
from exchange.server.contract.shapes import NANOS_MAX, NUMBERS, SECONDS_MAX, SECONDS_MIN, TIMESTAMP, Shapes
from exchange.v1 import options_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.descriptor import Descriptor, FieldDescriptor
    from google.protobuf.message import Message

    Check = Callable[[Any], str]  # a value's fault, empty where there is none
    Look = Callable[[Any, str, dict[str, str]], None]  # message, path before it, faults found

MISSING: Final = "must be given"


class Validator:
    """Checks requests. Safe between threads once a message type was seen."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[Look, ...]] = {}
        self._shapes = Shapes()

    def check(self, message: Message) -> None:
        """Raise RequestInvalid, or BsnRefused, naming every field at fault."""
        descriptor: Descriptor = message.DESCRIPTOR  # type: ignore[assignment] # the stub names two of one kind
        if self._shapes.fine(descriptor)(message):
            return
        faults: dict[str, str] = {}
        for look in self.compiled(descriptor):
            look(message, "", faults)
        if not faults:
            return
        if BSN_FOUND in faults.values():
            raise BsnRefused("a text holds a burgerservicenummer", fields=faults)
        raise RequestInvalid("fields of the request do not have the shape they need", fields=faults)

    def compiled(self, descriptor: Descriptor) -> tuple[Look, ...]:
        """Return the checks of a message type, made at its first use."""
        looks = self._looks.get(descriptor.full_name)
        if looks is None:
            # Set before the fields are looked at: a type may hold itself.
            self._looks[descriptor.full_name] = ()
            looks = tuple(look for field in descriptor.fields if (look := self._look(field)) is not None)
            self._looks[descriptor.full_name] = looks
        return looks

    def _look(self, field: FieldDescriptor) -> Look | None:
        rule = field.GetOptions().Extensions[options_pb2.rule]
        if field.message_type is not None and field.is_repeated:
            return self._each(field.name, field.message_type, rule)
        if field.message_type is not None:
            return self._nested(field.name, field.message_type, required=rule.required)
        check = _value_check(field, rule)
        if field.is_repeated:
            return _list_look(field.name, check, rule)
        if check is None and not rule.required:
            return None
        return _single_look(field.name, check, required=rule.required and not rule.ranged)

    def _nested(self, name: str, descriptor: Descriptor, *, required: bool) -> Look:
        inside = (_look_at_time,) if descriptor.full_name == TIMESTAMP else self.compiled(descriptor)

        def look(message: Any, path: str, faults: dict[str, str]) -> None:  # noqa: ANN401 -- any message
            if message.HasField(name):
                nested = getattr(message, name)
                for each in inside:
                    each(nested, f"{path}{name}.", faults)
            elif required:
                faults[path + name] = MISSING

        return look

    def _each(self, name: str, descriptor: Descriptor, rule: options_pb2.Rule) -> Look:
        inside, items_max, required = self.compiled(descriptor), rule.max_items, rule.required

        def look(message: Any, path: str, faults: dict[str, str]) -> None:  # noqa: ANN401 -- any message
            listed = getattr(message, name)
            if required and not listed:
                faults[path + name] = MISSING
            if items_max and len(listed) > items_max:
                faults[path + name] = f"must be at most {items_max} items"
                return
            for index, nested in enumerate(listed):
                for each in inside:
                    each(nested, f"{path}{name}[{index}].", faults)

        return look


def _single_look(name: str, check: Check | None, *, required: bool) -> Look:
    def look(message: Any, path: str, faults: dict[str, str]) -> None:  # noqa: ANN401 -- any message
        value = getattr(message, name)
        if value:
            fault = FINE if check is None else check(value)
        elif type(value) is int:
            fault = (FINE if check is None else check(value)) or (MISSING if required else FINE)
        else:
            fault = MISSING if required else FINE
        if fault:
            faults[path + name] = fault

    return look


def _list_look(name: str, check: Check | None, rule: options_pb2.Rule) -> Look:
    items_max, required = rule.max_items, rule.required

    def look(message: Any, path: str, faults: dict[str, str]) -> None:  # noqa: ANN401 -- any message
        values = getattr(message, name)
        if not values:
            if required:
                faults[path + name] = MISSING
            return
        if items_max and len(values) > items_max:
            faults[path + name] = f"must be at most {items_max} items"
            return
        for index, value in enumerate(values):
            # Inside a list nothing may be left out: an empty item is a fault.
            fault = (check(value) if check is not None else FINE) if value else MISSING
            if fault:
                faults[f"{path}{name}[{index}]"] = fault

    return look


def _value_check(field: FieldDescriptor, rule: options_pb2.Rule) -> Check | None:
    if field.enum_type is not None:
        known = frozenset(field.enum_type.values_by_number)
        return lambda value: FINE if value in known else "must be a value this version knows"
    if field.cpp_type in NUMBERS:
        return _range_check(rule.min, rule.max) if rule.ranged else None
    if field.cpp_type == Kind.CPPTYPE_STRING:
        return _length_check(field, rule)
    return None


def _range_check(least: int, most: int) -> Check:
    fault = f"must be {least} to {most}"
    return lambda value: FINE if least <= value <= most else fault


def _length_check(field: FieldDescriptor, rule: options_pb2.Rule) -> Check:
    unit = "bytes" if field.type == Kind.TYPE_BYTES else "characters"
    least, most = rule.min_len, rule.max_len
    wanted = f"exactly {most}" if least == most else f"{least} to {most}" if least else f"at most {most}"
    fault = f"must be {wanted} {unit}"
    formed = FORMATS[rule.format] if rule.format else None

    def check(value: Any) -> str:  # noqa: ANN401 -- str or bytes
        if not least <= len(value) <= most:
            return fault
        return FINE if formed is None else formed(value)

    return check


def _look_at_time(time: Any, path: str, faults: dict[str, str]) -> None:  # noqa: ANN401 -- a Timestamp
    if not (SECONDS_MIN <= time.seconds <= SECONDS_MAX and 0 <= time.nanos <= NANOS_MAX):
        faults[path.rstrip(".")] = "must be a time in the years 1 to 9999"
