"""Walks that change the register of a real shard, and a basis that opens what was closed before."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exchange.domain.legal_basis import (
    ApproveLegalBasis,
    DisableLegalBasis,
    ProposeLegalBasis,
    hash_of,
)
from exchange.gate.canonical import canonical_text, entry_of_text
from exchange.gate.register import Register
from exchange.pipeline.walk import Claim
from tests.pipeline.shard import NECESSITY, NOW

if TYPE_CHECKING:
    from exchange.pipeline.walk import CommandWalk, ReadWalk
    from tests.pipeline.shard import Shard

REGISTRY = Claim("beheer", "REGISTER-24", "")
NEW_BASIS = "WMO-TEST-1"
UNDER_NEW = Claim("wmo-onderzoek", NEW_BASIS, NECESSITY)


def entry_text(basis_id: str = NEW_BASIS, version: int = 1, like: str = "WMO-2.3.2", **lines: str) -> str:
    """Return the canonical text of an entry like a shipped one, with other lines."""
    (model,) = (entry for entry in Register.load().entries() if entry.id == like)
    text = canonical_text(model)
    told = {"id": f'"{basis_id}"', "version": str(version)} | lines
    for key, value in told.items():
        text, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        text = text if found else f"{text}{key} = {value}\n"
    return canonical_text(entry_of_text(text))


def successor(version: int = 2, **lines: str) -> str:
    """Return the text of a version that takes the place of the one of WMO-2.3.2 before it."""
    said = {"succeeds": str(version - 1), "valid_from": f"2026-03-0{version - 1}"}
    return entry_text("WMO-2.3.2", version, **(said | lines))


def proposal(shard: Shard, text: str, professional: str = "b-1", **changes: Any) -> CommandWalk:  # noqa: ANN401 -- any field of a walk
    entry = entry_of_text(text)
    order = ProposeLegalBasis(
        now=NOW,
        author=shard.author_of("beheer", professional),
        basis_id=entry.id,
        version=entry.version,
        text=text,
        valid_from=entry.valid_from.date(),
        valid_to=None if entry.valid_to is None else entry.valid_to.date(),
        succeeds=entry.succeeds,
    )
    return _walk(shard, order, entry.id, ("beheer", professional), changes)


def approving(
    shard: Shard,
    text: str,
    professional: str,
    task: str = "beheer",
    **changes: Any,  # noqa: ANN401 -- any field of a walk
) -> CommandWalk:
    entry = entry_of_text(text)
    order = ApproveLegalBasis(
        now=NOW, author=shard.author_of(task, professional), version=entry.version, sha256=hash_of(text)
    )
    return _walk(shard, order, entry.id, (task, professional), changes)


def disabling(
    shard: Shard,
    basis_id: str,
    version: int = 1,
    professional: str = "fg-1",
    task: str = "fg",
    **changes: Any,  # noqa: ANN401 -- any field of a walk
) -> CommandWalk:
    order = DisableLegalBasis(
        now=NOW, author=shard.author_of(task, professional), version=version, reason="het artikel verviel"
    )
    return _walk(shard, order, basis_id, (task, professional), changes)


def enabled(shard: Shard, text: str) -> None:
    """Propose and approve, each in a group of its own."""
    shard.done(proposal(shard, text))
    shard.done(approving(shard, text, "b-2"))
    shard.done(approving(shard, text, "fg-1", "fg"))


def under_new(shard: Shard, plan_id: str, **changes: Any) -> ReadWalk:  # noqa: ANN401 -- any field of a walk
    """A question under the new basis; it is that of a college about its own record."""
    return shard.question(plan_id, claim=UNDER_NEW, **changes)


def _walk(
    shard: Shard,
    order: Any,  # noqa: ANN401 -- a command of this aggregate
    basis_id: str,
    who: tuple[str, str],
    changes: dict[str, Any],
) -> CommandWalk:
    facts: dict[str, Any] = {
        "caller": shard.caller(*who),
        "claim": REGISTRY,
        "relation": False,
        "fields": (),
    }
    return shard.command(order, "legal_basis", basis_id, **(facts | changes))
