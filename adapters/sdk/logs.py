"""One JSON line for each thing an adapter did, with keys from an allow-list.

Promises: a key that is not on a list raises, and so does a value of the wrong type, a text that is not short
and plain, and one that looks like a BSN or a pseudonym: nothing personal gets into a log by accident. A line
that cannot be written ends nothing; the next one that can be says how many are missing.
Source: house rules on logs; GDPR 5(1)(c), 32.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TextIO

from adapters.sdk.bsn import passes_eleven_proof
from adapters.sdk.errors import SdkError

if TYPE_CHECKING:
    from collections.abc import Callable

VALUE_CHARACTERS_MAX: Final = 200
# Every key says something about the adapter's own work, none about a resident or a professional.
COUNTING_KEYS: Final = frozenset(
    {
        "attempt",
        "count",
        "cursor",
        "leaf_index",
        "port",
        "position",
        "size",
        "took_ms",
        "version",
        "wait_ms",
    }
)
# Random ids: their form is fixed, so chance digits in them are no BSN.
ID_KEYS: Final = frozenset({"decision_id", "incident"})
NAMING_KEYS: Final = frozenset(
    {
        "adapter",
        "code",
        "element",
        "error",
        "message_type",
        "mode",
        "oin",
        "reason",
        "rpc",
        "rule",
        "state",
        "target",
    }
)
_is_event = re.compile(r"[a-z][a-z0-9_]{0,59}").fullmatch
_is_id = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,32}").fullmatch
_is_name_of_request = re.compile(r"[0-9a-f]{16}").fullmatch
# A whole request id is no name of one, so that none gets in by accident.
_FORMS: Final = {**dict.fromkeys(ID_KEYS, _is_id), "request": _is_name_of_request}
# Long runs of digits are OINs; a BSN stands alone or is split by dots, dashes or spaces.
_nine_digits = re.compile(r"(?<![0-9])[0-9](?:[ .\-]?[0-9]){8}(?![0-9])").finditer
# 32 bytes, in hexadecimal or base64: a pseudonym, a key, or a hash that leads back to one.
_is_pseudonym = re.compile(r"[0-9a-fA-F]{64}|[A-Za-z0-9+/_-]{43}=?").search

Value = str | int | float


def name_of_request(oin: str, request_id: str) -> str:
    """Return what both logs call a request of an organisation, under `request`: 16 hexadecimal characters.

    Never its id: that is the salt of what the exchange keeps of the command for ever.
    """
    return sha256(f"exchange.v1 request id\n{oin}\n{request_id}".encode()).hexdigest()[:16]


class LogRefused(SdkError):
    """A log line would hold what no log may hold. Names the key, never the value."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AdapterLog:
    """Writes lines to `stream`, standard error by default; `bound` keys stand in every line."""

    def __init__(
        self, stream: TextIO | None = None, *, clock: Callable[[], datetime] = _utc_now, **bound: Value
    ) -> None:
        self._stream: Final = stream or sys.stderr
        self._clock: Final = clock
        self._bound: Final = bound
        self._lost = 0
        for key, value in bound.items():
            _require_plain(key, value)

    def bind(self, **more: Value) -> AdapterLog:
        """Return a log with more keys in every line."""
        return AdapterLog(self._stream, clock=self._clock, **{**self._bound, **more})

    def info(self, event: str, **keys: Value) -> None:
        """Write a line about something that went as it should."""
        self._write(logging.INFO, event, keys)

    def warning(self, event: str, **keys: Value) -> None:
        """Write a line about something that will be tried again."""
        self._write(logging.WARNING, event, keys)

    def error(self, event: str, **keys: Value) -> None:
        """Write a line about something a person must look at."""
        self._write(logging.ERROR, event, keys)

    def _write(self, level: int, event: str, keys: dict[str, Value]) -> None:
        if not _is_event(event):
            raise LogRefused("an event name is a constant in snake_case")
        for key, value in keys.items():
            _require_plain(key, value)
        told = self._line(level, event, keys)
        if self._lost:
            told = self._line(logging.ERROR, "log_lines_lost", {"count": self._lost}) + told
        try:
            self._stream.write(told)
            self._stream.flush()
        except OSError:
            # A log without room stops nothing else: the next line tells how many there are not.
            self._lost += 1
        else:
            self._lost = 0

    def _line(self, level: int, event: str, keys: dict[str, Value]) -> str:
        line = {
            "at": self._clock().isoformat(),
            "level": logging.getLevelName(level).lower(),
            "event": event,
            **self._bound,
            **keys,
        }
        return json.dumps(line, ensure_ascii=False) + "\n"


def _require_plain(key: str, value: Value) -> None:
    if key in COUNTING_KEYS:
        # Counts may have nine digits; a BSN is never a number here, only a text.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise LogRefused(f"the value of {key!r} is not a number")
        return
    if key in _FORMS:
        if not isinstance(value, str) or not _FORMS[key](value):
            raise LogRefused(f"the value of {key!r} is not a random id, or not the name of one")
        return
    if key not in NAMING_KEYS:
        raise LogRefused(f"a log line has no key {key[:40]!r}")
    if not isinstance(value, str) or len(value) > VALUE_CHARACTERS_MAX or not value.isprintable():
        raise LogRefused(f"the value of {key!r} is not one short line of text")
    if any(passes_eleven_proof(re.sub(r"[ .\-]", "", found.group())) for found in _nine_digits(value)):
        raise LogRefused(f"the value of {key!r} looks like a BSN")
    if _is_pseudonym(value):
        raise LogRefused(f"the value of {key!r} looks like a pseudonym or a key")
