"""Case to plan and back, over a real exchange and real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fastjsonschema

from adapters.kit.receipts import ReceiptsKept
from adapters.municipal.mapping import identification_of, object_uuid
from adapters.municipal.service import catch_up
from adapters.sdk.bsn import Bsn
from exchange.v1 import plan_pb2
from exchange.v1 import representation_service_pb2 as representation
from tests.municipal.around import ME, WORDS, Adapter, Reported, configured, plan_of, schema, tell, writes
from tests.server.story import Story
from tests.server.test_erasure import Erasure
from tests.server.test_rights import LIMIT
from tests.server.test_support import PROVIDE, Steps
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import OpenZaak, Seen
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange


def follow(adapter: Adapter) -> None:
    """Do what `once` does; the sweep is due too."""
    adapter.clock.pass_by(hours=1)
    catch_up(adapter.service, adapter.exchange)
    adapter.work()


def test_a_case_becomes_a_plan_and_the_plan_moves_the_case(
    exchange: Exchange, adapter: Adapter, town: Town, seen: list[Seen]
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    story = Reported(exchange, bsn, plan_of(zaak))
    told = story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["reports.own_words"])
    assert [one.own_words for one in told.plan.reports] == [WORDS]
    assert town.statuses(zaak) == ["Melding ontvangen"]

    steps = Steps(exchange, story)
    support_id = steps.request()
    follow(adapter)
    assert town.statuses(zaak) == ["Melding ontvangen", "Onderzoek"]
    steps.agree()
    tell(adapter, story.plan_id)
    assert town.statuses(zaak)[2:] == ["Plan akkoord"]
    assert zaak["resultaat"] is None
    steps.assign(support_id)
    follow(adapter)
    assert town.statuses(zaak)[3:] == ["Afgehandeld"]
    assert zaak["einddatum"] is not None
    assert town.result(zaak) == "Toegekend"
    (decision,) = town.system.besluiten.besluiten.by_uuid.values()
    assert (decision["zaak"], decision["ingangsdatum"]) == (zaak["url"], "2027-01-01")

    held = town.system.objects.objects.by_uuid[object_uuid(story.plan_id)]
    fastjsonschema.compile(schema())(held["records"][-1]["data"])
    assert held["records"][-1]["data"]["ondersteuning"][0]["stand"] == "assigned"
    (linked,) = town.system.zaken.zaakobjecten.by_uuid.values()
    assert linked["object"] == held["url"]
    (version,) = town.system.zaken.eigenschappen.by_uuid.values()
    assert version["naam"] == "planversie"

    # Its own changes come back to it, from both sides, and start nothing.
    quiet = writes(seen)
    adapter.service.desk.ask("zaak", zaak["url"])
    follow(adapter)
    assert writes(seen) == quiet
    # Asked by POST, with the number in the body, and only what is needed of the BRP.
    assert set(town.system.brp.asked_fields) == {("geboorte.datum", "indicatieCurateleRegister")}
    assert adapter.parked() == []
    # Care that starts later moves the copy, not the case that is closed.
    steps.of(steps.carer, "start_support", PROVIDE, support_id=support_id, care_start_date="2027-01-04")
    follow(adapter)
    assert held["records"][-1]["data"]["ondersteuning"][0]["stand"] == "started"
    assert adapter.parked() == []


def test_a_plan_of_another_desk_gets_a_case_once(
    exchange: Exchange, adapter: Adapter, town: Town, seen: list[Seen]
) -> None:
    bsn = town.person(next(exchange.bsns), geheimhoudingPersoonsgegevens=True)
    story = Story(exchange, bsn)
    assert not adapter.service.intake.keep_person(Bsn(bsn))
    assert town.cases() == []
    story.wmo.case.join_professional(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=adapter.exchange.own_oin,  # type: ignore[attr-defined] # the real port
        task="college:WMO",
        professional=ME,
        role="adapter",
    )
    assert adapter.service.intake.keep_person(Bsn(bsn))
    adapter.work()
    (zaak,) = town.cases()
    assert plan_of(zaak) == story.plan_id
    assert zaak["identificatie"] == identification_of(story.plan_id)
    # Who asked for secrecy in the BRP is shown to fewer.
    assert zaak["vertrouwelijkheidaanduiding"] == "vertrouwelijk"
    (role,) = town.system.zaken.rollen.by_uuid.values()
    assert role["betrokkeneIdentificatie"] == {"inpBsn": bsn}
    quiet = writes(seen)
    # Told of its own case by the case system, and asked for the same person again.
    adapter.service.desk.ask("zaak", zaak["url"])
    assert adapter.service.intake.keep_person(Bsn(bsn))
    tell(adapter, story.plan_id)
    assert writes(seen) == quiet
    assert len(town.cases()) == 1


def test_a_lost_journal_finds_its_cases_again(
    exchange: Exchange, adapter: Adapter, town: Town, system: OpenZaak, tmp_path: Path
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    plan_id = plan_of(zaak)
    again = configured(
        tmp_path / "again",
        system,
        target=exchange.target,
        credentials=str(exchange.settings.data / "operator"),
    )
    fresh = Adapter(again, adapter.exchange, adapter.clock)
    fresh.work()
    assert fresh.service.desk.links.of_plan(plan_id) is not None
    assert plan_of(zaak) == plan_id
    assert town.statuses(zaak) == ["Melding ontvangen"]
    fresh.close()


def test_the_parents_of_a_child_are_recorded_as_the_register_says(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    bsn, parents = next(exchange.bsns), [next(exchange.bsns), next(exchange.bsns)]
    gezag = {
        "type": "GezamenlijkOuderlijkGezag",
        "minderjarige": {"burgerservicenummer": bsn},
        "ouders": [{"burgerservicenummer": one, "naam": {"volledigeNaam": "Ouder"}} for one in parents],
    }
    town.person(bsn, "2018-03-01", gezag=[gezag])
    zaak = town.case(bsn)
    adapter.work()
    assert adapter.parked() == []
    story = Reported(exchange, bsn, plan_of(zaak))
    listed = story.wmo.representation.list_representatives(
        claim=INVESTIGATE,
        case_id=story.case_id,
        fields=["representatives.gezag", "representatives.evidence_source", "representatives.relation"],
    )
    assert [(one.relation, one.gezag, one.evidence_source) for one in listed.representatives] == [
        (
            representation.RELATION_PARENT,
            representation.GEZAG_GEZAMENLIJK_OUDERLIJK,
            representation.EVIDENCE_SOURCE_BRP,
        )
    ] * 2
    assert ("gezag",) in town.system.brp.asked_fields


def test_a_number_in_the_words_of_a_case_goes_nowhere(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn, words=f"Mijn nummer is {bsn}.")
    adapter.work()
    assert adapter.parked() == ["exchange BSN_REFUSED"]
    assert zaak["kenmerken"] == []
    (reason,) = adapter.config.rejected.glob("*.reason.txt")
    assert bsn not in reason.read_text() + adapter.lines.getvalue()
    # Mended by a person: told of again, it goes on; the words are those of today.
    zaak["toelichting"] = WORDS
    adapter.service.desk.ask("zaak", zaak["url"])
    adapter.work()
    assert adapter.parked() == []
    assert plan_of(zaak)


def test_who_lost_his_part_tells_no_more_and_keeps_no_copy(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    story = Reported(exchange, bsn, plan_of(zaak))
    assert object_uuid(story.plan_id) in town.system.objects.objects.by_uuid
    story.wmo.case.leave_case(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=adapter.exchange.own_oin,  # type: ignore[attr-defined] # the real port
        task="college:WMO",
        professional=ME,
    )
    adapter.service.desk.ask("plan", story.plan_id, story.plan_id)
    adapter.work()
    assert [reason.split()[0] for reason in adapter.parked()] == ["denied"]
    assert town.system.objects.objects.by_uuid == {}
    assert "errand_parked" in adapter.events


def test_after_an_erasure_nothing_is_left_and_it_is_confirmed(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    story = Reported(exchange, bsn, plan_of(zaak))
    receipts = ReceiptsKept(adapter.config.state, make=False)
    assert [one.rpc.rpartition("/")[2] for one in receipts.listed(story.plan_id)] == ["ReceiveReport"]
    erasure = Erasure(exchange, story)
    erasure.executed()
    tell(adapter, story.plan_id)
    assert list(receipts.listed(story.plan_id)) == []
    receipts.close()
    assert town.system.objects.objects.by_uuid == {}
    assert not adapter.service.desk.links.holds(story.plan_id)
    assert all(one.erasure_id != erasure.erasure_id for one in adapter.exchange.purges.asked())
    kept = adapter.config.journal.read_bytes()
    assert bsn.encode() not in kept
    assert "case_file_for_a_person" in adapter.events
    # The case is still there, names its plan, and is not reported anew.
    adapter.service.desk.ask("zaak", zaak["url"])
    adapter.work()
    assert adapter.parked() == []


def test_what_is_solved_without_custom_support_closes_the_case_too(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    story = Reported(exchange, bsn, plan_of(zaak))
    story.wmo.plan.record_conversation(
        claim=INVESTIGATE,
        plan_id=story.plan_id,
        expected_version=story.version,
        kind=plan_pb2.CONVERSATION_KIND_FIRST,
        hold_date="2026-11-02",
        outcome=plan_pb2.CONVERSATION_OUTCOME_SOLVED_IN_GENERAL_SERVICES,
        summary="De buurtkamer helpt.",
    )
    tell(adapter, story.plan_id)
    assert town.statuses(zaak)[-1] == "Afgehandeld"
    assert town.result(zaak) == "Opgelost zonder maatwerk"


def test_what_is_restricted_waits_and_goes_on_once_it_is_lifted(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    bsn = town.person(next(exchange.bsns))
    zaak = town.case(bsn)
    adapter.work()
    story = Reported(exchange, bsn, plan_of(zaak))
    on_case: dict[str, Any] = {"claim": LIMIT, "case_id": story.case_id}
    name = story.wmo.rights.restrict(reason="Juistheid betwist.", **on_case).restriction_id
    tell(adapter, story.plan_id)
    assert adapter.parked() == ["denied R24"]
    # The resident may want what is kept: no copy is taken away for this.
    assert object_uuid(story.plan_id) in town.system.objects.objects.by_uuid
    on_case["restriction_id"] = name
    story.wmo.rights.announce_lifting(how="letter", **on_case)
    story.wmo.rights.lift_restriction(reason="Nagegaan.", **on_case)
    adapter.clock.pass_by(hours=22)
    adapter.work()
    assert adapter.parked() == ["denied R24"]
    adapter.clock.pass_by(hours=2)
    adapter.work()
    assert adapter.parked() == []
    assert adapter.journal.waiting() == ()
