"""One entry of the register as one text: what approvers approve, what is stored, what the policy hash covers.

Promises: entries that mean the same have the same text, and reading a text gives the entry back; comments,
order and what a key says by default are not part of it, and neither is who approved it.
Source: TOML 1.0 (basic strings, local dates); GDPR 5(2).
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import RegisterInvalid
from exchange.gate.entry import KEY_DEFAULTS, read_entry

if TYPE_CHECKING:
    from exchange.gate.entry import LegalBasis

_APPROVERS: Final = "approved_by"
# JSON leaves DEL as it is; a basic string of TOML may not hold it.
_DELETE: Final = ("\x7f", "\\u007f")


def canonical_text(basis: LegalBasis) -> str:
    """Return the TOML of an entry: its keys sorted, sets sorted, defaults left out."""
    lines = [
        f"{key} = {_toml(value)}"
        for key, value in sorted(_told(basis).items())
        if key not in KEY_DEFAULTS or value != KEY_DEFAULTS[key]
    ]
    return "\n".join(lines) + "\n"


def entry_of_text(text: str, place: str = "") -> LegalBasis:
    """Read one proposed entry: its keys, or one `[[basis]]` table that holds them.

    Raises RegisterInvalid naming entry and key. Nobody has approved a proposal: it names no approvers.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RegisterInvalid("this is no TOML", file=place, entry="", key="") from error
    if "basis" in tables:
        entries = tables["basis"]
        if len(tables) != 1 or not isinstance(entries, list) or len(entries) != 1:
            raise RegisterInvalid("one [[basis]] table is asked", file=place, entry="", key="basis")
        (tables,) = entries
    if not isinstance(tables, dict):
        raise RegisterInvalid("one [[basis]] table is asked", file=place, entry="", key="basis")
    return read_entry(place, tables, proposed=True)


def _told(basis: LegalBasis) -> dict[str, Any]:
    values = asdict(basis)
    del values[_APPROVERS]
    values["citation"] = {key: part for key, part in values["citation"].items() if part}
    return {key: _plain(value) for key, value in values.items() if value is not None}


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
