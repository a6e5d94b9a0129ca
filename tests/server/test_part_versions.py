"""Versions of parts of a plan: covered, bound to one reader, and taken by all commands but the word on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.limits.compartments import LEAVES_OF
from exchange.errors import RequestInvalid
from exchange.pipeline.walk import Caller
from exchange.server.contract.pages import Pages
from exchange.server.contract.part_versions import Reader, by_part, part_of
from exchange.server.contract.plans import PLAN_COLLECTIONS
from exchange.server.services.plan import RPCS
from exchange.server.services.plan_parts import RESTS_ON
from exchange.v1 import common_pb2 as pb
from tests.server.town import CARE, CITY

PAGES = Pages(b"\1" * 32)
WHO = Caller(CITY, "college:WMO", "w-1", "regisseur", "ab" * 32, two_factor=True, mutual_tls=True)
WHY = pb.Claim(purpose=pb.PURPOSE_WMO_ONDERZOEK, legal_basis="WMO-2.3.2")
LEAVES = ("goals.state", "goals.own_words")


def reader(caller: Caller = WHO, plan_id: str = "p-1", claim: pb.Claim = WHY, pages: Pages = PAGES) -> Reader:
    return Reader(pages, caller, plan_id, claim)


@given(version=st.integers(0, 2**63), other=st.integers(0, 2**63))
def test_a_version_is_read_by_who_got_it_and_says_nothing_but_its_part(version: int, other: int) -> None:
    told = reader().seal("goals", LEAVES, version)
    # In whatever order the fields are named, and whatever the necessity says.
    assert reader().seal("goals", reversed(LEAVES), version) == told
    again = reader(
        claim=pb.Claim(purpose=WHY.purpose, legal_basis=WHY.legal_basis, necessity=pb.Necessity(text="x"))
    )
    assert again.open(told, LEAVES, "f") == version
    assert part_of(told) == "goals"
    another = reader().seal("goals", LEAVES, other)
    assert (another == told) == (other == version)
    assert len(another) == len(told)


@pytest.mark.parametrize(
    "changes",
    [
        {"caller": replace(WHO, organisation=CARE)},
        {"caller": replace(WHO, task="college:PW")},
        {"caller": replace(WHO, professional="w-2")},
        {"caller": replace(WHO, resident="r-1")},
        {"plan_id": "p-2"},
        {"claim": pb.Claim(purpose=WHY.purpose, legal_basis="WMO-5.1.2")},
        {"claim": pb.Claim(purpose=pb.PURPOSE_INZAGE, legal_basis=WHY.legal_basis)},
        {"pages": Pages(b"\2" * 32)},
    ],
)
def test_it_opens_for_nobody_and_nothing_else(changes: dict[str, Any]) -> None:
    told = reader().seal("goals", LEAVES, 7)
    with pytest.raises(RequestInvalid) as refused:
        reader(**changes).open(told, LEAVES, "seen.part_versions[3]")
    assert set(refused.value.fields) == {"seen.part_versions[3]"}
    assert "page" not in str(refused.value.fields)


@pytest.mark.parametrize("change", [LEAVES[:1], (*LEAVES, "goals.goal_id")])
def test_it_is_of_the_fields_it_was_read_by(change: tuple[str, ...]) -> None:
    told = reader().seal("goals", LEAVES, 7)
    for said, leaves in ((told, change), (told.replace("goals", "supports"), LEAVES), (told[:-1], LEAVES)):
        with pytest.raises(RequestInvalid):
            reader().open(said, leaves, "f")
    # Nor is it the token of a page, for who would try.
    page = PAGES.seal(7, b"x" * 32)
    with pytest.raises(RequestInvalid):
        reader().open(f"goals:{page}", LEAVES, "f")


def test_what_is_of_no_part_has_no_version() -> None:
    assert by_part(["version", "goals.state", "plan_id", "goals.state", "funding.sources"]) == {
        "goals": ("goals.state",),
        "funding": ("funding.sources",),
    }
    assert part_of("nonsense:abc") == part_of("version:abc") == part_of("") == ""


def test_every_command_on_a_plan_says_what_it_rests_on_but_the_residents_word() -> None:
    taken = {name for name, rpc in RPCS.items() if "seen" in rpc.request.DESCRIPTOR.fields_by_name}
    commands = {name for name, rpc in RPCS.items() if "request_id" in rpc.request.DESCRIPTOR.fields_by_name}
    assert set(RESTS_ON) == taken == commands - {"AgreeToPlan"}
    for name, rests_on in RESTS_ON.items():
        assert set(rests_on.parts) <= set(PLAN_COLLECTIONS), name
        if rests_on.named:
            assert rests_on.named in RPCS[name].request.DESCRIPTOR.fields_by_name
            assert f"{rests_on.parts[0]}.{rests_on.named}" in LEAVES_OF[rests_on.parts[0]]
