"""One entry of the register as one text: what approvers approve, what is stored, what the policy hash covers.

Promises: entries that mean the same have the same text, and reading a text gives the entry back; comments,
order and what a key says by default are not part of it, and neither is who approved it.
Source: TOML 1.0 (basic strings, local dates); GDPR 5(2).
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields, replace
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import RegisterInvalid
from exchange.gate.entry import KEY_DEFAULTS, read_entry

if TYPE_CHECKING:
    from exchange.gate.entry import Citation, LegalBasis

_APPROVERS: Final = "approved_by"
KEY_PARTS_MAX: Final = 16
TEXTS_MAX: Final = 4_096
_could_be_part: Final = re.compile(r"\s*(?:[\w-]+|\"[^\"]*\"|'[^']*')\s*").fullmatch
# What tomllib says of the place; the rest of its sentence can hold what was written there.
_at_place: Final = re.compile(r"\(at (line \d+, column \d+)\)\Z").search
# JSON leaves DEL as it is; a basic string of TOML may not hold it.
_DELETE: Final = ("\x7f", "\\u007f")


# A register asks every text of its entries for its hash, and each change of an entry makes a register.
@lru_cache(maxsize=TEXTS_MAX)
def canonical_text(basis: LegalBasis) -> str:
    """Return the TOML of an entry: its keys sorted, sets sorted, defaults left out."""
    lines = [
        f"{key} = {_toml(value)}"
        for key, value in sorted(_told(basis).items())
        if key not in KEY_DEFAULTS or value != KEY_DEFAULTS[key]
    ]
    return "\n".join(lines) + "\n"


def entry_of_text(text: str, place: str = "", *, recorded: bool = False) -> LegalBasis:
    """Read one proposed entry: its keys, or one `[[basis]]` table that holds them.

    Raises RegisterInvalid naming entry and key. Nobody has approved a proposal: it names no approvers. What
    was recorded is read as it was then.
    """
    tables = _tables(text, place)
    if len(tables) != 1:
        raise RegisterInvalid("one [[basis]] table is asked", file=place, entry="", key="basis")
    return read_entry(place, tables[0], proposed=True, recorded=recorded)


def entries_of_text(text: str, place: str = "") -> tuple[LegalBasis, ...]:
    """Read a text of entries that are to be looked at: proposals, or those of a file with who approved them.

    Raises RegisterInvalid naming entry and key, also for two versions of one basis under one number, and for
    approvers that a register file could not name: one alone, or one twice.
    """
    found: dict[tuple[str, int], LegalBasis] = {}
    for table in _tables(text, place):
        # Who is named is judged as in a file and then left out: here nobody heard them.
        entry = read_entry(place, table, proposed=not table.get(_APPROVERS))
        entry = replace(entry, approved_by=())
        if (entry.id, entry.version) in found:
            raise RegisterInvalid(
                "two versions of one entry share a number", file=place, entry=entry.id, key="version"
            )
        found[entry.id, entry.version] = entry
    return tuple(found.values())


def toml_of(text: str, place: str) -> dict[str, Any]:
    """Read a TOML text from outside. Raises RegisterInvalid, also for what would take long to read.

    The reader takes a time that grows with the square of the parts of a dotted key; an entry's have two.
    """
    parts = 0
    for piece in text.split("."):
        parts += 1
        if parts > KEY_PARTS_MAX:
            raise RegisterInvalid("a key has too many parts", file=place, entry="", key="")
        # What is no part alone ends one key, and may begin the next.
        parts = parts if _could_be_part(piece) else 1
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits is a plain ValueError.
        found = _at_place(str(error))
        where = f" ({found[1]})" if found else ""
        raise RegisterInvalid(f"this is no TOML{where}", file=place, entry="", key="") from error


def _tables(text: str, place: str) -> list[dict[str, Any]]:
    """Return the tables of a text: itself, or its `[[basis]]` tables and nothing beside them."""
    tables = toml_of(text, place)
    if "basis" not in tables:
        return [tables]
    entries = tables["basis"]
    whole = len(tables) == 1 and isinstance(entries, list) and bool(entries)
    if not whole or not all(isinstance(entry, dict) for entry in entries):
        raise RegisterInvalid("[[basis]] tables are asked", file=place, entry="", key="basis")
    return list(entries)


def _told(basis: LegalBasis) -> dict[str, Any]:
    values = _parts_of(basis)
    del values[_APPROVERS]
    values["citation"] = {key: part for key, part in _parts_of(basis.citation).items() if part}
    return {key: _plain(value) for key, value in values.items() if value is not None}


def _parts_of(told: LegalBasis | Citation) -> dict[str, Any]:
    """Return the fields by name, as they are: nothing here changes a value, so none is copied."""
    return {part.name: getattr(told, part.name) for part in fields(told)}


def _plain(value: object) -> object:
    if isinstance(value, frozenset | tuple):
        return sorted(value)
    # The reader takes days only, so there is no time to lose.
    return value.date() if isinstance(value, datetime) else value


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace(*_DELETE)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(part)}' for key, part in sorted(value.items()))} }}"
    return str(value)
