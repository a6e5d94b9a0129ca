"""What a refusal behind a cut line says to a person, and under which request id it is asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk.errors import ExchangeRefused, NotAuthenticated, Unreachable
from exchange.errors import KeyUnavailable, RequestInvalid
from exchange.server.status import TABLE
from tests.sdk.cut_lines import (
    GOAL,
    KEPT_OUT,
    away,
    batch_of,
    ending,
    one_held_back,
    open_now,
    outcomes,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapters.sdk.batches import Collected
    from exchange.errors import ExchangeError
    from tests.sdk.exchange_fake import FakeExchange

OPEN = "Of dit is vastgelegd, is nog onbekend: een eerdere poging kreeg geen antwoord."
SAME_ID = "First send it again under the same request id: it may be recorded, and that tells."
WRONG = RequestInvalid("wrong", {"own_words": "is empty"})


def ids_of(found: list[Collected[Any]]) -> list[str]:
    sent: list[Any] = [one.request for one in found]
    assert all(one.request_id for one in sent)
    return [one.request_id for one in sent]


def refused_of(found: Collected[Any]) -> ExchangeRefused:
    assert isinstance(found.refused, ExchangeRefused)
    return found.refused


@pytest.mark.parametrize("error", [away(), WRONG, KEPT_OUT], ids=lambda error: error.code)
def test_what_is_said_of_the_last_attempt_stands_behind_that_it_may_be_recorded(
    exchange: FakeExchange, using: Callable[..., Any], error: ExchangeError
) -> None:
    exchange.on("SetGoal", ending(None, *[error] * 3))
    with pytest.raises(ExchangeRefused) as caught:
        using(lambda client: client.plan.set_goal(**GOAL))
    refused = caught.value
    assert refused.localized == f"{OPEN} Over de laatste poging: {TABLE[error.code].dutch}"
    assert refused.remedies == (SAME_ID, error.remedy)
    assert str(refused).startswith(
        "it may be recorded, for an attempt before this one was not answered; " + error.code
    )
    # What the exchange said is there as it said it.
    assert refused.refusal.localized == TABLE[error.code].dutch
    assert refused.refusal.remedies == (error.remedy,)


@pytest.mark.parametrize("ends", [(WRONG,), (open_now(), *[open_now()] * 3)], ids=["told", "open"])
def test_what_was_answered_or_says_so_itself_is_told_as_the_exchange_says_it(
    exchange: FakeExchange, using: Callable[..., Any], ends: tuple[ExchangeError, ...]
) -> None:
    exchange.on("SetGoal", ending(*ends))
    with pytest.raises(ExchangeRefused) as caught:
        using(lambda client: client.plan.set_goal(**GOAL))
    assert caught.value.localized == TABLE[ends[-1].code].dutch
    assert caught.value.remedies == (ends[-1].remedy,)
    assert str(caught.value).startswith(ends[-1].code)


def test_one_that_is_held_back_says_of_itself_what_is_known_of_it(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    """The receipt of the second was not kept; that nothing was recorded is said of the first."""
    found = one_held_back(exchange, using)
    first, second = map(refused_of, found)
    assert not first.localized.startswith(OPEN)
    assert second.localized == f"{OPEN} Over de laatste poging: {first.localized}"


@pytest.mark.parametrize(
    ("ends", "kind"),
    [((None, KEPT_OUT), NotAuthenticated), ((None,) * 4, Unreachable), ((KEPT_OUT,), NotAuthenticated)],
    ids=["cut and kept out", "cut", "kept out"],
)
def test_each_command_of_a_message_that_failed_names_the_request_id_it_is_asked_under(
    exchange: FakeExchange,
    using: Callable[..., Any],
    ends: tuple[ExchangeError | None, ...],
    kind: type[ExchangeRefused],
) -> None:
    exchange.on("SendCommands", ending(*ends))
    batch, found = batch_of(2)
    using(lambda client: client.send_batch(batch))
    assert [type(one.refused) for one in found] == [kind] * 2
    assert [refused_of(one).request_id for one in found] == ids_of(found)


def test_one_behind_another_names_its_own_request_id(
    exchange: FakeExchange, using: Callable[..., Any]
) -> None:
    later = KeyUnavailable("the key store is away")
    exchange.on("SendCommands", lambda *_: outcomes(later, away()))
    batch, found = batch_of(2)
    using(lambda client: client.send_batch(batch))
    assert [refused_of(one).request_id for one in found] == ids_of(found)
