"""The shipped register beside the recorded one: adopted once, then proposed, never in force by itself."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exchange.gate.register import Register
from exchange.logs import open_log
from exchange.wiring.bench import THUMBPRINT
from exchange.wiring.core import Core, genesis, open_core, utc_now
from exchange.wiring.register import Drift, keep_register
from exchange.wiring.service import _tell_drift
from tests.registers import GENESIS_EVENTS
from tests.wiring.shards import position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.gate.entry import LegalBasis
    from exchange.settings import Settings

SHIPPED = Register.load()
NOTHING = Drift((), (), ())
DAY = datetime(2027, 1, 1, tzinfo=UTC)


@contextmanager
def opened(settings: Settings) -> Iterator[Core]:
    core = open_core(settings)
    try:
        genesis(core, utc_now(), thumbprint=THUMBPRINT, signing_key=THUMBPRINT)
        yield core
    finally:
        core.close()


def shipped_with(changed: LegalBasis) -> Register:
    others = [
        entry for entry in SHIPPED.entries() if (entry.id, entry.version) != (changed.id, changed.version)
    ]
    return Register([*others, changed])


def entry(basis_id: str) -> LegalBasis:
    (found,) = (one for one in SHIPPED.entries() if one.id == basis_id)
    return found


def test_a_start_with_the_same_register_writes_nothing(empty: Settings) -> None:
    with opened(empty) as core:
        assert keep_register(core, SHIPPED, utc_now()) == NOTHING
    assert position(empty) == GENESIS_EVENTS


def test_a_new_shipped_version_is_proposed_and_opens_nothing(empty: Settings) -> None:
    new = replace(entry("WGS-8"), version=2, valid_from=DAY, succeeds=1)
    with opened(empty) as core:
        before = core.register.policy_hash
        assert keep_register(core, shipped_with(new), utc_now()) == Drift(("WGS-8@2",), (), ())
        assert core.register.policy_hash == before
        basis = core.register.find("WGS-8", DAY)
        assert basis is not None
        assert basis.version == 1
        # The next start finds it proposed and says nothing more.
        assert keep_register(core, shipped_with(new), utc_now()) == NOTHING
    assert position(empty) == GENESIS_EVENTS + 1


def test_a_whole_new_shipped_basis_is_proposed_and_stays_unknown_to_the_gate(empty: Settings) -> None:
    new = replace(entry("WGS-8"), id="WGS-8a")
    with opened(empty) as core:
        assert keep_register(core, shipped_with(new), utc_now()).proposed == ("WGS-8a@1",)
        assert core.register.find("WGS-8a", utc_now()) is None


def test_another_text_under_a_used_number_is_named_and_changes_nothing(empty: Settings) -> None:
    wider = replace(entry("WGS-8"), categories=frozenset({"SCHULDEN"}))
    with opened(empty) as core:
        before = core.register.policy_hash
        assert keep_register(core, shipped_with(wider), utc_now()) == Drift((), ("WGS-8@1",), ())
        assert core.register.policy_hash == before
    assert position(empty) == GENESIS_EVENTS


def test_other_names_of_approvers_are_no_other_text(empty: Settings) -> None:
    renamed = replace(entry("WGS-8"), approved_by=("iemand", "een-ander"))
    with opened(empty) as core:
        assert keep_register(core, shipped_with(renamed), utc_now()) == NOTHING


def test_what_the_recorded_versions_leave_no_room_for_is_named(empty: Settings) -> None:
    second = replace(entry("WGS-8"), version=2, valid_from=DAY)
    ended = replace(entry("WGS-8"), valid_to=DAY)
    others = [one for one in SHIPPED.entries() if one.id != "WGS-8"]
    with opened(empty) as core:
        drift = keep_register(core, Register([*others, ended, second]), utc_now())
    assert drift == Drift((), ("WGS-8@1",), ("WGS-8@2",))
    assert position(empty) == GENESIS_EVENTS


def test_what_differs_is_said_in_the_log_by_name() -> None:
    lines = io.StringIO()
    _tell_drift(Drift(("WGS-8@2",), ("PW-7@1",), ()), open_log(stream=lines))
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(one["event"], one["reason"], one["place"]) for one in said] == [
        ("register_differs", "proposed", "WGS-8@2"),
        ("register_differs", "changed", "PW-7@1"),
    ]


def test_a_store_from_before_registers_were_recorded_adopts_the_shipped_one(empty: Settings) -> None:
    core = open_core(empty)
    try:
        assert core.registers.first == 0
        assert keep_register(core, SHIPPED, utc_now()) == NOTHING
        assert core.register.policy_hash == SHIPPED.policy_hash
        assert keep_register(core, SHIPPED, utc_now()) == NOTHING
    finally:
        core.close()
    assert position(empty) == GENESIS_EVENTS - 1
