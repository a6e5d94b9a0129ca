"""From an answer of a service to facts, and from facts to what a plan is filled in with. Pure.

Promises: what is not needed is not taken over: names, addresses, partners, claims and sanctions stay behind.
A number that is a BSN goes into no text. The same answer gives the same facts; of a day that is partly known
only what is known is told. Codes stay the codes of the source.
Source: SuwiML, the four services (Datum: yyyymmdd, 00 for what is not known; WaardeBedr: cents);
exchange.v1, PlanService.DescribeSituation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from adapters.sdk.bsn import passes_eleven_proof
from adapters.work_income.records import (
    Action,
    Benefit,
    Bottleneck,
    Domain,
    Earning,
    Facility,
    Findings,
    GoalDraft,
    Notice,
    Prefill,
    Source,
    TrajectoryDraft,
)
from adapters.work_income.services import ASSISTANCE, INCOME, REINTEGRATION, WORK_COMPANY
from adapters.work_income.soap import plain_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from adapters.work_income.records import Fact
    from adapters.work_income.services import Service
    from adapters.work_income.xml import Node

DESCRIPTION_CHARACTERS_MAX: Final = 4_000
SOURCE_CHARACTERS_MAX: Final = 60
LEFT_OUT: Final = "[nummer weggelaten]"
MORE: Final = "(en meer; zie Suwinet)"
_nine_digits: Final = re.compile(r"(?<![0-9])[0-9](?:[ .\-]?[0-9]){8}(?![0-9])")
_OPEN_YEAR: Final = "9999"
_NO_DAY: Final = "00"
_SERVICE_WORD: Final = {
    WORK_COMPANY.name: "uwv-wb",
    REINTEGRATION.name: "gsd-re-integratie",
    ASSISTANCE.name: "gsd-bijstand",
    INCOME.name: "uwv-inkomsten",
}


def findings(service: Service, answer: Node) -> Findings:
    """Return what an answer tells; it has passed its schema."""
    notices = tuple(_notice(one) for fwi in answer.all("FWI") for one in fwi.children)
    client = answer.find("ClientSuwi")
    if client is None:
        return Findings(service.name, notices=notices, nothing=answer.find("NietsGevonden") is not None)
    return Findings(service.name, tuple(_READERS[service.name](client, service)), notices)


def partial_day(text: str) -> str:
    """Return a day as far as it is known: `2026-03-17`, `2026-03`, `2026`; empty where it is not, or open."""
    year, month, day = text[:4], text[4:6], text[6:]
    if not text or year in {"0000", _OPEN_YEAR}:
        return ""
    if month == _NO_DAY:
        return year
    return f"{year}-{month}" if day == _NO_DAY else f"{year}-{month}-{day}"


def clean(text: str) -> str:
    """Return a text on one line without any number that is a BSN."""
    line = " ".join(text.split())
    return _nine_digits.sub(
        lambda found: (
            LEFT_OUT if passes_eleven_proof(re.sub(r"[ .\-]", "", found.group())) else found.group()
        ),
        line,
    )


# --- what a service tells -----------------------------------------------------------------------------------


def _notice(told: Node) -> Notice:
    return Notice(told.name, plain_code(told.value("Code")), clean(told.value("Bron/DN")))


def _source(service: Service, *nodes: Node) -> Source:
    """Return where a fact is from: the nearest `Bron`, from the inside out."""
    for node in nodes:
        told = node.find("Bron")
        if told is not None:
            return Source(
                _SERVICE_WORD[service.name],
                told.value("CdKolomSuwi"),
                told.value("CdPartijSuwi"),
                told.value("CdVestigingSuwi"),
            )
    return Source(_SERVICE_WORD[service.name])


def _bottlenecks(client: Node, service: Service) -> Iterator[Fact]:
    for told in client.all("AtlRelatie/DienstverleningUwvWb/KnelpuntKlantsituatie"):
        yield Bottleneck(
            kind=told.value("CdTypeKnelpuntKlant"),
            since=partial_day(told.value("DatBKnelpuntKlant")),
            until=partial_day(told.value("DatEKnelpuntKlant")),
            description=clean(told.value("OmsKnelpuntKlant")),
            actions=tuple(_action(one) for one in told.all("OplossingKnelpuntKlantsituatie")),
            source=_source(service, client),
        )


def _action(told: Node) -> Action:
    return Action(
        actor=told.value("CdActorOplossingKnelpuntKlant"),
        status=told.value("CdStatusOplossingKnelpuntKlant"),
        day=partial_day(told.value("DatOplossingKnelpuntKlant")),
        description=clean(told.value("OmsOplossingKnelpuntKlant")),
    )


def _facilities(client: Node, service: Service) -> Iterator[Fact]:
    for relation in client.all("AtlRelatie"):
        for told in relation.all("ReIntegratievoorziening"):
            yield Facility(
                number=clean(told.value("RegistratienrRvGsd")),
                kind=told.value("CdTypeRvGsd"),
                since=partial_day(told.value("DatBRv")),
                until=partial_day(told.value("DatERv")),
                description=clean(told.value("OmsRv")),
                source=_source(service, relation, client),
            )


def _benefits(client: Node, service: Service) -> Iterator[Fact]:
    for told in client.all("Uitkeringsverhouding"):
        periods = sorted(told.all("Uitkeringsperiode"), key=lambda one: one.value("DatBUitkeringsperiode"))
        yield Benefit(
            law=told.value("SzWet/CdSzWet"),
            since=partial_day(told.value("DatBUitkeringsverhouding")),
            until=partial_day(told.value("DatEUitkeringsverhouding")),
            cents=_cents(periods[-1].find("InkomstenBijstandUitkering/BedrBetaalbaarGesteldeUitkering")),
            source=_source(service, told, client),
        )


def _earnings(client: Node, service: Service) -> Iterator[Fact]:
    for told in client.all("Inkomstenverhouding"):
        periods = sorted(told.all("Inkomstenperiode"), key=lambda one: one.value("DatBIkp"))
        statements = sorted(told.all("Inkomstenopgave"), key=lambda one: one.value("DatBIko"))
        yield Earning(
            payer=clean(told.value("AdministratieveEenheid/NaamAdministratieveEenheid")),
            kind=periods[-1].value("CdSrtIkv"),
            since=partial_day(told.value("DatBIkv")),
            until=partial_day(told.value("DatEIkv")),
            cents=_cents(statements[-1].find("BedrBrutoloonSv")),
            month=partial_day(statements[-1].value("DatBIko"))[: len("2026-01")],
            source=_source(service, told, client),
        )


def _cents(amount: Node | None) -> int | None:
    if amount is None or not amount.value("WaardeBedr"):
        return None
    cents = int(amount.value("WaardeBedr"))
    return -cents if amount.value("CdPositiefNegatief") == "-" else cents


_READERS: Final[Mapping[str, Callable[[Node, Service], Iterator[Fact]]]] = {
    WORK_COMPANY.name: _bottlenecks,
    REINTEGRATION.name: _facilities,
    ASSISTANCE.name: _benefits,
    INCOME.name: _earnings,
}


# --- what a plan is filled in with --------------------------------------------------------------------------


def prefills(told: Iterable[Findings]) -> tuple[Prefill, ...]:
    """Return what each life domain is filled in with: one for each domain of which something was found."""
    facts = [fact for one in told for fact in one.facts]
    of_money = [fact for fact in facts if isinstance(fact, Benefit | Earning)]
    of_work = [fact for fact in facts if isinstance(fact, Bottleneck | Facility)]
    lists = ((Domain.FINANCE, of_money), (Domain.WORK_AND_EDUCATION, of_work))
    return tuple(_prefill(domain, list(found)) for domain, found in lists if found)


def _prefill(domain: Domain, facts: list[Fact]) -> Prefill:
    lines = [f"- {_line(fact)} (bron: {fact.source.told()})" for fact in facts]
    return Prefill(domain, _bounded(lines), _sources(facts))


def _bounded(lines: list[str]) -> str:
    """Return as many whole lines as a plan takes, and that there is more."""
    text: list[str] = []
    room = DESCRIPTION_CHARACTERS_MAX - len(MORE) - 1
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*text, MORE])
        text.append(line)
    return "\n".join(text)


def _sources(facts: Iterable[Fact]) -> str:
    services = sorted({fact.source.service for fact in facts})
    return ("suwinet:" + "+".join(services))[:SOURCE_CHARACTERS_MAX]


def _line(fact: Fact) -> str:
    match fact:
        case Benefit():
            return f"Uitkering {fact.law}{_span(fact.since, fact.until)}{_money(fact.cents)}"
        case Earning():
            month = f" over {fact.month}" if fact.month else ""
            payer = fact.payer or "onbekende werkgever"
            kind = f" (soort {fact.kind})" if fact.kind else ""
            return f"Inkomen via {payer}{kind}{_span(fact.since, fact.until)}{_money(fact.cents)}{month}"
        case Facility():
            name = fact.description or f"soort {fact.kind or 'onbekend'}"
            return f"Re-integratievoorziening: {name}{_span(fact.since, fact.until)}"
        case Bottleneck():
            solved = "".join(f"; oplossing: {one.description}" for one in fact.actions if one.description)
            name = fact.description or f"soort {fact.kind or 'onbekend'}"
            return f"Knelpunt: {name}{_span(fact.since, fact.until)}{solved}"


def _span(since: str, until: str) -> str:
    return (f", vanaf {since}" if since else "") + (f" tot en met {until}" if until else "")


def _money(cents: int | None) -> str:
    if cents is None:
        return ""
    sign, amount = ("-" if cents < 0 else ""), abs(cents)
    return f", {sign}€ {amount // 100},{amount % 100:02d}"


def goals(told: Iterable[Findings]) -> tuple[GoalDraft, ...]:
    """Return a draft of a goal for each bottleneck that is not over."""
    return tuple(
        GoalDraft(
            desired_effect=f"Opgelost: {fact.description}",
            actions=tuple(one.description for one in fact.actions if one.description),
            domain=Domain.WORK_AND_EDUCATION,
            source=fact.source.told(),
        )
        for one in told
        for fact in one.facts
        if isinstance(fact, Bottleneck) and fact.description and not fact.until
    )


def trajectories(told: Iterable[Findings]) -> tuple[TrajectoryDraft, ...]:
    """Return a draft of a trajectory for each facility."""
    return tuple(
        TrajectoryDraft(
            activity=fact.description or f"Re-integratievoorziening, soort {fact.kind or 'onbekend'}",
            facility=fact.number,
            start_day=fact.since,
            end_day=fact.until,
            source=fact.source.told(),
        )
        for one in told
        for fact in one.facts
        if isinstance(fact, Facility)
    )
