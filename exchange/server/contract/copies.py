"""Copying one leaf at a time from a state into a message: the only way personal data get into an answer.

Promises: one function per leaf path, made once from the descriptors; an attribute that is empty stays unset.
Source: the gate's design section 3 (answers are built from permitted leaf paths).
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from exchange.server.contract.names import enum_names, set_time
from exchange.server.contract.shapes import TIMESTAMP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from google.protobuf.descriptor import Descriptor, EnumDescriptor

    Copy = Callable[[Any, Any], None]  # from an object with the field's name as attribute, into a message


@cache
def copies_of(descriptor: Descriptor) -> Mapping[str, Copy]:
    """Return what copies each leaf path of one row or element.

    The leaves of a nested message are read from the same flat object.
    """
    return dict(_leaves(descriptor))


def _leaves(descriptor: Descriptor) -> Iterator[tuple[str, Copy]]:
    for field in descriptor.fields:
        nested = field.message_type
        if nested is None or nested.full_name == TIMESTAMP:
            yield field.name, _copy_of(field)
        elif not field.is_repeated:
            for path, copy in _leaves(nested):
                yield f"{field.name}.{path}", _inside(field.name, copy)


def _inside(name: str, copy: Copy) -> Copy:
    return lambda source, target: copy(source, getattr(target, name))


def _copy_of(field: FieldDescriptor) -> Copy:
    if field.message_type is not None:
        return _time_copy(field.name)
    if field.enum_type is not None:
        return _enum_copy(field.name, field.enum_type, repeated=field.is_repeated)
    if field.type == FieldDescriptor.TYPE_BYTES and not field.is_repeated:
        return _bytes_copy(field.name)
    return _list_copy(field.name) if field.is_repeated else _value_copy(field.name)


def _time_copy(name: str) -> Copy:
    def copy(source: Any, target: Any) -> None:  # noqa: ANN401 -- any element and message
        value: datetime | None = getattr(source, name)
        if value is not None:
            set_time(getattr(target, name), value)

    return copy


def _enum_copy(name: str, descriptor: EnumDescriptor, *, repeated: bool) -> Copy:
    number = enum_names(descriptor).number
    if repeated:
        return lambda source, target: getattr(target, name).extend(map(number, getattr(source, name)))
    return lambda source, target: setattr(target, name, number(getattr(source, name)))


def _bytes_copy(name: str) -> Copy:
    # A state holds a hash as text, the contract as bytes.
    def copy(source: Any, target: Any) -> None:  # noqa: ANN401 -- any element and message
        value = getattr(source, name)
        if value:
            setattr(target, name, bytes.fromhex(value))

    return copy


def _list_copy(name: str) -> Copy:
    return lambda source, target: getattr(target, name).extend(getattr(source, name))


def _value_copy(name: str) -> Copy:
    def copy(source: Any, target: Any) -> None:  # noqa: ANN401 -- any element and message
        value = getattr(source, name)
        if isinstance(value, date):
            setattr(target, name, value.isoformat())
        elif value:
            setattr(target, name, value)

    return copy
