"""Messages in their envelope, both ways: judged, tied to what they answer, and told what is wrong."""

from __future__ import annotations

import dataclasses
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider.config import Side
from adapters.provider.envelopes import judge
from adapters.provider.errors import EnvelopeRefused
from adapters.provider.plan_seen import Stage
from adapters.provider.schema import Law
from adapters.provider.stuf import Kind, Reader, Told, is_envelope
from adapters.provider.stuf_writing import write_told
from adapters.provider.transport import Ggk
from adapters.provider.xml import emit, read
from tests.provider.around import Both, agreed, config, of, planned, sent
from tests.provider.builders import BSN, MUNICIPALITY, PROVIDER, SURNAME
from tests.provider.envelopes import envelope, letter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REFERENCE = "9c0f7b90-5c69-41e5-a837-0800200c9a66"
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def ggk(tmp_path: Path) -> Iterator[Both]:
    made = Both(tmp_path, ggk=Ggk())
    made.world.open_plan()
    yield made
    log = made.log
    made.close()
    for secret in (BSN, SURNAME):
        assert secret not in log


def told_of(data: bytes) -> Told:
    reader = Reader(lambda _piece: None)
    reader.feed(data)
    return reader.close()


def went(both: Both) -> list[tuple[Told, bytes]]:
    """Return what the provider's adapter sent, with the bytes as they lie in the folder."""
    files = sorted(both.municipality.config.inbox.iterdir())
    return [(told_of(path.read_bytes()), path.read_bytes()) for path in files]


def codes(both: Both) -> list[str]:
    return [told.code for told, _ in went(both)]


# --- whose it is -------------------------------------------------------------------------------------------


