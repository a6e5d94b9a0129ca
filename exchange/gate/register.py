"""The register of legal bases: data in TOML, read strictly, never edited by a running service.

Promises: an entry with an unknown or missing key, a foreign word, one approver twice, or a version that
overlaps another loads nothing at all; `policy_hash` changes with every entry and with the rules.
Source: GDPR 5(2), 6, 9, 24, 30, 35; each entry names its own article and the wording it was written on.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from exchange.errors import RegisterInvalid
from exchange.gate.entry import read_entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.gate.entry import LegalBasis

# Raised whenever a rule changes its meaning: a stored decision replays under its own policy hash only.
RULES_VERSION: Final = "2"
SHIPPED_FOLDER: Final = Path(__file__).parent / "register"
FILE_BYTES_MAX: Final = 1 << 20


class Register:
    """All versions of all legal bases, immutable after loading."""

    __slots__ = ("_versions", "policy_hash")

    def __init__(self, bases: Iterable[LegalBasis]) -> None:
        """Raise RegisterInvalid if two versions of one basis overlap or share a number."""
        versions: dict[str, list[LegalBasis]] = {}
        for basis in bases:
            versions.setdefault(basis.id, []).append(basis)
        self._versions = {
            name: tuple(sorted(found, key=lambda basis: basis.valid_from, reverse=True))
            for name, found in versions.items()
        }
        for found in self._versions.values():
            _refuse_overlap(found)
        self.policy_hash = _hash(self.entries())

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read every TOML file of the folder (default: the shipped register). Raises RegisterInvalid."""
        place = SHIPPED_FOLDER if folder is None else folder
        files = sorted(place.glob("*.toml"))
        if not files:
            raise RegisterInvalid("the folder holds no register file", file=place.name, entry="", key="")
        return cls(basis for file in files for basis in read_file(file))

    def find(self, basis_id: str, now: datetime) -> LegalBasis | None:
        """Return the version whose validity holds `now`, else the newest one; None if the id is unknown."""
        found = self._versions.get(basis_id)
        if found is None:
            return None
        for basis in found:
            if basis.valid_from <= now and (basis.valid_to is None or now < basis.valid_to):
                return basis
        return found[0]

    def entries(self) -> tuple[LegalBasis, ...]:
        """Every version of every basis, by id and then by version."""
        return tuple(
            sorted(
                (basis for found in self._versions.values() for basis in found),
                key=lambda basis: (basis.id, basis.version),
            )
        )


def read_file(file: Path) -> tuple[LegalBasis, ...]:
    """Read the `[[basis]]` tables of one file. Raises RegisterInvalid naming file, entry and key."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise RegisterInvalid("a register file is too large", file=file.name, entry="", key="")
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise RegisterInvalid("a register file cannot be read", file=file.name, entry="", key="") from error
    for key in tables:
        if key != "basis":
            raise RegisterInvalid(
                "a register file holds [[basis]] tables only", file=file.name, entry="", key=key
            )
    entries = tables.get("basis")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RegisterInvalid("a register file holds [[basis]] tables", file=file.name, entry="", key="basis")
    return tuple(read_entry(file.name, entry) for entry in entries)


def _refuse_overlap(newest_first: tuple[LegalBasis, ...]) -> None:
    numbers = [basis.version for basis in newest_first]
    for newer, older in pairwise(newest_first):
        if older.valid_to is None or newer.valid_from < older.valid_to:
            raise RegisterInvalid(
                "two versions of one entry overlap", file="", entry=older.id, key="valid_to"
            )
    if len(set(numbers)) != len(numbers):
        raise RegisterInvalid(
            "two versions of one entry share a number", file="", entry=newest_first[0].id, key="version"
        )


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _hash(bases: tuple[LegalBasis, ...]) -> str:
    content = {"rules": RULES_VERSION, "bases": [asdict(basis) for basis in bases]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()
