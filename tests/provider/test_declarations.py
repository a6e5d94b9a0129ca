"""Declarations both ways: judged line by line by what was assigned and told of care; the answer taken."""

from __future__ import annotations

import dataclasses
import sqlite3
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from adapters.provider import by_hand
from adapters.provider.declaration_book import LineState
from adapters.provider.declarations import (
    build_declaration_answer,
    read_declaration,
    read_declaration_answer,
    write_declaration,
)
from adapters.provider.desk import Desk
from adapters.provider.errors import Finding, MessageInvalid
from adapters.provider.journal import Journal
from adapters.provider.retour import RetourIdentity
from adapters.provider.schema import Law
from adapters.provider.xml import emit, read
from adapters.sdk.bsn import Bsn
from tests.provider.around import ONE, Both, agreed, of
from tests.provider.builders import BSN, declaration, envelope, message, performance, put
from tests.provider.test_purging import ERASURE, ask, look, traces
from tests.provider.test_schema import official_file
from tests.provider.world import OTHER_BSN, TODAY

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.provider.declaration_book import DeclarationKnown
    from adapters.provider.declarations import Performance
    from adapters.provider.xml import Message

JUNE = (date(2026, 6, 1), date(2026, 6, 30))
IDENTITY = RetourIdentity("R1", date(2026, 6, 1))


def declared(
    *lines: Performance, identification: str = "D1", number: str = "DN1", month: tuple[date, date] = JUNE
) -> Message:
    told = dataclasses.replace(
        envelope(to_provider=False, identification=identification), dated=month[1] + timedelta(days=2)
    )
    whole = declaration(
        envelope=told,
        number=number,
        first=month[0],
        last=month[1],
        signed_on=month[1],
        clients=((Bsn(BSN), lines),),
    )
    return write_declaration(whole)


def june(both: Both, **changes: Any) -> Performance:  # noqa: ANN401 -- the fields of the record
    (order,) = both.world.assigned
    whole = performance(number=order.assignment_number, product=ONE.product, first=JUNE[0], last=JUNE[1])
    return dataclasses.replace(whole, **changes)


def send(both: Both, message: Message) -> str:
    return by_hand.send_over(both.provider.desk, emit(message))


@pytest.fixture
def cared(both: Both) -> Both:
    """Let care be assigned, started and told, and a month go by."""
    agreed(both)
    both.work(2)
    both.world.start(TODAY)
    both.work(2)
    both.clock.pass_by(days=32)
    return both


# --- traffic ----------------------------------------------------------------------------------------------


def test_what_was_delivered_is_granted(cared: Both) -> None:
    name = send(cared, declared(june(cared)))
    assert send(cared, declared(june(cared))) == name
    cared.work(2)
    (answer,) = of(cared.provider, "325")
    told = read_declaration_answer(answer)
    assert (told.asked_cents, told.granted_cents, told.refused, told.refused_whole) == (7500, 7500, (), ())
    assert b"8001" in emit(answer)
    for desk in (cared.municipality.desk, cared.provider.desk):
        known = desk.declarations.line("P-1")
        assert known is not None
        assert known.state is LineState.GRANTED
    assert cared.provider.journal.unanswered(date(2027, 1, 1)) == ()


def test_a_mistake_is_credited_and_declared_anew_in_the_month_after(cared: Both) -> None:
    send(cared, declared(june(cared)))
    cared.work(2)
    cared.clock.pass_by(days=31)
    july = (date(2026, 7, 1), date(2026, 7, 31))
    credit = june(cared, reference="P-2", credits_reference="P-1")
    anew = june(cared, reference="P-3", volume=6, cents=9000)
    with pytest.raises(MessageInvalid, match="TR389"):
        send(cared, declared(anew, identification="D2", number="DN2", month=july))
    send(cared, declared(anew, credit, identification="D2", number="DN2", month=july))
    cared.work(2)
    told = read_declaration_answer(of(cared.provider, "325")[-1])
    assert (told.asked_cents, told.granted_cents, told.refused) == (1500, 1500, ())
    again = june(cared, reference="P-4", credits_reference="P-1")
    august = (date(2026, 8, 1), date(2026, 8, 31))
    cared.clock.pass_by(days=31)
    with pytest.raises(MessageInvalid, match="TR390"):
        send(cared, declared(again, identification="D3", number="DN3", month=august))


