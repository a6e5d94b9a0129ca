"""What an officer saves: the logs of the standards, whole, of a span, and with the purpose he chose."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import StreamingResponse

from exchange.console.downloads import passed_on
from exchange.console.pages.policy import logs
from exchange.console.refusals import AnswerRefused
from exchange.console.templating import HERE
from exchange.v1.common_pb2 import PURPOSE_TOEZICHT
from tests.console.house import AUTHOR, OFFICER
from tests.server.town import AUDIT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import date

    from tests.console.house import House

WORDS = [log.word for log in logs.LOGS]


def today(house: House) -> date:
    return house.town.now().astimezone(HERE).date()


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("word", WORDS)
def test_a_log_is_one_json_text_or_a_line_each(house: House, word: str) -> None:
    visitor, day = house.as_(OFFICER), today(house)
    address = f"/uitvoer/logboek?logboek={word}&van={day - timedelta(days=1)}&tot={day}&doel=toezicht"
    told = visitor.get(f"{address}&vorm=json")
    assert told.status_code == 200
    assert told.headers["content-type"] == "application/json"
    name = f"{word}-{day - timedelta(days=1)}-{day}.json"
    assert told.headers["content-disposition"] == f'attachment; filename="{name}"'
    whole = told.json()
    found: list[Any] = whole["processingActivities"] if word == WORDS[0] else whole
    lines = [json.loads(line) for line in visitor.get(f"{address}&vorm=jsonl").text.splitlines()]
    assert lines[: len(found)] == found
    # The second file tells of the first one, but for that of care, which is about residents.
    assert len(lines) - len(found) == (word != "nen7513")
    assert house.bsn not in told.text


@pytest.mark.usefixtures("story")
def test_a_file_is_one_decision_with_the_purpose_that_was_chosen(house: House) -> None:
    client = house.town.worker("fg", "fg-1")

    def newest() -> Any:  # noqa: ANN401 -- a Disclosure
        fields = [f"decisions.disclosure.{name}" for name in ("action", "purpose", "professional")]
        answer = client.audit.list_decisions(claim=AUDIT, fields=fields, newest_first=True, page_size=1)
        return answer.decisions[0].disclosure

    visitor = house.as_(OFFICER)
    visitor.get("/uitvoer/logboek?logboek=verwerkingenlogging&doel=toezicht&vorm=jsonl")
    told = newest()
    assert (told.action, told.professional) == ("EXPORT", OFFICER)
    assert told.purpose == PURPOSE_TOEZICHT


def test_a_day_without_anything_is_an_empty_log(house: House) -> None:
    visitor = house.as_(OFFICER)
    address = "/uitvoer/logboek?van=2021-01-01&tot=2021-01-01&doel=audit"
    ldv, adl = (f"{address}&logboek={word}" for word in (WORDS[0], WORDS[-1]))
    assert visitor.get(f"{ldv}&vorm=json").json() == {"processingActivities": []}
    assert visitor.get(f"{adl}&vorm=json").json() == []
    assert visitor.get(f"{adl}&vorm=jsonl").text == ""


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "logboek"),
        ("logboek=%3Cscript%3E&doel=audit&vorm=json", "logboek"),
        ("logboek=nen7513&doel=audit&vorm=json&van=2026-13-01", "van"),
        ("logboek=nen7513&doel=audit&vorm=json&van='--", "van"),
        ("logboek=nen7513&doel=audit&vorm=json&van=1999-12-31", "van"),
        ("logboek=nen7513&doel=audit&vorm=json&tot=%00", "tot"),
        ("logboek=nen7513&doel=audit&vorm=json&van=2026-11-02&tot=2026-11-01", "tot"),
        ("logboek=nen7513&doel=marketing&vorm=json", "doel"),
        ("logboek=nen7513&doel=audit&vorm=../../etc/passwd", "vorm"),
    ],
)
def test_what_is_wrong_is_told_at_its_field_and_asks_nothing(house: House, query: str, field: str) -> None:
    answer = house.as_(OFFICER).get(f"/uitvoer/logboek?{query}")
    assert answer.status_code == 400
    assert f'id="fout-{field}"' in answer.text
    assert "<script>" not in answer.text
    assert "marketing" not in answer.text


def test_a_long_address_and_another_role_are_refused(house: House) -> None:
    assert house.as_(OFFICER).get(f"/uitvoer/logboek?logboek={'a' * 10_000}").status_code == 414
    assert house.as_(AUTHOR).get("/uitvoer/logboek?logboek=nen7513").status_code == 403
    assert house.visitor().get("/uitvoer/logboek?logboek=nen7513").status_code == 303


def test_what_breaks_off_later_breaks_the_answer_off_and_is_read_no_further(house: House) -> None:
    closed: list[str] = []

    async def parts(first: bytes) -> AsyncGenerator[bytes, None]:
        try:
            if first:
                yield first
            raise AnswerRefused("DRAINING", "", HTTPStatus.SERVICE_UNAVAILABLE)
        finally:
            closed.append("closed")

    async def taken() -> bytes:
        answer = await passed_on(parts(b"one"), "a.json", "application/json")
        assert isinstance(answer, StreamingResponse)
        told = aiter(answer.body_iterator)
        found = await anext(told)
        with pytest.raises(AnswerRefused):
            await anext(told)
        assert isinstance(found, bytes)
        return found

    assert house.town.run(taken) == b"one"
    with pytest.raises(AnswerRefused):
        house.town.run(lambda: passed_on(parts(b""), "a.json", "application/json"))
    assert closed == ["closed", "closed"]
