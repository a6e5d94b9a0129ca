"""`exchange retention execute`: what is past its term is destroyed by three persons; and what holds it."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain import stream_of
from exchange.domain.limits.holds import PlaceHold
from exchange.domain.plan import DescribeSituation
from exchange.domain.rights.request import RIGHTS_REQUEST, ReceiveRightsRequest
from exchange.errors import KeyDestroyed
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import verify_receipt
from exchange.pipeline.walk import Claim, Steps
from exchange.store.reader import SQLiteReader
from exchange.store.verify import verify_store
from exchange.wiring.core import key_file, open_core, utc_now
from exchange.wiring.published import published_receipt
from exchange.wiring.stores import event_file
from tests.cli.test_keys import Desk
from tests.pipeline import shard as shards
from tests.pipeline.shard import NECESSITY, Shard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

LONG_AGO = datetime(2015, 3, 2, 10, tzinfo=UTC)
WORK = Claim("pw-arbeidsinschakeling", "PW-7", NECESSITY)
DEBTS = Claim("wgs-plan", "WGS-3", NECESSITY)


class Old:
    """A stopped shard with somebody of 2015 under the Participatiewet (ten years), and somebody of today."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        self.desk = desk
        shard = Shard(desk.settings.data)
        worker = shard.caller("college:PW", thumbprint=desk.thumbprint)
        with monkeypatch.context() as then:
            then.setattr(shards, "NOW", LONG_AGO)
            then.setattr(shards, "WIJKTEAM", WORK)
            then.setattr(shard, "caller", lambda *_, **__: worker)
            self.ref, self.case_id, self.plan_id = shard.plan()
            self.old_leaf = shard.done(shard.goal(self.plan_id, relation=False)).leaf_index
        shard.core.integrator.integrate()
        shard.close()

    def add(self, *walks: Any) -> None:  # noqa: ANN401 -- what makes a walk of a shard
        shard = Shard(self.desk.settings.data)
        operator = shard.caller(thumbprint=self.desk.thumbprint)
        shard.caller = lambda *_, **__: operator  # type: ignore[method-assign] # the certificate that is registered
        for walk in walks:
            shard.done(walk(shard))
        shard.core.integrator.integrate()
        shard.close()

    def due(self, exchange: Shell) -> list[dict[str, Any]]:
        said = exchange("retention", "due", "--data", self.desk.settings.data, "-o", "json")
        rows: list[dict[str, Any]] = json.loads(said.out)
        assert said.code == (1 if any(not row["held"] for row in rows) else 0)
        return rows

    def execute(self, exchange: Shell, *people: Path) -> Any:  # noqa: ANN401 -- Said
        proposer, *approvers = people or self.desk.people()
        words: list[object] = ["--data", self.desk.settings.data, "--credentials", self.desk.credentials]
        words += ["--proposer", proposer, "-o", "json"]
        for file in approvers:
            words += ["--approver", file]
        return exchange("retention", "execute", *words)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Old:
    return Old(Desk(tmp_path), monkeypatch)


def placed(ref: str, shard: Shard) -> Any:  # noqa: ANN401 -- a walk
    order = PlaceHold(
        now=utc_now(),
        author=shard.author(),
        hold_id="hold-1",
        kind="court_case",
        reference="AWB-26-1",
        reason="Beroep.",
        review_date=date(2099, 1, 1),
    )
    claim = Claim("toezicht", "HOLD-17-3")
    anchor: dict[str, Any] = {"anchor": f"resident-{ref}", "relation": False, "claim": claim}
    return shard.command(order, "resident", ref, category="LOG", **anchor)


def asked(old: Old, shard: Shard) -> Any:  # noqa: ANN401 -- a walk
    now = utc_now()
    order = ReceiveRightsRequest(
        now=now,
        author=shard.author(),
        rights_request_id="request-1",
        resident=old.ref,
        case_id=old.case_id,
        right="access",
        statement="",
        received_date=now.date(),
        today=now.date(),
        due_at=now,
    )
    steps = Steps(((stream_of("rights_request", "request-1"), RIGHTS_REQUEST.decide(order, None)),))
    claim = Claim("inzage", "RIGHTS-12")
    anchor: dict[str, Any] = {"anchor": f"resident-{old.ref}", "relation": False, "claim": claim}
    return shard.walk(process=lambda _: steps, category="LOG", **anchor)


