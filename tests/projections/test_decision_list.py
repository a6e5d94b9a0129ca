"""The list of decisions is a fold of the events, without a word of anybody, whoever followed."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.disclosure import DisclosureDecided
from exchange.errors import StoreUnavailable
from exchange.pipeline.walk import Claim
from exchange.projections import facets
from exchange.projections.decisions import DecisionList
from exchange.projections.facets import Wanted
from exchange.projections.follower import catch_up
from exchange.projections.kinds import NO_BASIS, Facet
from tests.e2e.service import REPOSITORY, environment
from tests.pipeline.erasing import erased
from tests.pipeline.insights import helped
from tests.projections.test_obligations import AT, GLASS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.pipeline.shard import Shard

END = 2**40


@pytest.fixture
def listed(shard: Shard) -> Iterator[DecisionList]:
    made = listing(shard, shard.settings.data / "list")
    yield made
    made.database.close()


def listing(shard: Shard, folder: Path) -> DecisionList:
    return DecisionList(folder, shard.core.log_pseudonym)


def follow(shard: Shard, made: DecisionList) -> str:
    catch_up(made, shard.core.reader, shard.core.codec)
    return made.database.dump()


def asked(shard: Shard, plan_id: str, **changes: Any) -> None:  # noqa: ANN401 -- any field of a question
    """Ask, and be refused or not: each is a decision."""
    shard.run(shard.question(plan_id, **changes))


def total(made: DecisionList, **wanted: Any) -> int:  # noqa: ANN401 -- fields of Wanted
    return facets.counts(made.database, Wanted(**wanted), END).total


def test_a_decision_is_filed_under_what_is_not_sealed_of_it(shard: Shard, listed: DecisionList) -> None:
    ref, plan_id = helped(shard, 2, 4)
    follow(shard, listed)
    before = total(listed)
    asked(shard, plan_id)
    asked(shard, plan_id, caller=shard.caller(professional="stranger"))
    asked(shard, plan_id, claim=Claim("wmo-onderzoek", "NO-SUCH-1", "nodig"))
    glass = shard.caller(professional="prof-9", authenticated_at=int(AT.timestamp()))
    asked(shard, plan_id, claim=GLASS, caller=glass, now=AT, bulk=False)
    refused = Claim("acute-nood", "AVG-6.1.d", "nodig", ("LEVENSGEVAAR", "te kort"))
    asked(shard, plan_id, claim=refused, caller=glass, now=AT, bulk=False)
    told = follow(shard, listed)
    assert total(listed) == before + 5
    counts = facets.counts(listed.database, Wanted(resident=shard.core.log_pseudonym(ref)), END)
    assert counts.facets[Facet.ORGANISATION] == {shard.oin: counts.total}
    assert counts.facets[Facet.CATEGORY]["WMO-PLAN"] >= 3
    assert counts.facets[Facet.LEGAL_BASIS][NO_BASIS] == 1
    assert "NO-SUCH-1" not in told, "what a caller claims is his own word, and there is no end to those"
    assert total(listed, legal_bases=("WMO-2.3.2",)) == total(listed, legal_bases=("WMO-2.3.2@1",)) >= 2
    assert total(listed, outcomes=("DENY",), rules=("R03",)) >= 1
    assert total(listed, emergency=True) == len(("permitted", "refused"))
    assert total(listed, emergency=True, outcomes=("DENY",)) == 1
    assert total(listed, emergency=False) == total(listed) - 2
    for word in (ref, "zo gaat het", "prof-9", "goals.", "De buurvrouw", "nodig"):
        assert word not in told


def test_an_erasure_takes_the_way_to_the_pseudonym_and_leaves_the_counts(
    shard: Shard, listed: DecisionList
) -> None:
    ref, plan_id = helped(shard, 2, 4)
    asked(shard, plan_id)
    follow(shard, listed)
    before, pseudonym = total(listed), shard.core.log_pseudonym(ref)
    of_him = total(listed, resident=pseudonym)
    assert of_him >= 1
    erased(shard, ref)
    followed = follow(shard, listed)
    assert (total(listed, resident=pseudonym), total(listed)) == (of_him, before)
    listed.database.forget()
    assert follow(shard, listed) == followed


def test_what_fails_in_the_middle_leaves_rows_and_position_as_they_were(
    shard: Shard, listed: DecisionList, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plan_id = helped(shard, 2, 4)
    before = follow(shard, listed)
    for _ in range(3):
        asked(shard, plan_id)
    real, calls = shard.core.codec.decode_clear, list[int]()

    def fails_at_the_last(*state: Any, **place: Any) -> Any:  # noqa: ANN401 -- the codec's own arguments
        calls.append(1)
        if place["topic"] == DisclosureDecided.TOPIC and len(calls) == 3:
            raise StoreUnavailable("lost")
        return real(*state, **place)

    monkeypatch.setattr(shard.core.codec, "decode_clear", fails_at_the_last)
    with pytest.raises(StoreUnavailable):
        follow(shard, listed)
    assert listed.database.dump() == before
    monkeypatch.undo()
    follow(shard, listed)
    assert listed.database.position() == shard.head


CHILD = """
import sys
from pathlib import Path
from exchange.projections.decisions import DecisionList
from exchange.settings import Settings
from exchange.wiring.core import open_core
core = open_core(Settings(data=Path(sys.argv[1])))
made = DecisionList(Path(sys.argv[2]), core.log_pseudonym)
while True:
    made.database.forget()
    while rows := core.reader.page(after := made.database.position(), 2, made.topics):
        made.apply(rows, after, rows[-1].position, core.codec)
        print(rows[-1].position, flush=True)
"""


@pytest.mark.slow
def test_killed_between_two_commits_it_follows_on_to_the_same_list(shard: Shard, tmp_path: Path) -> None:
    _, plan_id = helped(shard, 2, 4)
    for _ in range(9):
        asked(shard, plan_id)
    straight = listing(shard, tmp_path / "straight")
    expected = follow(shard, straight)
    straight.database.close()
    child = subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-c", CHILD, str(shard.settings.data), str(tmp_path / "killed")],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env=environment(),
    )
    try:
        assert child.stdout is not None
        for _ in range(3):
            assert child.stdout.readline()
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    killed = listing(shard, tmp_path / "killed")
    assert follow(shard, killed) == expected
    killed.database.close()
