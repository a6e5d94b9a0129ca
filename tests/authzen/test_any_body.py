"""Whatever comes in as a body: it is read, or refused by name; nothing else is raised."""

from __future__ import annotations

import json
from functools import partial
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import RequestInvalid
from exchange.pipeline.walk import Caller
from exchange.server.authzen.asking import Told, tell
from exchange.server.authzen.messages import (
    PLACES_MAX,
    Action,
    Entity,
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
            ("organisation", "task", "role", "fields", "life_domain", "takes_back"),
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


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('{"a": 1, "b": {"a": 1}, "c": [{"a": 1}, {"a": 2}]}', []),
        ('{"subject": {}, "subject": {}}', ["subject"]),
        ('{"subject": {"id": "w-1", "type": "x", "id": "w-2"}}', ["subject.id"]),
        ('{"a": 1, "\\u0061": 1}', ["a"]),
        ('{"a": 1, "a": 1, "a": 1}', ["a"]),
        ('{"evaluations": [{}, {"action": 1, "action": 2}]}', ["evaluations[1].action"]),
        ('{"more": [[{"x": 1, "x": 1}]]}', ["more[0][0].x"]),
        ('{"b": {"x": 1, "x": 1}, "a": 1, "a": 1}', ["a", "b.x"]),
        # In what is thrown away too: who reads the first sees it.
        ('{"a": {"x": 1, "x": 1}, "a": 1}', ["a", "a.x"]),
        # What is no name of a field is not repeated.
        ('{"123456782": 1, "123456782": 2}', ["*"]),
    ],
)
def test_a_name_that_comes_twice_is_refused_with_its_place(text: str, places: list[str]) -> None:
    body = tried(lambda: read_body(text.encode()))
    assert (list(body.fields) if isinstance(body, RequestInvalid) else []) == places


def test_of_many_names_that_come_twice_some_are_told() -> None:
    text = (
        "{"
        + ", ".join(f'"{letter}{more}": 1' for letter in ascii_lowercase for more in ascii_lowercase)
        + "}"
    )
    assert not isinstance(tried(lambda: read_body(text.encode())), RequestInvalid)
    twice = tried(lambda: read_body((text[:-1] + ", " + text[1:]).encode()))
    assert isinstance(twice, RequestInvalid)
    assert len(twice.fields) == PLACES_MAX


@pytest.mark.parametrize(
    ("name", "kind", "said", "counts"),
    [
        ("COMMAND", "consent", True, True),
        ("COMMAND", "consent", False, False),
        ("COMMAND", "plan", True, False),
        ("READ", "consent", True, False),
    ],
)
def test_only_a_command_on_a_consent_takes_back(name: str, kind: str, *, said: bool, counts: bool) -> None:
    asked = Evaluation(
        Entity("professional", "w-1"), Action(name, {"takes_back": said}), Entity(kind, str(UUID(int=1)))
    )
    told = tell(asked, ASKER)
    assert (told.takes_back, "takes_back" in told.as_recorded("x")) == (counts, counts)


def test_whether_it_takes_back_is_true_or_false() -> None:
    asked = Evaluation(
        Entity("professional", "w-1"), Action("COMMAND", {"takes_back": "ja"}), Entity("plan", "")
    )
    found = tried(lambda: tell(asked, ASKER))
    assert isinstance(found, RequestInvalid)
    assert set(found.fields) == {"action.properties.takes_back"}


@pytest.mark.parametrize(
    ("name", "kind", "said", "counts"),
    [
        ("COMMAND", "case", True, True),
        ("COMMAND", "case", False, False),
        ("COMMAND", "consent", False, True),
        ("COMMAND", "plan", True, False),
        ("READ", "case", True, False),
    ],
)
def test_a_question_for_a_consent_is_put_on_a_case(name: str, kind: str, *, said: bool, counts: bool) -> None:
    asked = Evaluation(
        Entity("professional", "w-1"), Action(name, {"asks_consent": said}), Entity(kind, str(UUID(int=1)))
    )
    assert tell(asked, ASKER).about_consent is counts
