"""Second part: a real iWmo message assigns the support; the provider reads what it needs and care starts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from adapters.sdk.tokens import Person
from adapters.simulators.story import systems
from adapters.simulators.story.intake import join
from adapters.simulators.story.stage import INZIEN, LEVERING, WIJKTEAM, StoryBroken
from exchange.v1.plan_pb2 import StopReason, SupportState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

MUNICIPALITY_CODE: Final = "9998"
PROVIDER_CODE: Final = "99990001"
MESSAGES: Final = "iwmo-berichten"
PERSON: Final = {
    "birth_date": "1984-05-17",
    "gender": "2",
    "surname": "Voorbeeld",
    "initials": "R",
    "address": {"house_number": 12, "postcode": "1234AB", "street": "Dorpsstraat", "town": "Voorbeeld"},
}


def config(plan: Plan, side: str) -> Path:
    """Write one side's settings.

    The municipality's outbox is the provider's inbox, and the other way round.
    """
    municipality, provider = plan.municipality.folder, plan.provider.folder
    ours, theirs = (municipality, provider) if side == "municipality" else (provider, municipality)
    other = plan.provider if side == "municipality" else plan.municipality
    codes = (MUNICIPALITY_CODE, PROVIDER_CODE)
    own, counterparty = codes if side == "municipality" else codes[::-1]
    task = "college:WMO" if side == "municipality" else "wmo-aanbieder"
    return systems.settings(
        ours / "adapter.toml",
        {
            "side": side,
            "target": plan.script.target,
            "credentials": str(ours / "credentials"),
            "inbox": str(ours / "inbox"),
            "outbox": str(theirs / "inbox"),
            "archive": str(ours / "archive"),
            "rejected": str(ours / "rejected"),
            "state": str(ours / "state"),
            "own_code": own,
            "counterparty_code": counterparty,
            "counterparty_oin": other.oin,
            "poll_ms": 100,
            "person": {"professional": MESSAGES, "task": task},
        },
    )


def let_messages_in(plan: Plan, person: Mapping[str, object]) -> None:
    """Let both message systems join the case, and tell the municipality's whose it is."""
    join(plan, plan.wijkteam(), WIJKTEAM, plan.municipality, Person(MESSAGES, "college:WMO", "adapter"))
    join(plan, plan.wijkteam(), WIJKTEAM, plan.provider, Person(MESSAGES, "wmo-aanbieder", "adapter"))
    file = plan.municipality.folder / "person.json"
    file.write_text(json.dumps({"bsn": plan.bsn.reveal(), **person}), encoding="utf-8")
    config_file = plan.municipality.folder / "adapter.toml"
    systems.command("provider", "register", "--config", str(config_file), "--file", str(file))
    file.unlink()


def the_message(told: Telling, plan: Plan, beside: systems.Systems) -> None:
    """Ask the provider to the case, and let the message assign."""
    told.chapter("The message that assigns")
    _invite(told, plan)
    files = [config(plan, side) for side in ("municipality", "provider")]
    let_messages_in(plan, PERSON)
    for file in files:
        beside.adapter("provider", file)
    assigned(plan)
    told.step(
        "wmo301",
        "A WMO301, the national message that assigns support, travelled as a file; the provider's adapter "
        "checked it and assigned the support.",
        "PERMIT",
    )


def _invite(told: Telling, plan: Plan) -> None:
    plan.look()
    invited = plan.wijkteam().plan.invite_provider(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        preference_id=plan.preference_id,
        provider_oin=plan.provider.oin,
        provider_task="wmo-aanbieder",
        professional="zd-003",
    )
    told.keep(plan.municipality, invited)
    told.step(
        "invited",
        "The provider the resident named is asked to the case: asked and let in at once, and no other.",
        "PERMIT",
    )


def assigned(plan: Plan, count: int = 1) -> None:
    """Wait for WMO301 out, support assigned, WMO302 back; `count` are all of them so far."""
    messages(plan, "301", "the WMO301 was not answered", count)
    answer = plan.wijkteam().plan.get_plan(
        claim=WIJKTEAM, plan_id=plan.plan_id, fields=["supports.state", "supports.support_id"]
    )
    states = [one.state for one in answer.plan.supports if one.support_id == plan.support_id]
    if states != [SupportState.SUPPORT_STATE_ASSIGNED]:
        raise StoryBroken("the support was not assigned by the message")


def the_provider_reads(told: Telling, plan: Plan) -> None:
    """Show the provider what the law carries, and not the debts."""
    wanted = ["goals.own_words", "supports.volume", "situations.description"]
    answer = plan.begeleider().plan.get_plan(
        claim=INZIEN, plan_id=plan.plan_id, fields=wanted, allow_partial=True
    )
    read = [one.own_words for one in answer.plan.goals] and len(answer.plan.situations)
    told.step(
        "provider-reads",
        f"The provider reads goals and {read} of the situations: health yes, debts and work no.",
        "PARTIAL",
        answer.rules,
    )
    told.refused(
        "snooper",
        "A colleague of the same provider, without a part in this case:",
        lambda: plan.provider.as_("zd-999", "wmo-aanbieder", "begeleider").plan.get_plan(
            claim=INZIEN, plan_id=plan.plan_id, fields=["goals.own_words"]
        ),
        "R03",
    )


def care_starts(told: Telling, plan: Plan) -> None:
    """Let the provider's professional start; the adapter tells by WMO305."""
    plan.look()
    started = plan.begeleider().plan.start_support(
        claim=LEVERING,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        support_id=plan.support_id,
        care_start_date=plan.script.day(0),
    )
    told.keep(plan.provider, started)
    messages(plan, "305", "the WMO305 was not sent")
    told.step(
        "wmo305", f"Care starts. National messages read by the other side so far: {seen(plan)}.", "PERMIT"
    )


def care_stops(told: Telling, plan: Plan) -> None:
    """At the end, WMO307."""
    plan.look()
    stopped = plan.begeleider().plan.stop_support(
        claim=LEVERING,
        plan_id=plan.plan_id,
        expected_version=plan.version,
        support_id=plan.support_id,
        care_end_date=plan.script.day(0),
        reason=StopReason.STOP_REASON_ACCORDING_TO_PLAN,
    )
    told.keep(plan.provider, stopped)
    messages(plan, "307", "the WMO307 was not sent")
    told.step("wmo307", f"Care stops as planned. Read so far: {seen(plan)}.", "PERMIT")


def messages(plan: Plan, number: str, otherwise: str, count: int = 1) -> None:
    """Wait until so many messages of a kind and their retours were read by the other side."""
    retour = str(int(number) + 1)
    systems.wait_for(
        lambda: all(archived(plan).count(f"WMO{one}") >= count for one in (number, retour)), otherwise
    )


def archived(plan: Plan) -> list[str]:
    """Return the kind of each message that was read by the other side."""
    folders = [plan.municipality.folder / "archive", plan.provider.folder / "archive"]
    names = sorted(file.name for folder in folders if folder.exists() for file in folder.iterdir())
    return [name.partition("-")[0] for name in names]


def seen(plan: Plan) -> str:
    """Return them in words, each kind once."""
    return ", ".join(dict.fromkeys(archived(plan)))
