"""One JSON line for each call, with keys from an allow-list.

Promises: an unknown key or a value that is not short and plain raises, so that no personal data, no pseudonym
and no message ever gets into a log by accident. Who saw whose data is ledger, not log. A request id salts
what is kept of its command: a line holds a name of it that both sides can make and nobody goes back from.
Source: house style 25 and 26; GDPR 5(1)(c), 32.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TextIO

import msgspec
import structlog

from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

VALUE_CHARS_MAX: Final = 200
REQUEST_NAME_TAG: Final = "exchange.v1 request id"
REQUEST_NAME_CHARS: Final = 16
LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# Every key says something about the service or an organisation, none about a resident or a professional.
ALLOWED_KEYS: Final = frozenset(
    {
        "address",
        "at",
        "caller",
        "code",
        "count",
        "error",
        "event",
        "incident",
        "level",
        "metrics_port",
        "mode",
        "origin",
        "place",
        "port",
        "position",
        "reason",
        "request",
        "rpc",
        "size",
        "task",
        "term",
        "took_ms",
        "version",
        "witness",
    }
)


def name_of_request(oin: str, request_id: str) -> str:
    """Return what both sides' logs call a request of an organisation: 16 hexadecimal characters."""
    return sha256(f"{REQUEST_NAME_TAG}\n{oin}\n{request_id}".encode()).hexdigest()[:REQUEST_NAME_CHARS]


_stamp: Final = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")
_PLAIN: Final = frozenset({int, float})
_encode = msgspec.json.Encoder().encode


class LogKeyUnknown(SettingsInvalid):
    """A log line has a key or value that is not allowed; metadata: key. Only a defect gets here."""

    code = "LOG_KEY_UNKNOWN"
    remedy = "Add the key to the allow-list after a privacy review, or leave it out of the line."


class Lines:
    """Writes lines; those of one turn of the event loop leave in one write, so that no call waits for one."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._waiting: list[str] = []  # owned by the event loop

    def msg(self, line: str) -> None:
        """Write a line: now, or at the loop's next turn."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write(line + "\n")
            return
        self._waiting.append(line)
        if len(self._waiting) == 1:
            loop.call_soon(self._flush)

    debug = info = warning = error = critical = msg

    def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        self._write("\n".join(lines) + "\n")

    def _write(self, text: str) -> None:
        self._target.write(text)
        self._target.flush()


def open_log(file: Path | None = None, level: str = "info", *, stream: TextIO | None = None) -> Any:  # noqa: ANN401 -- structlog's bound logger has no public type
    """Return the logger: lines to a file (appended), else to `stream`, else to standard error."""
    target = stream or sys.stderr
    if file is not None:
        try:
            target = file.open("a", encoding="utf-8")
        except OSError as error:
            raise SettingsInvalid("the log file cannot be opened", file=file.name) from error
    lines = Lines(target)
    logger = structlog.wrap_logger(
        lines,
        processors=[
            structlog.processors.add_log_level,
            _stamp,
            refuse_unknown_keys,
            _as_json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=True,
    ).bind()
    if LEVELS[level] <= LEVELS["info"]:
        logger.info = partial(_inform, lines)
    return logger


def _inform(lines: Lines, event: str, **line: Any) -> None:  # noqa: ANN401 -- str or numbers, as is looked at here
    """Write a line of level info, as the processors above would: for each call there is one."""
    line["event"], line["level"] = event, "info"
    _stamp(None, "info", line)
    if not ALLOWED_KEYS.issuperset(line):
        refuse_unknown_keys(None, "", line)
    for value in line.values():
        kind = value.__class__
        if kind not in _PLAIN and not (kind is str and len(value) <= VALUE_CHARS_MAX):
            # It says which, or takes what is plain too.
            refuse_unknown_keys(None, "", line)
    lines.msg(_encode(line).decode())


def refuse_unknown_keys(
    _logger: object, _name: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Return the line. Raises LogKeyUnknown naming the key, never the value."""
    for key, value in line.items():
        if key not in ALLOWED_KEYS:
            raise LogKeyUnknown("a log line has a key outside the allow-list", key=key[:VALUE_CHARS_MAX])
        if isinstance(value, str):
            if len(value) > VALUE_CHARS_MAX:
                raise LogKeyUnknown("a log line has a value that is too long", key=key)
        elif value is not None and not isinstance(value, int | float):
            raise LogKeyUnknown("a log line has a value that is not plain", key=key)
    return line


def _as_json(_logger: object, _name: str, line: MutableMapping[str, Any]) -> str:
    return _encode(line).decode()
