"""The logs of processing from the store's files: as a list that ends, or followed into a file.

Promises: what is derived twice from one store is the same, byte for byte; a file that is followed into holds
every line once, in order, after whatever death of the follower or of its machine: it goes on after the last
line that is whole, and only where that line is the log's own.
Source: Logboek Dataverwerkingen, core (every write is confirmed).
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import SettingsInvalid
from exchange.server.accountability.contents import contents_of
from exchange.server.accountability.ldv import POSITION, ldv_line
from exchange.server.accountability.nen7513 import concerns_care, nen7513_line
from exchange.server.accountability.processings import Trail
from exchange.server.accountability.verwerkingen import verwerkingsactie
from exchange.server.contract.decisions import DecisionReader
from exchange.wiring.decision_log import open_log_files
from exchange.wiring.line_file import open_line_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.server.accountability.contents import Contents
    from exchange.server.accountability.processings import Processing
    from exchange.settings import Settings
    from exchange.wiring.decision_log import LogFiles
    from exchange.wiring.line_file import LineFile

LINES_PER_WRITE: Final = 50

Line = dict[str, Any]


def ldv_lines(settings: Settings, since: int, organisation: str = "") -> Iterator[Line]:
    """Yield the lines of Logboek Dataverwerkingen after a position, of all or of one organisation's log."""
    with open_log_files(settings) as files:
        yield from _lines(files, since, files.head_after(since), organisation)


def verwerkingsacties(settings: Settings, since: int) -> Iterator[Line]:
    """Yield the actions of Verwerkingenlogging after a position. Opens the facts of decisions."""
    with open_log_files(settings) as files:
        for one, contents in _with_contents(files, since):
            yield verwerkingsactie(one, contents, files.log_pseudonym, settings.operator_oin)


def nen7513_lines(settings: Settings, since: int) -> Iterator[Line]:
    """Yield the lines that NEN 7513 asks for after a position. Opens the facts of decisions."""
    with open_log_files(settings) as files:
        for one, contents in _with_contents(files, since):
            if concerns_care(one, contents):
                yield nen7513_line(one, contents, files.log_pseudonym, settings.operator_oin)


def follow_ldv(
    settings: Settings, file: Path, since: int, organisation: str, *, wait: Callable[[], bool]
) -> None:
    """Append the lines to a file as they come; a line is there for good when this goes on to the next.

    An empty file begins after `since`. `wait` is asked when all is written: whether to look again. Raises
    SettingsInvalid where the file cannot be used or written, or holds another log.
    """
    with open_log_files(settings) as files, open_line_file(file) as kept:
        position = _position_of(kept) if kept.last else since
        head = files.head_after(position)
        if kept.last:
            found = _encoded(_lines(files, position - 1, position, organisation)) == kept.last
        else:
            # Perhaps it died within its first line; whatever else this file holds is not ours to cut.
            found = _encoded(islice(_lines(files, since, head, organisation), 1)).startswith(kept.torn)
        if not found:
            raise SettingsInvalid(
                "this file holds another log; name a new one, or the options it was made with", file=file.name
            )
        kept.cut()
        while True:
            files.registers.catch_up(files.reader, files.codec)
            lines = _lines(files, position, head, organisation)
            while some := _encoded(islice(lines, LINES_PER_WRITE)):
                kept.append(some)
            position = head
            if not wait():
                return
            head = files.head_after(position)


def _position_of(kept: LineFile) -> int:
    try:
        position = json.loads(kept.last)["attributes"][POSITION]
    except (ValueError, KeyError, TypeError):
        position = None
    if not isinstance(position, int):
        raise SettingsInvalid("this file holds no lines of a log", file=kept.name)
    return position


def _lines(files: LogFiles, since: int, until: int, organisation: str) -> Iterator[Line]:
    trail = Trail(files.reader, files.codec, files.registers)
    found = (ldv_line(one, files.log_pseudonym, organisation) for one in trail.processings(since, until))
    return (line for line in found if line is not None)


def _with_contents(files: LogFiles, since: int) -> Iterator[tuple[Processing, Contents]]:
    reader, codec, registers, log_pseudonym = files
    decisions = DecisionReader(codec, registers, log_pseudonym)
    for one in Trail(reader, codec, registers).processings(since, files.head_after(since)):
        yield one, contents_of(one, decisions, codec)


def _encoded(lines: Iterator[Line]) -> bytes:
    return b"".join(f"{json.dumps(line, ensure_ascii=False)}\n".encode() for line in lines)
