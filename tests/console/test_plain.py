"""Plain words of a plan: of the documents' list alone, in both languages; what is not known is left out."""

from __future__ import annotations

import pytest

from exchange.console.resident.plain import Plain
from exchange.documents.words import words_of

EUROS = {"volume": 520_000, "unit": "83", "frequency": "4"}


@pytest.mark.parametrize(
    ("support", "dutch", "english"),
    [
        ({"volume": 3, "unit": "04", "frequency": "2"}, "3 uur per week", "3 hours a week"),
        ({"volume": 3, "unit": "04", "frequency": "9"}, "3 uur", "3 hours"),
        (EUROS, "€ 5.200,00 per maand", "€5,200.00 a month"),
        (EUROS | {"frequency": ""}, "€ 5.200,00", "€5,200.00"),
        (EUROS | {"volume": 0}, "", ""),
        ({"volume": 3, "unit": "99", "frequency": "2"}, "", ""),
        ({"volume": 3}, "", ""),
    ],
)
def test_an_amount_is_as_the_documents_write_it(support: dict[str, object], dutch: str, english: str) -> None:
    assert [Plain(words_of(one)).amount(support) for one in ("nl", "en")] == [dutch, english]


def test_a_code_is_told_by_the_words_of_the_documents_and_an_unknown_one_is_not() -> None:
    plain, words = Plain(words_of("nl")), words_of("nl")
    assert (plain.score(1), plain.score(6)) == (words.coded("scores", 1), "")
    assert (plain.reached(5), plain.reached(0)) == (words.coded("reached", 5), "")
    assert (plain.step(6), plain.step(7)) == (words.coded("steps", 6), "")
    assert plain.product({"product_category": "17"}) == words.coded("products", "17") != ""
    assert plain.product({"product_category": "99", "kind": "NOTHING_KNOWN"}) == ""
    told = {
        "score": 4,
        "judge_date": "2026-03-01",
        "earlier_scores": [2, 9],
        "earlier_judge_dates": ["2026-01-01", "2026-02-01"],
    }
    assert [how for _, how in plain.scores(told)] == ["het gaat goed", "het gaat niet goed"]
