"""What a resident reads of what was recorded: all of it in words; numbers and codes in the appendix."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass

from adapters.sdk.access import labelled
from exchange.documents.access import FIRST, access_document
from exchange.documents.appendix import spans
from exchange.documents.blocks import Heading
from exchange.documents.elements import CODES
from exchange.documents.words import words_of
from exchange.v1.consent_service_pb2 import Consent
from exchange.v1.plan_pb2 import Plan
from exchange.v1.representation_service_pb2 import Representative
from exchange.v1.resident_rights_service_pb2 import RightsRequest
from tests.documents.papers import LOOKED, NOON, OIN, PLAN, body_and_appendix, gathered

if TYPE_CHECKING:
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    from exchange.documents.words import Words

CARE = "00000003271543200000"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KNOWN = {
    "categories": "WMO-PLAN",
    "frequency": "2",
    "product_category": "02",
    "provider_oin": CARE,
    "person_oin": CARE,
    "provider_task": "wmo-aanbieder",
    "purpose": "wmo-plan",
    "recipients": f"{CARE}/wmo-aanbieder",
    "unit": "04",
}
NAMES = {OIN: "Gemeente Voorbeeld", CARE: "Zorg Voorbeeld"}


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def filled(kind: type[Message], start: int) -> Message:
    """Return a message with something in every field, no two texts alike."""
    made: Any = kind()
    fields: list[Any] = [*kind.DESCRIPTOR.fields]
    for at, field in enumerate(fields):
        value = _value(field, start + at)
        name = field.name
        if field.message_type is not None:
            getattr(made, name).FromJsonString(NOON)
        elif field.is_repeated:
            getattr(made, name).append(value)
        else:
            setattr(made, name, value)
    return made  # type: ignore[no-any-return] # of the kind that was asked


def _value(field: FieldDescriptor, number: int) -> object:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.type == field.TYPE_STRING:
        return _text(field.name, number)
    if field.type in {field.TYPE_BOOL, field.TYPE_BYTES}:
        return True if field.type == field.TYPE_BOOL else b"%d" % number
    return 3 if "score" in field.name or "step" in field.name else 123_400 + number


def _text(name: str, number: int) -> str:
    if name.endswith(("_id", "_ids")):
        return uuid(number)
    if name.endswith(("date", "dates")):
        return (date(2026, 1, 1) + timedelta(days=number)).isoformat()
    return KNOWN.get(name) or f"{name}={number}"


def whole() -> dict[str, Any]:
    """Return the parts of a file in which every field of every element holds something."""
    start, plan = 100, dict[str, Any](plan_id=PLAN, version="3")
    for field in Plan.DESCRIPTOR.fields:
        if field.message_type is not None:
            plan[field.name] = [told(filled(GetMessageClass(field.message_type), start))]
            start += 100
    parts = {"consents": Consent, "representatives": Representative, "requests": RightsRequest}
    others = {name: [told(filled(kind, start + 100 * at))] for at, (name, kind) in enumerate(parts.items())}
    return {"plan": plan, **others}


def told(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_labelled_field_of_every_part_appears_in_words_or_among_the_numbers(language: str) -> None:
    parts, words = whole(), words_of(language)
    body, appended = body_and_appendix(access_document(gathered(**parts, organisations=NAMES), language))
    collections = {name: one for name, one in parts["plan"].items() if isinstance(one, list)}
    elements = {**collections, **{name: parts[name] for name in ("consents", "representatives", "requests")}}
    asked = {path.partition(".")[0] for path in labelled(Plan.DESCRIPTOR) if "." in path}
    assert asked == set(collections)
    seen = 0
    for name, (element,) in elements.items():
        for key, value in element.items():
            for one in value if isinstance(value, list) else [value]:
                seen += 1
                assert appears(key, str(one), body, appended, words), (name, key, one)
    assert seen > 120
    assert words.field("plan_id") in appended


def appears(key: str, text: str, body: str, appended: str, words: Words) -> bool:
    if key in CODES or UUID.fullmatch(text) or text.startswith(CARE):
        return text in appended and text not in body
    if key.endswith("time"):
        return NOON in appended and words.field(key) in body
    return any(one in body for one in meant(key, text, words)) or (text.isdigit() and text in appended)


def meant(key: str, text: str, words: Words) -> set[str]:
    if key.endswith("_cents"):
        return {words.euros(int(text))}
    if key.endswith(("date", "dates")):
        return {words.day(date.fromisoformat(text))}
    if "=" in text:
        return {text}
    # A word: as what it means, or by the name of its field.
    told = {words.value(text), words.purpose(text), words.category(text), words.task(text)}
    return {words.field(key), *told} - {text}


def test_before_the_appendix_stands_no_number_of_anything_and_no_code() -> None:
    looked = LOOKED | {"explanation": ""}
    found = gathered(**whole(), organisations=NAMES, disclosures=[looked])
    for language in ("nl", "en"):
        body, appended = body_and_appendix(access_document(found, language))
        assert not UUID.search(body)
        for number in (OIN, CARE, "WMO-2.3.2@1", "d-1", "centen", "cents", "(code)", "wmo-aanbieder"):
            assert number not in body, number
        for number in (OIN, CARE, "WMO-2.3.2@1", "d-1", PLAN):
            assert number in appended, number
        assert "Zorg Voorbeeld" in body
        assert "Wmo 2015 art. 2.3.2, lid 4" in body


def shown(name: str, *elements: dict[str, Any], **more: Any) -> tuple[str, str]:  # noqa: ANN401 -- any part
    plan = {"plan_id": PLAN, "version": 3, **more, name: list(elements)}
    return body_and_appendix(access_document(gathered(plan=plan, organisations=NAMES), "nl"))


@pytest.mark.parametrize(
    ("name", "element", "says"),
    [
        ("funding", {"cost_cents": "780000"}, "('Kosten', '€ 7.800,00')"),
        ("funding", {"cost_cents": "5"}, "('Kosten', '€ 0,05')"),
        (
            "funding",
            {
                "sources": ["FUNDING_SOURCE_WMO_2015", "FUNDING_SOURCE_WGS"],
                "amounts_cents": ["520000", "260000"],
            },
            "'Wmo 2015: € 5.200,00; Wet gemeentelijke schuldhulpverlening: € 2.600,00'",
        ),
        (
            "funding",
            {"sources": ["FUNDING_SOURCE_WMO_2015"], "amounts_cents": ["1", "2"]},
            "'€ 0,01, € 0,02'",
        ),
        ("supports", {"volume": 3, "unit": "04", "frequency": "2"}, "('Hoeveel', '3 uur per week')"),
        ("supports", {"volume": 12345, "unit": "83", "frequency": "4"}, "'€ 123,45 per maand'"),
        ("supports", {"volume": 3, "unit": "99"}, "('Hoeveel', '3')"),
        ("supports", {"product_category": "02"}, "('Soort hulp', 'begeleiding')"),
        ("situations", {"score": 2}, "'het gaat niet goed (2 van 5)'"),
        (
            "situations",
            {"earlier_scores": [1], "earlier_judge_dates": ["2026-11-12"]},
            "'er is nu een groot probleem (1 van 5), op 12 november 2026'",
        ),
        ("trajectories", {"step": 4, "earlier_steps": [3]}, "'meedoen met activiteiten (3 van 6)'"),
        ("preferences", {"provider_oin": CARE}, "('Aanbieder', 'Zorg Voorbeeld')"),
        ("preferences", {"provider_oin": "0" * 20}, "('Aanbieder', 'Een organisatie')"),
        ("agreements", {"say_time": "2026-11-26T23:30:00Z"}, "('Gezegd op', '27 november 2026')"),
    ],
)
def test_it_is_told_in_words(name: str, element: dict[str, Any], says: str) -> None:
    body, _ = shown(name, element)
    assert says in body


def test_a_code_that_nobody_knows_stands_among_the_numbers() -> None:
    body, appended = shown("supports", {"product_category": "88", "volume": 3, "unit": "99"})
    assert "88" not in body
    assert "'Soort hulp', '88'" in appended
    assert "'Code van de eenheid', '99'" in appended


def test_an_element_that_another_names_is_told_by_what_it_is_called() -> None:
    goals = [{"goal_id": uuid(1), "own_words": "Rust."}, {"goal_id": uuid(2)}]
    body, appended = shown("trajectories", {"goal_ids": [uuid(1), uuid(2), uuid(9)]}, goals=goals)
    assert "('Voor welke doelen', 'Doel 1 (“Rust.”), Doel 2')" in body
    for number in (uuid(1), uuid(2), uuid(9)):
        assert number in appended
    looked_back = {"goal_ids": [uuid(1), uuid(2)], "scores": [3, 5]}
    body, _ = shown("evaluations", looked_back, goals=goals)
    assert "'Doel 1 (“Rust.”): voor de helft (3 van 5); Doel 2: gehaald (5 van 5)'" in body
    body, _ = shown(
        "funding", {"funding_id": uuid(3), "support_id": uuid(4)}, supports=[{"support_id": uuid(4)}]
    )
    assert "('Voor welke hulp', 'Hulp')" in body


def test_a_term_that_ends_at_midnight_ends_on_the_day_before() -> None:
    for moment, day in (("2026-12-28T23:00:00Z", "28"), ("2026-12-28T23:00:01Z", "29")):
        body, appended = body_and_appendix(access_document(gathered(requests=[{"due_time": moment}]), "nl"))
        assert f"('Antwoord uiterlijk', '{day} december 2026')" in body
        assert moment.replace("Z", "+00:00") in appended


def test_what_the_plan_says_in_his_words_comes_first() -> None:
    document = access_document(gathered(**whole()), "nl")
    words = words_of("nl")
    second = [one.text for one in document.blocks if isinstance(one, Heading) and one.level == 2]
    assert second[:4] == [words.field(name) for name in FIRST]
    assert json.dumps(second).count(words.field("goals")) == 1


def test_numbers_that_follow_each_other_are_one() -> None:
    assert spans([]) == ""
    assert spans([7]) == "7"
    assert spans([3, 1, 2, 7, 9, 10]) == "1-3, 7, 9-10"
