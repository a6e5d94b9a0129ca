"""One text for one entry: what approvers read is what the gate judges by."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.legal_basis import (
    LEGAL_BASIS,
    ApproveLegalBasis,
    BasisVersion,
    DisableLegalBasis,
    LegalBasisState,
    ProposeLegalBasis,
    hash_of,
)
from exchange.domain.values import Author
from exchange.errors import ExchangeError, HistoryUnreadable, RegisterInvalid
from exchange.gate.canonical import canonical_text, entries_of_text, entry_of_text
from exchange.gate.recorded import register_of
from exchange.gate.register import Register, read_file

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.domain import Command
    from exchange.gate.entry import LegalBasis

SHIPPED = Register.load()
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
(ENTRY,) = (basis for basis in SHIPPED.entries() if basis.id == "WMO-5.2.1-2a")
TEXT = canonical_text(ENTRY)


def unapproved(basis: LegalBasis) -> LegalBasis:
    return replace(basis, approved_by=())


@pytest.mark.parametrize("basis", SHIPPED.entries(), ids=lambda basis: basis.id)
def test_reading_the_text_of_an_entry_gives_it_back(basis: LegalBasis) -> None:
    assert entry_of_text(canonical_text(basis)) == unapproved(basis)


@given(
    title=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip()),
    providers=st.sets(st.sampled_from(sorted(ENTRY.providers | {"uwv", "svb"})), min_size=1),
    flag=st.booleans(),
    until=st.none() | st.just(datetime(2030, 1, 1, tzinfo=UTC)),
)
def test_whatever_an_entry_says_comes_back(title: str, providers: set[str], flag: Any, until: Any) -> None:  # noqa: ANN401 -- drawn
    said = replace(
        unapproved(ENTRY),
        title=title[:1_000],
        providers=frozenset(providers),
        disproportion_check=flag,
        valid_to=until,
    )
    if said.title.strip():
        assert entry_of_text(canonical_text(said)) == said


def test_order_comments_and_defaults_are_no_part_of_it(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    lines = TEXT.splitlines()
    shuffled = "\n".join([*reversed(lines), "# a word", "necessity_required = true", "succeeds = 0"])
    file.write_text(f'[[basis]]\n{shuffled}\napproved_by = ["een", "twee"]\n', encoding="utf-8")
    (read,) = read_file(file)
    assert canonical_text(read) == TEXT
    assert re.findall(r"(?m)^(\w+) = ", TEXT) == sorted(re.findall(r"(?m)^(\w+) = ", TEXT))


def test_another_word_is_another_text() -> None:
    other = canonical_text(replace(ENTRY, purposes=frozenset({"statistiek"})))
    assert hash_of(other) != hash_of(TEXT)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f'{TEXT}approved_by = ["een", "twee"]\n', "approved_by"),
        (f"{TEXT}succeeds = 1\n", "succeeds"),
        (f"{TEXT}succeeds = -1\n", "succeeds"),
        (f"{TEXT}succeeds = true\n", "succeeds"),
        (TEXT.replace("version = 1", "version = 1000001"), "version"),
        (f"[[basis]]\n{TEXT}\n[[basis]]\n{TEXT}", "basis"),
        ("basis = 1\n", "basis"),
        ("basis = [1]\n", "basis"),
        (f"x = 1\n[[basis]]\n{TEXT}", "basis"),
        ("basis = []\n", "basis"),
        ("a = " + "[" * 5_000, ""),
        ("=", ""),
    ],
)
def test_what_is_no_proposal_is_refused(text: str, key: str) -> None:
    with pytest.raises(RegisterInvalid) as refused:
        entry_of_text(text, "here")
    assert (refused.value.metadata["key"], refused.value.metadata["file"]) == (key, "here")
    assert refused.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 99_000 + " = 1",
        "[" + "a." * 90_000 + "a]",
        'x = {"a"' + " . 'b'" * 50_000 + " = 1}",
        "a = " + "9" * 15_000,
        "a = " + "[" * 20_000,
    ],
    ids=["dots", "table", "inline", "number", "nested"],
)
def test_what_would_take_long_to_read_is_refused_at_once(text: str) -> None:
    # The reader alone would be at some of these for minutes.
    with pytest.raises(RegisterInvalid):
        entries_of_text(text)


def test_the_edges_are_let_be() -> None:
    assert entry_of_text(f"{TEXT}approved_by = []\n").approved_by == ()
    assert entry_of_text(TEXT.replace("version = 1", "version = 1000000")).version == 1_000_000
    assert entry_of_text(TEXT.replace("version = 1", "version = 2") + "succeeds = 1\n").succeeds == 1
    assert entries_of_text(f'[[basis]]\n{TEXT}approved_by = ["een", "twee"]\n') == (unapproved(ENTRY),)


# --- succession and disabling --------------------------------------------------------------------------


def test_a_successor_ends_the_other_on_its_first_day() -> None:
    day = datetime(2027, 1, 1, tzinfo=UTC)
    second = replace(ENTRY, version=2, valid_from=day, succeeds=1)
    register = Register([ENTRY, second])
    assert [basis.valid_to for basis in register.entries()] == [day, None]
    assert register.written == (ENTRY, second)
    found = register.find(ENTRY.id, day)
    assert found is not None
    assert found.version == 2
    with pytest.raises(RegisterInvalid) as refused:
        Register([second])
    assert refused.value.metadata == {"file": "", "entry": ENTRY.id, "key": "succeeds"}
    assert refused.value.message == "it succeeds a version that is not there"
    with pytest.raises(RegisterInvalid):
        Register([ENTRY, replace(second, succeeds=0)])


def test_a_disabled_successor_ends_what_it_succeeds() -> None:
    off = replace(ENTRY, version=2, enabled=False, succeeds=1, valid_from=NOON)
    register = Register([ENTRY, off])
    found = register.find(ENTRY.id, NOON)
    assert found is not None
    assert (found.version, found.in_force(NOON)) == (2, False)
    before = register.find(ENTRY.id, NOON - timedelta(microseconds=1))
    assert before is not None
    assert (before.version, before.in_force(NOON), before.valid_to) == (1, False, NOON)
    # Where nothing is in force, what is disabled is found, so that the gate can say so.
    off_only = Register([off]).find(ENTRY.id, NOON)
    assert off_only is not None
    assert not off_only.in_force(NOON)


def versions_of(register: Register) -> list[tuple[int, datetime | None]]:
    return [(basis.version, basis.valid_to) for basis in register.entries()]


def test_what_succeeds_nothing_keeps_no_other_from_ending_what_it_succeeds() -> None:
    day = datetime(2027, 1, 1, tzinfo=UTC)
    second = replace(ENTRY, version=2, succeeds=1, valid_from=day)
    assert versions_of(Register([ENTRY, second])) == [(1, day), (2, None)]
    # A disabled one may succeed what is not there; wherever it stands, the others end one another.
    alone = replace(ENTRY, version=9, succeeds=8, enabled=False, valid_from=day)
    for versions in ([alone, second, ENTRY], [ENTRY, alone, second], [ENTRY, second, alone]):
        assert versions_of(Register(versions)) == [(1, day), (2, None), (9, None)]


@pytest.mark.parametrize(
    ("number", "key", "message"),
    [
        (1, "version", "two versions of one entry share a number"),
        (2, "valid_to", "two versions of one entry overlap: end the one, or let the other succeed it"),
    ],
)
def test_versions_that_come_from_no_file_are_refused_without_the_name_of_one(
    number: int, key: str, message: str
) -> None:
    with pytest.raises(RegisterInvalid) as refused:
        Register([ENTRY, replace(ENTRY, version=number, valid_from=NOON)])
    assert refused.value.message == message
    assert refused.value.metadata == {"file": "", "entry": ENTRY.id, "key": key}


# --- what was recorded ---------------------------------------------------------------------------------


def version(**changes: Any) -> BasisVersion:  # noqa: ANN401 -- any field
    plain = BasisVersion(
        1,
        TEXT,
        hash_of(TEXT),
        ENTRY.valid_from.date(),
        None,
        0,
        "b-1",
        ("b-2", "fg-1"),
        NOON,
        enabled_at=NOON,
    )
    return replace(plain, **changes)


def recorded(*versions: BasisVersion) -> Register:
    return register_of([LegalBasisState(ENTRY.id, versions)])


def test_what_was_approved_is_in_force_with_its_approvers() -> None:
    (basis,) = recorded(version()).entries()
    assert basis == replace(ENTRY, approved_by=("b-2", "fg-1"))


def test_what_waits_is_not_there_and_what_was_disabled_is_off() -> None:
    assert recorded(version(enabled_at=None)).entries() == ()
    assert recorded(version(enabled_at=None, disabled_at=NOON)).entries() == ()
    (basis,) = recorded(version(disabled_at=NOON)).entries()
    assert not basis.enabled


def test_every_change_is_in_the_hash() -> None:
    hashes = [
        recorded(one).policy_hash
        for one in (
            version(),
            version(disabled_at=NOON),
            version(ended_by=NOON.date()),
            version(approvers=("b-2", "b-3")),
            version(enabled_at=None),
        )
    ]
    assert len(set(hashes)) == len(hashes)


def test_what_is_asked_of_new_entries_only_leaves_what_was_recorded_readable() -> None:
    """An entry on a text without a year was approved when no year was asked: it goes on being judged by."""
    text = canonical_text(replace(ENTRY, citation=replace(ENTRY.citation, wording="as introduced")))
    with pytest.raises(RegisterInvalid):
        entry_of_text(text)
    (basis,) = recorded(version(text=text, sha256=hash_of(text))).entries()
    assert (basis.citation.wording, basis.in_force(NOON)) == ("as introduced", True)


def test_an_entry_of_a_newer_version_is_not_guessed() -> None:
    with pytest.raises(HistoryUnreadable) as refused:
        recorded(version(text=f"{TEXT}colour = 'red'\n"))
    assert refused.value.metadata == {"entry": ENTRY.id, "key": "colour"}
    assert refused.value.message == "a recorded legal basis has a shape this version does not know"


def test_a_recorded_successor_says_what_it_succeeds_where_that_was_ever_in_force() -> None:
    """What only waited for approval never stood: what succeeds it ends nothing, and is in force."""
    day = datetime(2027, 1, 1, tzinfo=UTC)
    text = canonical_text(replace(ENTRY, version=2, valid_from=day, succeeds=1))
    second = version(number=2, text=text, sha256=hash_of(text), valid_from=day.date(), succeeds=1)
    after_one = recorded(version(ended_by=day.date()), second)
    assert [(one.version, one.succeeds) for one in after_one.entries()] == [(1, 0), (2, 1)]
    alone = recorded(version(enabled_at=None), second)
    assert [(one.version, one.succeeds, one.enabled) for one in alone.entries()] == [(2, 0, True)]
    assert after_one.policy_hash != alone.policy_hash


def test_earlier_rules_give_another_hash() -> None:
    assert SHIPPED.hash_under("0") != SHIPPED.policy_hash


# --- whatever the domain lets happen ---------------------------------------------------------------------

PEOPLE = tuple(Author("0" * 20, "beheer", f"b-{number}") for number in range(4))
DAY_ONE = date(2026, 1, 1)


def order(drawn: tuple[int, ...]) -> Command:
    """Return one of the three commands on a version, with the text it would have."""
    kind, before, succeeds, who, start, days = drawn
    number = before + 1
    begin, end = DAY_ONE + timedelta(days=start), DAY_ONE + timedelta(days=start + days)
    entry = replace(
        ENTRY,
        version=number,
        succeeds=min(succeeds, number - 1),
        valid_from=datetime(begin.year, begin.month, begin.day, tzinfo=UTC),
        valid_to=datetime(end.year, end.month, end.day, tzinfo=UTC) if days else None,
    )
    text, author = canonical_text(entry), PEOPLE[who]
    if kind == 0:
        return ProposeLegalBasis(
            now=NOON,
            author=author,
            basis_id=ENTRY.id,
            version=number,
            text=text,
            valid_from=begin,
            valid_to=end if days else None,
            succeeds=entry.succeeds,
        )
    if kind == 1:
        return DisableLegalBasis(now=NOON, author=author, version=number, reason="r")
    return ApproveLegalBasis(now=NOON, author=author, version=number, sha256="")


ORDERS = st.tuples(*(st.integers(0, most) for most in (3, 5, 4, 3, 4, 3))).map(order)


@settings(deadline=None)
@given(st.lists(ORDERS, max_size=40))
def test_a_register_can_be_made_of_whatever_the_domain_lets_happen(orders: list[Command]) -> None:
    state: Any = None
    for command in orders:
        said: Any = command
        if isinstance(command, ApproveLegalBasis) and state is not None and state.version(said.version):
            said = replace(command, sha256=state.version(command.version).sha256)
        try:
            events = LEGAL_BASIS.decide(said, state)
        except ExchangeError:
            continue
        for event in events:
            state = LEGAL_BASIS.evolve(state, event)
        register = register_of([state])
        for offset in range(10):
            day = DAY_ONE + timedelta(days=offset)
            standing = [
                one.number
                for one in state.versions
                if one.stands and one.valid_from <= day and (one.end is None or day < one.end)
            ]
            moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
            found = register.find(ENTRY.id, moment)
            in_force = found.version if found is not None and found.in_force(moment) else None
            assert standing == ([] if in_force is None else [in_force])