def test_what_is_past_its_term_is_destroyed_and_everything_else_stays_proven(
    old: Old, exchange: Shell
) -> None:
    (due,) = old.due(exchange)
    assert (due["cases"], due["categories"], due["held"]) == ([old.case_id], [], False)
    # A backup of the day before, keys and events, with the list where it always is: beside the checkpoints.
    data = old.desk.settings.data
    kept = {file: file.read_bytes() for file in (event_file(old.desk.settings), key_file(old.desk.settings))}
    said = old.execute(exchange)
    assert (said.code, said.err) == (0, "")
    (done,) = json.loads(said.out)
    assert (done["cases"], done["kept_by"], done["recipients"]) == ([old.case_id], "", 0)
    assert old.due(exchange) == []
    core = open_core(old.desk.settings)
    assert core.loader.load(f"plan-{old.plan_id}").state is None
    # Who is within his term is there as before, and the store and every receipt of before hold.
    assert len(core.loader.load(f"plan-{old.desk.plan_id}").state.goals) == 1
    assert verify_store(core.reader).problems == []
    policy = parse_policy(f"log {core.signer.vkey}\nquorum none\n")
    core.close()
    _, proof = published_receipt(old.desk.settings, old.old_leaf)
    assert verify_receipt(None, proof, policy).index == old.old_leaf
    certificate = exchange("keys", "certificate", done["erasure_id"], "--data", data, "-o", "json")
    statement = json.loads(certificate.out)["statement"]
    assert (statement["article"], statement["leaf_index"]) == ("retention_end", done["leaf_index"])
    # The keys come back, and are gone before anybody is answered.
    for file in key_file(old.desk.settings).parent.glob("keys.db*"):
        file.unlink()
    key_file(old.desk.settings).write_bytes(kept[key_file(old.desk.settings)])
    core = open_core(old.desk.settings)
    with pytest.raises(KeyDestroyed):
        core.keys.open_key(old.ref, "WMO-PLAN", 1)
    assert core.loader.load(f"plan-{old.plan_id}").state is None
    core.close()
    assert old.due(exchange) == []


def test_a_hold_and_an_open_request_are_told_and_nothing_is_destroyed(old: Old, exchange: Shell) -> None:
    old.add(lambda shard: placed(old.ref, shard))
    (due,) = old.due(exchange)
    assert due["held"]
    before = old.desk.head()
    said = old.execute(exchange)
    assert (said.code, [one["kept_by"] for one in json.loads(said.out)]) == (1, ["HELD"])
    assert old.desk.head() == before


def test_an_open_request_holds_it_too(old: Old, exchange: Shell) -> None:
    old.add(lambda shard: asked(old, shard))
    assert [one["held"] for one in old.due(exchange)] == [True]
    # Not only the list: whoever proposes it by hand is refused alike.
    words = old.desk.words(*old.desk.people(), article="retention_end", reason="term_ended", case=old.case_id)
    said = exchange(*words)
    assert (said.code, said.out) == (1, "")
    assert "the resident waits for an answer" in said.err


def test_a_category_past_its_term_goes_apart_and_is_listed_once(
    old: Old, exchange: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = old.desk
    shard = Shard(desk.settings.data)
    helper = shard.caller("college:WGS", thumbprint=desk.thumbprint)
    order = DescribeSituation(
        now=LONG_AGO,
        author=shard.author("college:WGS"),
        life_domain="finance",
        description="Er zijn schulden.",
        score=1,
        judge_date=LONG_AGO.date(),
    )
    # Of somebody whose plan is of today: debts of 2015 are past the five years of the Wgs.
    walk = shard.command(
        order,
        "plan",
        desk.plan_id,
        category="SCHULDEN",
        anchor=f"plan-{desk.plan_id}",
        relation=False,
        caller=helper,
        claim=DEBTS,
        now=LONG_AGO,
    )
    shard.done(walk)
    shard.core.integrator.integrate()
    shard.close()
    found = {row["cases"][0]: row["categories"] for row in old.due(exchange)}
    assert found == {old.case_id: [], desk.case_id: ["SCHULDEN"]}
    said = old.execute(exchange)
    assert (said.code, said.err) == (0, "")
    assert old.due(exchange) == []
    core = open_core(desk.settings)
    plan = core.loader.load(f"plan-{desk.plan_id}").state
    assert (plan.situations, len(plan.goals)) == ((), 1)
    with closing(SQLiteReader(event_file(desk.settings))) as reader:
        assert verify_store(reader).problems == []
    core.close()


def test_two_persons_are_not_three_and_beside_a_service_nothing_is_destroyed(
    old: Old, exchange: Shell
) -> None:
    one, two, _ = old.desk.people()
    said = old.execute(exchange, one, two)
    assert (said.code, said.out) == (2, "")
    shutil.copytree(old.desk.credentials, old.desk.folder / "copy")
    said = old.execute(exchange, one, two, old.desk.folder / "no-token")
    assert (said.code, said.out) == (2, "")
    assert len(old.due(exchange)) == 1