def test_what_the_municipality_does_not_know_is_refused_line_by_line(cared: Both) -> None:
    line = june(cared)
    send(cared, declared(line))
    cared.municipality.journal.connection.execute("DELETE FROM terms")
    cared.work(2)
    (answer,) = of(cared.provider, "325")
    told = read_declaration_answer(answer)
    assert [(one[1], one[2]) for one in told.refused] == [(line, ("9338",))]
    assert told.granted_cents == 0
    known = cared.provider.desk.declarations.line("P-1")
    assert known is not None
    assert known.state is LineState.REFUSED
    assert "declaration_refused" in cared.provider.out.getvalue()
    # A line that was refused makes no debt: it may be declared again, under another reference.
    cared.clock.pass_by(days=31)
    anew = dataclasses.replace(line, reference="P-2")
    july = (date(2026, 7, 1), date(2026, 7, 31))
    send(cared, declared(anew, identification="D2", number="DN2", month=july))


def test_two_hands_cannot_declare_one_reference_twice(cared: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each judges by what was declared before, while the other one declares (TR314)."""
    desk, second = cared.provider.desk, declared(june(cared), identification="D2", number="DN2")
    other = Journal(cared.provider.config.journal, wait_s=0.0)
    hand = Desk(cared.provider.config, cared.provider.port, other, desk.log, cared.clock.surroundings())
    latest, turned_away = desk.declarations.latest, []

    def meanwhile() -> DeclarationKnown | None:
        try:
            by_hand.send_over(hand, emit(second))
        except sqlite3.OperationalError as locked:
            turned_away.append(locked.sqlite_errorcode)
        return latest()

    monkeypatch.setattr(desk.declarations, "latest", meanwhile)
    send(cared, declared(june(cared)))
    assert turned_away == [sqlite3.SQLITE_BUSY]
    with pytest.raises(MessageInvalid):
        by_hand.send_over(hand, emit(second))
    other.close()
    assert desk.declarations.declaration("DN2") is None


def test_the_same_file_by_two_hands_is_sent_once(cared: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second looks before the first wrote it down, and is judged after."""
    name = send(cared, declared(june(cared)))
    holds = cared.provider.desk.journal.holds
    looks = iter([False])
    monkeypatch.setattr(
        cared.provider.desk.journal, "holds", lambda *of: next(looks, None) is not False and holds(*of)
    )
    assert send(cared, declared(june(cared))) == name


def test_what_comes_twice_is_answered_once_and_taken_once(cared: Both) -> None:
    message = declared(june(cared))
    send(cared, message)
    cared.work(2)
    (answer,) = of(cared.provider, "325")
    cared.municipality.drop("again.xml", message)
    cared.municipality.work()
    cared.provider.work()
    assert of(cared.provider, "325") == [answer, answer]
    assert cared.provider.names("rejected") == []
    other = declared(june(cared), identification="D2")
    cared.municipality.drop("other.xml", other)
    cared.municipality.work()
    (path,) = cared.provider.config.inbox.iterdir()
    told = read_declaration_answer(read(path.read_bytes()))
    assert told.refused_whole == ("9333", "8214")
    assert told.granted_cents == 0


def test_care_that_was_not_told_is_not_declared(both: Both) -> None:
    agreed(both)
    both.work(2)
    both.clock.pass_by(days=32)
    with pytest.raises(MessageInvalid, match="CARE-NOT-STARTED"):
        send(both, declared(june(both)))
    both.municipality.drop("a.xml", declared(june(both)))
    both.municipality.work()
    path = next(path for path in both.provider.config.inbox.iterdir() if "325" in path.name)
    assert [one[2] for one in read_declaration_answer(read(path.read_bytes())).refused] == [("9307",)]


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        ({"Header/DeclaratieIdentificatie/Identificatie": "D9"}, "TR337"),
        ({"DeclaratieAntwoord/DeclaratieNummer": "DN9"}, "TR376"),
        ({"DeclaratieAntwoord/TotaalIngediendBedrag/TotaalBedrag": "7501"}, "TR367"),
        ({"DeclaratieAntwoord/TotaalToegekendBedrag/TotaalBedrag": "7499"}, "TR367"),
        ({"Header/BerichtIdentificatie/Dagtekening": "2026-07-04"}, "TR135"),
        ({"Header/Afzender": "0384"}, "Afzender"),
    ],
)
def test_an_answer_that_does_not_fit_changes_nothing(cared: Both, edits: dict[str, str], reason: str) -> None:
    sent = declared(june(cared))
    send(cared, sent)
    answer = build_declaration_answer(sent, (), RetourIdentity("R1", date(2026, 7, 3)))
    for path, text in edits.items():
        answer = put(answer, path, text)
    cared.provider.drop("a.xml", answer)
    cared.provider.work()
    (why,) = (path for path in cared.provider.config.rejected.iterdir() if path.suffix == ".txt")
    assert reason in why.read_text()
    known = cared.provider.desk.declarations.line("P-1")
    assert known is not None
    assert known.state is LineState.OPEN