def told(**changes: Any) -> Told:  # noqa: ANN401 -- the fields of the record
    whole = Told(
        Kind.OUTWARD,
        sender=MUNICIPALITY,
        receiver=PROVIDER,
        reference=REFERENCE,
        function="WMO301",
        function_version=("0003", "0002"),
    )
    return dataclasses.replace(whole, **changes)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, ""),
        ({"function": "WMO319"}, ""),
        ({"kind": Kind.RETURN, "function": "WMO306"}, ""),
        ({"kind": Kind.RETURN, "function": "WMO325"}, ""),
        ({"kind": Kind.FAULT, "function": ""}, ""),
        ({"kind": Kind.TAKEN}, "IB006"),
        ({"kind": Kind.REFUSED}, "IB006"),
        ({"function": "WMO399"}, "IB004"),
        ({"function": "JW301"}, "IB004"),
        ({"function": "wmo301"}, "IB004"),
        ({"function": ""}, "IB004"),
        ({"function_version": ("0003", "0001")}, "IB023"),
        ({"receiver": "65656056"}, "IB010"),
        ({"sender": "0364"}, "IB002"),
        ({"sender": PROVIDER, "receiver": PROVIDER}, "IB002"),
        ({"kind": Kind.RETURN}, "IB006"),
        ({"function": "WMO302"}, "IB006"),
        ({"function": "WMO305"}, "IB007"),
        ({"kind": Kind.RETURN, "function": "WMO302"}, "IB007"),
        ({"plain_text": True}, "IB014"),
    ],
)
def test_an_envelope_is_refused_with_the_code_of_the_traffic(
    tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    ours = config(tmp_path, Side.PROVIDER)
    if not code:
        judge(ours, told(**changes))
        return
    with pytest.raises(EnvelopeRefused) as refused:
        judge(ours, told(**changes))
    assert refused.value.told.value == code


def test_a_municipality_takes_what_its_provider_sends(tmp_path: Path) -> None:
    ours = config(tmp_path, Side.MUNICIPALITY, law=Law.JW)
    to_us = {"sender": PROVIDER, "receiver": MUNICIPALITY}
    judge(ours, told(**to_us, function="JW305"))
    judge(ours, told(**to_us, function="JW302", kind=Kind.RETURN))
    for changes, code in (({"function": "JW301"}, "IB007"), ({"receiver": "0364"}, "IB005")):
        with pytest.raises(EnvelopeRefused, match=code):
            judge(ours, told(**{**to_us, "function": "JW305", **changes}))


# --- the traffic -------------------------------------------------------------------------------------------


def test_the_whole_traffic_travels_in_envelopes(ggk: Both) -> None:
    agreed(ggk)
    ggk.municipality.work()
    (first,) = ggk.provider.config.inbox.iterdir()
    outward = told_of(first.read_bytes())
    assert (outward.kind, outward.function) == (Kind.OUTWARD, "WMO301")
    assert (outward.sender, outward.receiver) == (MUNICIPALITY, PROVIDER)
    ggk.provider.work()
    ((back, _),) = went(ggk)
    assert (back.kind, back.function, back.cross_reference) == (Kind.RETURN, "WMO302", outward.reference)
    assert (back.sender, back.receiver) == (PROVIDER, MUNICIPALITY)
    ggk.work(2)
    ggk.world.start()
    ggk.work(2)
    ggk.world.stop()
    ggk.work(2)
    assert ggk.world.support().stage is Stage.STOPPED
    numbers = [one.number for one in ggk.municipality.archived + ggk.provider.archived]
    assert sorted(numbers) == ["301", "302", "305", "306", "307", "308"]
    for side in (ggk.municipality, ggk.provider):
        assert side.names("inbox") == side.names("rejected") == []
        # What is kept is the message; the envelope said nothing that the journal does not hold.
        assert not any(is_envelope(path.read_bytes()) for path in side.config.archive.iterdir())
        assert side.journal.unanswered(ggk.clock.now.date().replace(year=2027)) == ()


def test_bare_messages_are_taken_as_ever_and_answered_in_an_envelope(ggk: Both) -> None:
    planned(ggk)
    ggk.provider.drop("a.xml", sent())
    ggk.provider.work()
    ((back, _),) = went(ggk)
    assert (back.kind, back.cross_reference) == (Kind.RETURN, back.reference)
    assert len(ggk.world.assigned) == 1


def test_the_same_envelope_again_is_one_assignment_and_the_same_answer(ggk: Both) -> None:
    planned(ggk)
    data = envelope(emit(sent()), reference=REFERENCE)
    given = []
    for name in ("a.xml", "b.xml"):
        ggk.provider.drop(name, data)
        ggk.provider.work()
        ((_, answer),) = went(ggk)
        given.append(answer)
        for path in ggk.municipality.config.inbox.iterdir():
            path.unlink()
    assert given[0] == given[1]
    assert len(ggk.world.assigned) == 1


def test_the_same_message_in_another_envelope_is_answered_there(ggk: Both) -> None:
    planned(ggk)
    references = [str(uuid.uuid4()), str(uuid.uuid4())]
    answers = []
    for reference in references:
        ggk.provider.drop("a.xml", envelope(emit(sent()), reference=reference))
        ggk.provider.work()
        ((back, _),) = went(ggk)
        answers.append(back)
        for path in ggk.municipality.config.inbox.iterdir():
            path.unlink()
    assert [one.cross_reference for one in answers] == references
    assert answers[0].reference != answers[1].reference
    assert len(ggk.world.assigned) == 1


@pytest.mark.parametrize(
    ("changes", "content", "code"),
    [
        ({"function": "WMO399"}, None, "IB004"),
        ({"sender": "0364"}, None, "IB002"),
        ({"receiver": "65656056"}, None, "IB010"),
        ({"function": "WMO319"}, None, "IB014"),
        ({}, b"PK\x03\x04 a zip", "IB014"),
        ({}, emit(sent()).replace(b"Geslacht>2<", b"Geslacht>9<"), "IB014"),
        ({}, emit(sent()).replace(b">0363<", b">0364<"), "IB002"),
    ],
)
def test_what_is_wrong_is_told_by_its_code_and_nothing_of_it_is_done(
    ggk: Both, changes: dict[str, Any], content: bytes | None, code: str
) -> None:
    planned(ggk)
    data = envelope(content or emit(sent()), reference=REFERENCE, **changes)
    # A file that is no XML is looked at a few times: somebody may be writing it.
    ggk.provider.drop("a.xml", data)
    for _ in range(6):
        ggk.provider.work()
    ((fault, _),) = went(ggk)
    assert (fault.kind, fault.code, fault.cross_reference) == (Kind.FAULT, code, REFERENCE)
    assert ggk.world.assigned == []
    assert ggk.provider.names("inbox") == ggk.provider.names("archive") == []
    assert [name for name in ggk.provider.names("rejected") if name.endswith("reason.txt")] != []
    assert ggk.provider.journal.overdue(ggk.clock.now.date().replace(year=2027)) == ()


def test_a_number_that_was_used_for_something_else_is_refused(ggk: Both) -> None:
    planned(ggk)
    ggk.provider.drop("a.xml", envelope(emit(sent()), reference=REFERENCE))
    ggk.provider.work()
    ggk.provider.drop("b.xml", envelope(emit(sent(identification="A2")), reference=REFERENCE))
    ggk.provider.work()
    assert sorted(codes(ggk)) == ["", "IB016"]
    assert len(ggk.world.assigned) == 1


def test_who_cannot_be_answered_is_not(ggk: Both) -> None:
    no_number = envelope(emit(sent()), reference=REFERENCE).replace(REFERENCE.encode(), b"")
    ggk.provider.drop("a.xml", no_number)
    ggk.provider.work()
    assert went(ggk) == []
    assert ggk.provider.names("rejected") == ["a.xml", "a.xml.reason.txt"]


def test_a_fault_about_ours_sets_it_apart_for_a_person_and_is_taken_once(ggk: Both) -> None:
    agreed(ggk)
    ggk.municipality.work()
    (first,) = ggk.provider.config.inbox.iterdir()
    fault = write_told(
        letter(Kind.FAULT, cross_reference=told_of(first.read_bytes()).reference, code="IB014")
    )
    for _ in range(2):
        ggk.municipality.drop("fault.xml", fault)
        ggk.municipality.work()
    (parked,) = ggk.municipality.journal.parked()
    assert parked.kind == "WMO301"
    assert '"event": "envelope_refused", "message_type": "WMO301", "code": "IB014"' in ggk.log
    assert ggk.municipality.names("inbox") == []
    about_nothing = write_told(letter(Kind.FAULT, code="IB014"))
    ggk.municipality.drop("fault.xml", about_nothing)
    ggk.municipality.work()
    assert '"event": "fault_about_nothing"' in ggk.log


def test_without_the_setting_an_envelope_is_no_message(tmp_path: Path) -> None:
    both = Both(tmp_path)
    both.provider.drop("a.xml", envelope(emit(sent())))
    both.provider.work()
    assert both.provider.names("rejected") == ["a.xml", "a.xml.reason.txt"]
    both.close()


def test_what_is_taken_out_is_the_message_byte_for_byte(ggk: Both) -> None:
    planned(ggk)
    ggk.provider.drop("a.xml", envelope(emit(sent()), soap=True, reference=REFERENCE))
    ggk.provider.work()
    (kept,) = ggk.provider.config.archive.iterdir()
    assert (kept.name, kept.read_bytes()) == (f"ggk-{REFERENCE}.xml", emit(sent()))
    assert read(kept.read_bytes()) == of(ggk.provider, "301")[0]
