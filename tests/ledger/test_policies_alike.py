"""Policies over several years, drawn at random: all three verifiers take the same ones, and the same notes.

The page checks no signature on ML-DSA-44: of policies that ask one it may refuse more, and never less.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Final

import pytest

from adapters.sdk.proofs import ProofRefused
from adapters.sdk.trust import parse_trust
from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.checkpoint import Checkpoint, parse_policy
from tests.ledger.builders import cosign, second_signer, signer, witness_vkey
from tests.ledger.test_mutations import run_in

if TYPE_CHECKING:
    from tests.ledger.browser import Page

SEED: Final = 20_270_101
POLICIES: Final = 1_500
YEARS: Final = [f"exchange.example/0363/{year}" for year in (2025, 2026, 2027)]
NAMES: Final = [*YEARS, "exchange.example/0344/2026", "plain.example", "/2027", "exchange.example/0363/20261"]
LOGS: Final = [signer(name, seed) for name in NAMES for seed in (b"k" * 32, b"l" * 32)]
SECONDS: Final = [second_signer(name, seed) for name in NAMES for seed in (b"q" * 32, b"r" * 32)]
WITNESSES: Final = [signer(f"w{number}.example", bytes([number]) * 32) for number in (1, 2)]
AS_LOG: Final = [*(one.vkey for one in LOGS), *(one.vkey for one in SECONDS)]
AS_WITNESS: Final = [*map(witness_vkey, (*WITNESSES, *LOGS)), *(one.vkey for one in SECONDS)]
# As a municipality would have it: a key for the log of each year, and a second one.
OWN_LOGS: Final = [one.vkey for one in LOGS if one.name in YEARS][::2]
OWN_WITNESSES: Final = [*map(witness_vkey, WITNESSES), *(one.vkey for one in SECONDS[: 2 * len(YEARS) : 2])]

IN_THE_PAGE: Final = """(async () => {
    const said = [], bytes = (text) => new TextEncoder().encode(text);
    for (const [policy, note] of DRAWN) {
        let read;
        try { read = await policyFrom(bytes(policy)); } catch { said.push("policy refused"); continue; }
        let found;
        try { found = (await accept(bytes(note), read, "checkpoint")).trusted; } catch { found = false; }
        said.push(found ? "taken" : "refused");
    }
    return said;
})()"""


def policy(draw: Random) -> str:
    own = draw.random() < 0.6
    logs = draw.sample(OWN_LOGS, draw.randint(1, 3)) if own else draw.choices(AS_LOG, k=draw.randint(1, 3))
    lines = [f"log {one}" for one in logs]
    names = [f"a{number}" for number in range(draw.randint(0, 3))]
    for name in names:
        at = draw.randint(0, len(lines)) if draw.random() < 0.2 else len(lines)
        lines.insert(at, f"witness {name} {draw.choice(OWN_WITNESSES if own else AS_WITNESS)}")
    if names and draw.random() < 0.6:
        members = draw.sample(names, draw.randint(1, len(names)))
        lines.append(f"group g {draw.choice(['any', 'all', '1', '2'])} {' '.join(members)}")
        names.append("g")
    quorum = draw.choice(names) if names and draw.random() < 0.8 else "none"
    return "\n".join([*lines, f"quorum {quorum}", ""])


def note(draw: Random) -> str:
    """Return a checkpoint of one of the years with signatures of who has to do with it, and of others."""
    head = Checkpoint(draw.choice(YEARS), 5, b"r" * 32)
    of_log = [one for one in LOGS if one.name == head.origin]
    signed = [one.sign(head.body()).partition(b"\n\n")[2] for one in draw.sample([*of_log, of_log[0]], 2)]
    signed += [cosign(head.body(), one) for one in WITNESSES if draw.random() < 0.7]
    signed += [
        str(one.cosign(head.body(), 7)).encode() for one in SECONDS[: 2 * len(YEARS)] if draw.random() < 0.4
    ]
    return f"{head.body()}\n" + b"".join(dict.fromkeys(signed)).decode()


def ours(text: str, shown: str) -> str:
    try:
        read = parse_policy(text)
    except SettingsInvalid:
        return "policy refused"
    try:
        read.accept(shown.encode())
    except ProofInvalid:
        return "refused"
    return "taken"


def again(text: str, shown: str) -> str:
    try:
        read = parse_trust(text)
    except ProofRefused:
        return "policy refused"
    try:
        read.verify(shown)
    except ProofRefused:
        return "refused"
    return "taken"


@pytest.mark.slow
def test_the_same_policies_and_the_same_notes(page: Page) -> None:
    draw = Random(SEED)  # noqa: S311 -- the same policies each time
    drawn = [(policy(draw), note(draw)) for _ in range(POLICIES)]
    said = [ours(*one) for one in drawn]
    assert min(said.count(word) for word in ("policy refused", "refused", "taken")) > POLICIES // 20
    assert [again(*one) for one in drawn] == said
    in_page = run_in(page, {}, f"const DRAWN = {json.dumps(drawn)};", IN_THE_PAGE)
    assert isinstance(in_page, list)
    for word, theirs, (text, _) in zip(said, in_page, drawn, strict=True):
        stricter = any(one.vkey in text for one in SECONDS) and theirs != "taken"
        assert theirs == word or stricter, text
