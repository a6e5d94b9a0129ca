"""Second part: a real iWmo message assigns the support; the provider reads what it needs and care starts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.sdk.tokens import Person
from adapters.simulators.story.intake import join
from adapters.simulators.story.stage import INZIEN, LEVERING, WIJKTEAM, StoryBroken
from exchange.v1.plan_pb2 import StopReason, SupportState

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

MUNICIPALITY_CODE: Final = "9998"
PROVIDER_CODE: Final = "99990001"
WAIT_S: Final = 20.0
LOOK_EVERY_S: Final = 0.1


@dataclass(slots=True)
class Adapters:
    """The two adapter processes, each with folders of its own."""

    plan: Plan
    processes: list[subprocess.Popen[bytes]]

    def stop(self) -> None:
        """Stop both; what they have not sent stays in their outboxes."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=WAIT_S)


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
    text = f"""side = "{side}"
target = "{plan.script.target}"
credentials = "{ours / "credentials"}"
inbox = "{ours / "inbox"}"
outbox = "{theirs / "inbox"}"
archive = "{ours / "archive"}"
rejected = "{ours / "rejected"}"
state = "{ours / "state"}"
own_code = "{own}"
counterparty_code = "{counterparty}"
counterparty_oin = "{other.oin}"
poll_ms = 100

[person]
professional = "iwmo-berichten"
task = "{task}"
"""
    file = ours / "adapter.toml"
    file.write_text(text, encoding="utf-8")
    return file


def adapters_start(told: Telling, plan: Plan) -> Adapters:
    """Let both message systems join the case, and start them."""
    told.chapter("The message that assigns")
    join(
        plan, plan.wijkteam(), WIJKTEAM, plan.municipality, Person("iwmo-berichten", "college:WMO", "adapter")
    )
    join(plan, plan.wijkteam(), WIJKTEAM, plan.provider, Person("iwmo-berichten", "wmo-aanbieder", "adapter"))
    _invite(told, plan)
    person = plan.municipality.folder / "person.json"
    person.write_text(json.dumps(_person(plan)), encoding="utf-8")
    files = [config(plan, side) for side in ("municipality", "provider")]
    _run("register", "--config", str(files[0]), "--file", str(person))
    person.unlink()
    return Adapters(plan, [_start(file) for file in files])


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


def assigned(told: Telling, plan: Plan) -> None:
    """WMO301 out, support assigned, WMO302 back."""
    _wait(plan, SupportState.SUPPORT_STATE_ASSIGNED, "the support was not assigned by the message")
    told.step(
        "wmo301",
        "A WMO301, the national message that assigns support, travelled as a file; the provider's adapter "
        "checked it and assigned the support.",
        "PERMIT",
    )


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
    _messages(plan, "305", "the WMO305 was not sent")
    told.step(
        "wmo305", f"Care starts. National messages read by the other side so far: {_seen(plan)}.", "PERMIT"
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
    _messages(plan, "307", "the WMO307 was not sent")
    told.step("wmo307", f"Care stops as planned. Read so far: {_seen(plan)}.", "PERMIT")


def _person(plan: Plan) -> dict[str, object]:
    return {
        "bsn": plan.bsn.reveal(),
        "birth_date": "1984-05-17",
        "gender": "2",
        "surname": "Voorbeeld",
        "initials": "R",
        "address": {"house_number": 12, "postcode": "1234AB", "street": "Dorpsstraat", "town": "Voorbeeld"},
    }


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "adapters", "provider", *words]


def _start(config_file: Path) -> subprocess.Popen[bytes]:
    with (config_file.parent / "adapter.log").open("ab") as log:
        return subprocess.Popen(_command("run", "--config", str(config_file)), stderr=log)  # noqa: S603 -- our own program


def _run(*words: str) -> None:
    done = subprocess.run(  # noqa: S603 -- our own program
        _command(*words), check=False, timeout=WAIT_S, capture_output=True, text=True
    )
    if done.returncode:
        raise StoryBroken(f"an adapter's command failed: {done.stderr.strip()}")


def _wait(plan: Plan, state: SupportState.ValueType, otherwise: str) -> None:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        answer = plan.wijkteam().plan.get_plan(
            claim=WIJKTEAM, plan_id=plan.plan_id, fields=["supports.state", "supports.support_id"]
        )
        if any(one.support_id == plan.support_id and one.state == state for one in answer.plan.supports):
            return
        time.sleep(LOOK_EVERY_S)
    raise StoryBroken(otherwise)


def _messages(plan: Plan, number: str, otherwise: str) -> None:
    """Wait until the message and its retour were both read by the other side."""
    retour = str(int(number) + 1)
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        names = _archived(plan)
        if any(f"WMO{number}" in name for name in names) and any(f"WMO{retour}" in name for name in names):
            return
        time.sleep(LOOK_EVERY_S)
    raise StoryBroken(otherwise)


def _archived(plan: Plan) -> list[str]:
    folders = [plan.municipality.folder / "archive", plan.provider.folder / "archive"]
    return sorted(file.name for folder in folders if folder.exists() for file in folder.iterdir())


def _seen(plan: Plan) -> str:
    return ", ".join(name.partition("-")[0] for name in _archived(plan))
