"""Last part: every organisation fetches the proofs of what it did, and checks them by itself."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from adapters.sdk.proofs import verify_receipt
from adapters.simulators.story import systems
from adapters.simulators.story.stage import StoryBroken

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling


def _with_entry(proof: str, entry: bytes) -> str:
    """Return the proof with our own entry in its extra line, so that it can be checked by itself."""
    head, _, rest = proof.partition("\n")
    return f"{head}\nextra {b64encode(entry).decode()}\n{rest}"


def receipts(told: Telling, plan: Plan) -> list[Path]:
    """Fetch, verify with the SDK's own verifier, and keep each `.tlog-proof`."""
    told.chapter("Proof")
    folders = {one.folder.name: one for one in (plan.municipality, plan.provider)}
    kept: list[Path] = []
    for name, leaf_index, entry in told.receipts:
        organisation = folders[name]
        answer = organisation.ledger().get_receipt(leaf_index=leaf_index)
        verify_receipt(entry, answer.tlog_proof, plan.script.log_vkey)
        folder = organisation.folder / "receipts"
        folder.mkdir(exist_ok=True)
        file = folder / f"{leaf_index}.tlog-proof"
        file.write_text(_with_entry(answer.tlog_proof, entry), encoding="utf-8")
        kept.append(file)
    told.step(
        "receipts",
        f"{len(kept)} receipts fetched and verified, against a key that came another way.",
        "VERIFIED",
    )
    _an_adapter_keeps_its_own(told, plan)
    return kept


def _an_adapter_keeps_its_own(told: Telling, plan: Plan) -> None:
    """List what the message adapter of the provider was promised, as its operator does."""
    lines = systems.command("receipts", "list", "--state", str(plan.provider.folder / "state")).splitlines()
    if not lines:
        raise StoryBroken("the adapter kept no receipt of what it had recorded")
    told.step(
        "kept-by-an-adapter",
        f"The provider's adapter kept {len(lines)} of its own, sealed; it fetches their proofs as it runs, "
        "and `exchange-adapter receipts verify` checks them without asking anybody.",
        "TOLD",
    )
