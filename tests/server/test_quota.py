"""The share of a day: counted in events, so that a restart gives nothing back; another's is another's."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import rbcl

from adapters.sdk import errors
from adapters.sdk.client import ExchangeClient
from adapters.sdk.tokens import Person
from exchange.cli import __main__ as root
from exchange.logs import open_log
from exchange.v1.identity_service_pb2 import NO_CASE_REASON_NEW_REPORT
from tests.server.test_pseudonyms import PROVIDE
from tests.server.town import CARE, CITY, INVESTIGATE, QUICK, Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SHARE = 4


@pytest.fixture
def towns(tmp_path: Path) -> Iterator[Callable[[], Town]]:
    opened: list[Town] = []

    def close() -> None:
        while opened:
            opened.pop().close()

    with (tmp_path / "exchange.log").open("a", encoding="utf-8") as lines:

        def open_again() -> Town:
            close()
            town = Town(tmp_path / "town", open_log(stream=lines), evaluations_per_day=SHARE)
            town.start()
            opened.append(town)
            return town

        yield open_again
        close()


def ask(town: Town, count: int, *, care: bool = True) -> None:
    blinded = [rbcl.crypto_core_ristretto255_random() for _ in range(count)]
    person = Person("z-1", "wmo-aanbieder" if care else "college:WMO", "begeleider")
    credentials = town.credentials(f"of-{CARE}" if care else "operator")

    def clock() -> float:
        return town.now().timestamp()

    with ExchangeClient(town.target, credentials, person, patience=QUICK, clock=clock) as client:
        client.identity.evaluate_blinded(
            claim=PROVIDE if care else INVESTIGATE,
            blinded_elements=blinded,
            no_case_reason=NO_CASE_REASON_NEW_REPORT,
        )


def test_a_share_that_was_used_up_stays_so_over_a_restart_until_the_next_day(
    towns: Callable[[], Town],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    town = towns()
    town.join(CARE, "wmo-aanbieder")
    # Midday of tomorrow: no midnight passes while this test runs, and every certificate is valid.
    noon = town.now().replace(hour=12, minute=0) + timedelta(days=1)
    town.skew = noon - town.now()
    ask(town, SHARE - 1)
    # One too many takes none of what is left.
    refuse_over(town, 2)
    ask(town, 1)
    refuse_over(town, 1)
    # What another organisation may ask is another's.
    ask(town, SHARE, care=False)
    again = towns()
    again.skew = noon - again.now()
    refuse_over(again, 1)
    again.skew += timedelta(days=1)
    ask(again, SHARE)
    again.close()
    days = officer(tmp_path, monkeypatch, capsys)
    today, tomorrow = noon.date().isoformat(), (noon + timedelta(days=1)).date().isoformat()
    assert [(one["day"], one["organisation"], one["elements"]) for one in days] == [
        (today, CITY, SHARE),
        (today, CARE, SHARE),
        (tomorrow, CARE, SHARE),
    ]
    assert days[0]["without_case"] == {"new_report": SHARE}


def refuse_over(town: Town, count: int) -> None:
    head = town.core.reader.head()
    with pytest.raises(errors.Unavailable) as refused:
        ask(town, count)
    assert refused.value.reason == "QUOTA_EXCEEDED"
    assert refused.value.retry_after_s is not None
    assert 11 * 3600 < refused.value.retry_after_s <= 12 * 3600 + 1
    # No permit stands for what was not answered.
    assert town.core.reader.head() == head


def officer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, Any]]:
    monkeypatch.setattr(
        sys, "argv", ["exchange", "identity", "evaluations", "--data", str(folder / "town"), "-o", "json"]
    )
    with pytest.raises(SystemExit) as ended:
        root.main()
    assert ended.value.code == 0
    told: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return told
