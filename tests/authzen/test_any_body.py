"""Whatever comes in as a body: it is read, or refused by name; nothing else is raised."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import RequestInvalid
from exchange.pipeline.walk import Caller
from exchange.server.authzen.asking import Told, tell
from exchange.server.authzen.messages import (
    Evaluation,
    read_body,
    read_evaluation,
    read_evaluations,
    read_search,
)
from exchange.server.contract.formats import holds_bsn
from tests.server.town import CITY, made_up_bsns

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ASKER = Caller(CITY, "college:WMO", "w-1", "regisseur", "ab" * 32, two_factor=True, mutual_tls=True)
words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "professional",
            "READ",
            "COMMAND",
            "plan",
            "resident",
            CITY,
            "w-1",
            next(made_up_bsns()),
            "goals.id",
            "A" * 43,
        ]
    ),
)
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words)
values = st.recursive(
    plain,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)


def part(*names: str) -> st.SearchStrategy[Any]:
    inside = st.fixed_dictionaries({}, optional=dict.fromkeys(names, st.one_of(words, values)))
    properties = st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ("organisation", "task", "role", "fields", "life_domain"),
            st.one_of(words, values, st.lists(words)),
        ),
    )
    whole = st.tuples(inside, st.one_of(st.just({}), properties.map(lambda found: {"properties": found})))
    return st.one_of(whole.map(lambda two: two[0] | two[1]), values)


claims = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("purpose", "legal_basis", "necessity", "allow_partial"), st.one_of(words, values))
    | {"necessity": st.dictionaries(st.sampled_from(["text", "proportionality"]), st.one_of(words, values))},
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "subject": part("type", "id"),
        "action": part("name"),
        "resource": part("type", "id"),
        "context": st.one_of(claims, values),
        "evaluations": st.one_of(values, st.lists(values, max_size=3)),
        "options": st.one_of(values, st.fixed_dictionaries({"evaluations_semantic": values})),
        "page": st.one_of(values, st.fixed_dictionaries({}, optional={"limit": values, "token": values})),
        "more": values,
    },
)


def tried(read: Callable[[], T]) -> T | RequestInvalid:
    try:
        return read()
    except RequestInvalid as error:
        return error


@settings(max_examples=150, deadline=None)
@given(raw=st.one_of(bodies.map(lambda body: json.dumps(body).encode()), st.binary(max_size=40)))
def test_it_is_read_or_refused_by_name(raw: bytes) -> None:
    body = tried(lambda: read_body(raw))
    if isinstance(body, RequestInvalid):
        assert body.fields
        return
    read: list[object] = [tried(lambda: read_evaluation(body))]
    listed = tried(lambda: read_evaluations(body))
    read += [listed] if isinstance(listed, RequestInvalid) else listed.asked
    for gap in ("subject", "resource", "action"):
        found = tried(partial(read_search, body, gap))
        read.append(found if isinstance(found, RequestInvalid) else found.asked)
    assert all(one.fields for one in read if isinstance(one, RequestInvalid))
    for one in read:
        if isinstance(one, Evaluation):
            told = tried(partial(tell, one, ASKER))
            assert told.fields if isinstance(told, RequestInvalid) else is_harmless(told)


def is_harmless(told: Told) -> bool:
    """Tell whether what is kept of a question holds no BSN, and names somebody."""
    return bool(told.about.professional) and not holds_bsn(json.dumps(told.as_recorded("x")))


@pytest.mark.parametrize("more", ["1" + "0" * 40, '"\\ud800"', "1e400", "-0.0"])
def test_odd_numbers_and_letters_do_no_harm(more: str) -> None:
    raw = f'{{"subject": {{"type": "a", "id": "b"}}, "resource": {{"type": "a", "id": "b"}}, "more": {more}}}'
    body = tried(lambda: read_body(raw.encode()))
    said = body if isinstance(body, RequestInvalid) else tried(lambda: read_search(body, "action"))
    assert said.fields if isinstance(said, RequestInvalid) else said.said
