"""Names in hostile files: the page shows them as text, and no sign of theirs reaches beyond them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.ledger.checkpoint import Checkpoint
from tests.ledger.builders import cosign, exported, grown, members, rewritten, signer
from tests.ledger.test_page import Desk

if TYPE_CHECKING:
    from tests.ledger.browser import Page
    from tests.ledger.builders import Log


@pytest.fixture
def desk(page: Page, log: Log) -> Desk:
    return Desk(page, log)


def test_a_hostile_name_is_shown_and_never_becomes_markup(desk: Desk, log: Log) -> None:
    evil = signer("<img/src=x/onerror=document.title='owned'>", b"e" * 32)
    note = evil.sign(Checkpoint(evil.name, 5, b"r" * 32).body())
    found = [(name, note if name == "checkpoint" else content) for name, content in members(exported(log, 5))]
    assert desk.check(log.policy, rewritten(log, found)) == "bad"
    assert evil.name in desk.text()
    assert desk.page.evaluate("document.querySelectorAll('#results img').length") == 0


@pytest.mark.parametrize("sign", ["\u202e", "\u2067", "\u200f", "\u200b", "\u009b", "\u00ad"])
def test_a_sign_nobody_sees_is_shown_and_turns_nothing_around(desk: Desk, log: Log, sign: str) -> None:
    evil = signer(f"w1{sign}x", b"e" * 32)
    signed = grown(log, 5)
    note = signed.note + cosign(signed.checkpoint.body(), evil)
    found = [(name, note if name == "checkpoint" else content) for name, content in members(exported(log, 5))]
    assert desk.check(log.policy, rewritten(log, found)) == "good"
    assert sign not in desk.text()
    assert "w1\ufffdx \u2013 niet in uw beleid" in desk.text()
