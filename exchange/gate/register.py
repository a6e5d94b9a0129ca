"""The register of legal bases as the gate judges by it: read strictly from TOML, or folded from events.

Promises: an entry with an unknown or missing key, a foreign word, one approver twice, or a version that
overlaps another loads nothing at all; `policy_hash` changes with every entry and with the rules.
Source: GDPR 5(2), 6, 9, 24, 30, 35; each entry names its own article and the wording it was written on.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from exchange.errors import RegisterInvalid
from exchange.gate.canonical import canonical_text
from exchange.gate.entry import read_entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from exchange.gate.entry import LegalBasis

# Raised whenever a rule changes its meaning: a stored decision replays under its own policy hash only.
RULES_VERSION: Final = "5"
SHIPPED_FOLDER: Final = Path(__file__).parent / "register"
FILE_BYTES_MAX: Final = 1 << 20
# The shipped files are read at the first start of a store and again at every start.
FILES_KEPT_MAX: Final = 64


class Register:
    """All versions of all legal bases that stand or stood, immutable after loading."""

    __slots__ = ("_versions", "policy_hash", "written")

    def __init__(self, bases: Iterable[LegalBasis]) -> None:
        """Raise RegisterInvalid if two versions of one basis overlap or share a number."""
        versions: dict[str, list[LegalBasis]] = {}
        # As they were read: what a successor ended still says here what it said itself.
        self.written = tuple(bases)
        for basis in self.written:
            versions.setdefault(basis.id, []).append(basis)
        self._versions = {
            name: tuple(sorted(_with_ends(found), key=lambda basis: basis.valid_from, reverse=True))
            for name, found in versions.items()
        }
        for found in self._versions.values():
            _refuse_overlap(found)
        self.policy_hash = self.hash_under(RULES_VERSION)

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read every TOML file of the folder (default: the shipped register). Raises RegisterInvalid."""
        place = SHIPPED_FOLDER if folder is None else folder
        files = sorted(place.glob("*.toml"))
        if not files:
            raise RegisterInvalid("the folder holds no register file", file=place.name, entry="", key="")
        entries = [(file.name, basis) for file in files for basis in read_file(file)]
        try:
            return cls(basis for _, basis in entries)
        except RegisterInvalid as error:
            # What versions contradict each other about, they do together: every file that holds one is named.
            named = sorted({name for name, basis in entries if basis.id == error.metadata["entry"]})
            raise RegisterInvalid(error.message, **error.metadata | {"file": ", ".join(named)}) from error

    def find(self, basis_id: str, now: datetime) -> LegalBasis | None:
        """Return the version in force `now`, else one whose validity holds, else the newest.

        None if the id is unknown.
        """
        found = self._versions.get(basis_id)
        if found is None:
            return None
        for basis in found:
            if basis.in_force(now):
                return basis
        return next((basis for basis in found if basis.valid_at(now)), found[0])

    def hash_under(self, rules_version: str) -> str:
        """Return the policy hash that these entries have under a version of the rules."""
        told = [[canonical_text(basis), basis.approved_by] for basis in self.entries()]
        text = json.dumps({"rules": rules_version, "bases": told}, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

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
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unreadable(file.name) from error
    return _entries_of(file.name, text)


@lru_cache(maxsize=FILES_KEPT_MAX)
def _entries_of(name: str, text: str) -> tuple[LegalBasis, ...]:
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(name) from error
    for key in tables:
        if key != "basis":
            raise RegisterInvalid("a register file holds [[basis]] tables only", file=name, entry="", key=key)
    entries = tables.get("basis")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise RegisterInvalid("a register file holds [[basis]] tables", file=name, entry="", key="basis")
    return tuple(read_entry(name, entry) for entry in entries)


def _unreadable(name: str) -> RegisterInvalid:
    return RegisterInvalid("a register file cannot be read", file=name, entry="", key="")


def _with_ends(versions: list[LegalBasis]) -> list[LegalBasis]:
    """End each version on the day its successor begins, also one that is disabled: then nothing is in force.

    Raises RegisterInvalid where it succeeds nothing.
    """
    ended = {basis.version: basis for basis in versions}
    for successor in versions:
        if not successor.succeeds:
            continue
        before = ended.get(successor.succeeds)
        if before is None and not successor.enabled:
            continue
        if before is None:
            raise RegisterInvalid(
                "it succeeds a version that is not there", file="", entry=successor.id, key="succeeds"
            )
        if before.valid_to is None or successor.valid_from < before.valid_to:
            ended[before.version] = replace(before, valid_to=successor.valid_from)
    if len(ended) != len(versions):
        raise RegisterInvalid(
            "two versions of one entry share a number", file="", entry=versions[0].id, key="version"
        )
    return list(ended.values())


def _refuse_overlap(newest_first: tuple[LegalBasis, ...]) -> None:
    standing = [basis for basis in newest_first if basis.enabled]
    for newer, older in pairwise(standing):
        if older.valid_to is None or newer.valid_from < older.valid_to:
            raise RegisterInvalid(
                "two versions of one entry overlap: end the one, or let the other succeed it",
                file="",
                entry=older.id,
                key="valid_to",
            )
