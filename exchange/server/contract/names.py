"""Enums, days and times between the contract and what is stored.

Promises: a stored word is the enum's name without its prefix, in lower case (purposes with '-' for '_');
built once from the descriptors, so that a new value needs no code here.
Source: protos/exchange/v1; the domain's values.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.descriptor import EnumDescriptor
    from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_PER_DAY: Final = 24 * 60 * 60
_INNER_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")
# Purposes are written as in the register of legal bases.
_HYPHENATED: Final = frozenset({"Purpose"})


class EnumNames:
    """One enum, both ways."""

    def __init__(self, descriptor: EnumDescriptor) -> None:
        prefix = _INNER_CAPITAL.sub("_", descriptor.name).upper() + "_"
        separator = "-" if descriptor.name in _HYPHENATED else "_"
        self._stored = {
            value.number: value.name.removeprefix(prefix).lower().replace("_", separator)
            for value in descriptor.values
            if value.number
        }
        self._numbers = {name: number for number, name in self._stored.items()}

    def stored(self, number: int) -> str:
        """Return the stored word; empty for the unspecified value."""
        return self._stored[number] if number else ""

    def number(self, stored: str) -> int:
        """Return the enum's number; 0 for a word this contract does not know (an older or newer store)."""
        return self._numbers.get(stored, 0)

    def all_stored(self) -> frozenset[str]:
        """Return every word."""
        return frozenset(self._numbers)


@cache
def enum_names(descriptor: EnumDescriptor) -> EnumNames:
    """Return the names of an enum."""
    return EnumNames(descriptor)


def stored_words(descriptor: EnumDescriptor, numbers: Iterable[int]) -> tuple[str, ...]:
    """Return the stored words of a list."""
    names = enum_names(descriptor)
    return tuple(names.stored(number) for number in numbers)


def day(text: str) -> date | None:
    """Return the day of a checked ISO text, None where it is empty."""
    return date.fromisoformat(text) if text else None


def required_day(text: str) -> date:
    """Return the day of a checked ISO text that must be there."""
    return date.fromisoformat(text)


def day_text(value: date | None) -> str:
    """Return the ISO text of a day, empty where there is none."""
    return value.isoformat() if value is not None else ""


def moment(time: Timestamp) -> datetime:
    """Return the moment in UTC; what is finer than a microsecond is left off."""
    return _EPOCH + timedelta(seconds=time.seconds, microseconds=time.nanos // 1_000)


def set_time(time: Timestamp, value: datetime) -> None:
    """Write a moment into a message's time."""
    since = value - _EPOCH
    time.seconds = since.days * _SECONDS_PER_DAY + since.seconds
    time.nanos = since.microseconds * 1_000