@pytest.mark.parametrize(("change", "rule"), [({"volume": 4}, "TR367"), ({"reference": "P-9"}, "TR366")])
def test_a_refused_line_is_one_that_was_declared(cared: Both, change: dict[str, Any], rule: str) -> None:
    send(cared, declared(june(cared)))
    other = declared(june(cared, **change))
    path = "/Bericht/Declaratie/Clienten/Client/Prestaties/Prestatie"
    identity = RetourIdentity("R1", date(2026, 7, 3))
    answer = build_declaration_answer(other, (Finding("TR338", path, "9338"),), identity)
    cared.provider.drop("a.xml", answer)
    cared.provider.work()
    (why,) = (path for path in cared.provider.config.rejected.iterdir() if path.suffix == ".txt")
    assert rule in why.read_text()


@pytest.mark.parametrize("name", ["municipality", "provider"])
def test_an_erasure_finds_declarations_and_their_answers(name: str, cared: Both) -> None:
    send(cared, declared(june(cared)))
    cared.municipality.journal.connection.execute("DELETE FROM terms")
    cared.work(2)
    side = getattr(cared, name)
    assert any("32" in file for file in traces(side))
    ask(cared, ERASURE)
    look(side)
    assert traces(side) == []


def test_a_municipality_takes_no_answer_to_a_declaration(both: Both) -> None:
    both.municipality.drop("a.xml", message("325"))
    both.municipality.work()
    assert len(both.municipality.names("rejected")) == 2


# --- the answer -------------------------------------------------------------------------------------------

FIRST = "/Bericht/Declaratie/Clienten/Client[1]/Prestaties/Prestatie"
FINDINGS: list[tuple[tuple[Finding, ...], int, tuple[str, ...], int]] = [
    ((), 15_000, (), 0),
    ((Finding("TR338", FIRST, "9338"), Finding("TR307", FIRST, "9307")), 7_500, (), 1),
    ((Finding("TR333", "/Bericht/Declaratie", "9333"),), 0, ("9333",), 0),
    ((Finding("TR056", "/Bericht/Header", "9056"),), 0, ("9056",), 0),
    ((Finding("CS002", "/Bericht/Declaratie/Clienten/Client/Bsn", "0001"),), 0, ("0001",), 0),
]


@pytest.mark.parametrize("law", list(Law))
@pytest.mark.parametrize("case", FINDINGS)
def test_every_answer_is_valid_and_reads_back(
    standards_dir: Path, law: Law, case: tuple[tuple[Finding, ...], int, tuple[str, ...], int]
) -> None:
    findings, granted, whole, refused = case
    answer = build_declaration_answer(message("323", law), findings, IDENTITY)
    etree.XMLSchema(etree.parse(official_file(standards_dir, law, "325"))).assertValid(
        etree.fromstring(emit(answer))
    )
    told = read_declaration_answer(read(emit(answer)))
    assert (told.granted_cents, told.refused_whole, len(told.refused)) == (granted, whole, refused)
    assert told.answers == "A1"
    assert (told.envelope.sender, told.envelope.receiver) == ("0363", "65656055")
    assert OTHER_BSN.encode() not in emit(answer)


@pytest.mark.parametrize("law", list(Law))
def test_a_declaration_is_read_as_it_was_written(law: Law) -> None:
    whole = declaration(law)
    assert read_declaration(read(emit(write_declaration(whole)))) == whole
    assert BSN not in repr(whole)
