"""Inside the writer too, sealed and absent take the same steps: instructions are counted, not times."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from exchange.settings import throw_away_settings
from exchange.wiring.bench_twins import ABSENT, ANOTHER, FIELDS, LINK, Twins
from tests.instructions import instructions, unlike

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.pipeline.walk import Walk

# How many hashes a new leaf costs hangs on its number, and ids are drawn many at once: on nobody's seal.
BY_THE_NUMBER: Final = frozenset({"ledger/merkle.py:extend", "wiring/core.py:__call__"})
SEALED: Final = "lens_assessments.finding"
ASKED: Final[dict[str, Callable[[Twins, str], Walk]]] = {
    "the plan": Twins.plan_question,
    "the plan or a part": lambda twins, whose: replace(twins.plan_question(whose), allow_partial=True),
    "nothing but what is sealed": lambda twins, whose: replace(twins.plan_question(whose), fields=(SEALED,)),
    "nothing that is sealed": lambda twins, whose: replace(
        twins.plan_question(whose), fields=("goals.own_words",)
    ),
    "what is computed": lambda twins, whose: replace(twins.plan_question(whose), computed=True),
    "a change": lambda twins, whose: replace(twins.plan_question(whose), change_of="lens_assessments"),
    "consents": Twins.consents_question,
    "a command": Twins.command,
}


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    folder: Path = tmp_path_factory.mktemp("twins")
    found = Twins.open(throw_away_settings(data=folder))
    yield found
    found.core.close()


def walked(twins: Twins, walk: Walk) -> Any:  # noqa: ANN401 -- any outcome
    (outcome,) = twins.core.writer.run([walk])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@pytest.mark.parametrize("what", ASKED)
def test_sealed_and_absent_take_the_same_steps_in_the_writer(twins: Twins, what: str) -> None:
    walks = {whose: partial(ASKED[what], twins, whose) for whose in twins.residents}
    for walk in walks.values():
        # Twice: what is the same for all, and what stays the same for each, is worked out once.
        walked(twins, walk())
        walked(twins, walk())
    found = {whose: instructions(partial(walked, twins, walk())) for whose, walk in walks.items()}
    assert found[ABSENT].total() > 1_000
    other = {whose: unlike(found[ABSENT], steps, BY_THE_NUMBER) for whose, steps in found.items()}
    assert other == {ABSENT: {}, ANOTHER: {}, FIELDS: {}, LINK: {}}


def test_the_record_alone_knows_of_the_seal(twins: Twins) -> None:
    """Otherwise the steps could be the same because nothing was sealed."""
    rules = {whose: walked(twins, twins.plan_question(whose)).verdict.rules for whose in twins.residents}
    assert rules[FIELDS] == ("R26",)
    assert rules[ABSENT] == rules[ANOTHER] == rules[LINK] == ("P-WMO-2.3.2",)


def test_other_steps_are_seen(twins: Twins) -> None:
    whole, part = (
        instructions(partial(walked, twins, replace(twins.plan_question(ABSENT), fields=fields)))
        for fields in (("goals.own_words",), ("goals.own_words", SEALED))
    )
    assert unlike(whole, part, BY_THE_NUMBER)["gate/judge.py:<listcomp>"] > 0
