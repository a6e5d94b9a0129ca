"""One municipality: its case system and BRP over real HTTP, its adapter, and an exchange beside them."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any

from adapters.kit.rates import Pace
from adapters.municipal.config import load_config
from adapters.municipal.desk import Surroundings, open_journal
from adapters.municipal.service import Service
from adapters.sdk.logs import AdapterLog
from adapters.simulators.open_zaak.access import BRP_KEY, CLIENT, OBJECTS_KEY, SECRET
from adapters.simulators.open_zaak.brp import BRP
from adapters.simulators.open_zaak.catalogi import BESLUITEN, CATALOGI
from adapters.simulators.open_zaak.catalogue import (
    DECISION,
    DOCUMENT,
    PROPERTIES,
    RESULTS,
    STATUSES,
    ZAAKTYPE,
)
from adapters.simulators.open_zaak.documenten import DOCUMENTEN
from adapters.simulators.open_zaak.notificaties import NOTIFICATIES
from adapters.simulators.open_zaak.objects import OBJECTS
from adapters.simulators.open_zaak.zaken import ROOT
from tests.server.story import Story
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.municipal.config import Config
    from adapters.municipal.exchange_port import ExchangePort
    from adapters.simulators.open_zaak.whole import OpenZaak, Seen
    from tests.server.town import Town as Exchange

RSIN = "111222333"
HOOK = "a-word-of-this-test-alone"
TYPE = "https://objecttypen.example/objecttypes/ondersteuningsplan"
ME = "zaaksysteem-1"
# A rate no test comes near.
QUICK = {"calls_per_minute": 60_000, "calls_at_once": 1_000}
WORDS = "Ik red het huishouden niet meer."


def settings(system: OpenZaak, target: str = "localhost:1", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any setting
    base = system.url
    return {
        "target": target,
        "credentials": "credentials",
        "state": "state",
        "rejected": "rejected",
        "desk": "zaaksysteem",
        "poll_ms": 10,
        # No test waits for it, but one that says so: a machine that stands still for a moment is no fault.
        "timeout_s": 30,
        "person": {"professional": ME, "task": "college:WMO"},
        "zgw": {
            "zaken": base + ROOT,
            "catalogi": base + CATALOGI,
            "besluiten": base + BESLUITEN,
            "notificaties": base + NOTIFICATIES,
            "client_id": CLIENT,
            "secret_file": "zgw-secret",
            "rsin": RSIN,
            **QUICK,
        },
        "objects": {
            "url": base + OBJECTS,
            "key_file": "objects-key",
            "objecttype": TYPE,
            "version": 1,
            **QUICK,
        },
        "documents": {"url": base + DOCUMENTEN, "informatieobjecttype": DOCUMENT, "author": "Gemeente"},
        "brp": {"url": base + BRP, "key_file": "brp-key", **QUICK},
        "webhook": {"auth_file": "hook-auth"},
        "zaaktype": {
            "identificatie": ZAAKTYPE,
            **dict(zip(("received", "investigated", "agreed", "closed"), STATUSES, strict=True)),
            **dict(zip(("granted", "refused", "solved"), RESULTS, strict=True)),
            "decision": DECISION,
            "plan_version": PROPERTIES[0],
            "life_domains": PROPERTIES[1],
            "life_domain": "instrumentele adl",
        },
        "situations": {"instrumentele adl": [*PROPERTIES[2:]]},
        **changes,
    }


def written(folder: Path, told: dict[str, Any]) -> Path:
    for name, text in (
        ("zgw-secret", SECRET),
        ("objects-key", OBJECTS_KEY),
        ("brp-key", BRP_KEY),
        ("hook-auth", HOOK),
    ):
        (folder / name).write_text(f"{text}\n", encoding="utf-8")
    file = folder / "adapter.toml"
    lines = [f"{key} = {json.dumps(value)}" for key, value in told.items() if not isinstance(value, dict)]
    for name, table in told.items():
        if isinstance(table, dict):
            lines.append(f"[{name}]")
            lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items()]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


class Clock:
    """A clock that a test moves; it begins at the real moment, which the other systems look at."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.set_ahead = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def steady(self) -> float:
        return time.monotonic() + self.ahead.total_seconds() - self.set_ahead

    def set_ahead_by(self, **span: float) -> None:
        """Set the clock of the day; no time passes by that."""
        self.ahead += timedelta(**span)
        self.set_ahead += timedelta(**span).total_seconds()

    def pass_by(self, **span: float) -> None:
        self.ahead += timedelta(**span)


@dataclass
class Adapter:
    """An adapter that works when it is told to."""

    config: Config
    exchange: ExchangePort
    clock: Clock
    lines: io.StringIO = field(default_factory=io.StringIO)

    def __post_init__(self) -> None:
        self.journal = open_journal(self.config.journal)
        surroundings = Surroundings(self.clock.now, lambda _: 0, Pace(self.clock.steady))
        log = AdapterLog(self.lines, adapter="municipal")
        self.service = Service(self.config, self.exchange, self.journal, log, surroundings)

    @property
    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.lines.getvalue().splitlines()]

    def parked(self) -> list[str]:
        return [one.reason for one in self.journal.parked()]

    def work(self, passes: int = 4) -> None:
        for _ in range(passes):
            self.service.work()

    def close(self) -> None:
        self.journal.close()


class Town:
    """The case system's own people and the BRP's: what happens there without any adapter."""

    def __init__(self, system: OpenZaak) -> None:
        self.system = system

    def person(self, bsn: str, born: str = "1980-02-29", **more: Any) -> str:  # noqa: ANN401 -- any part of a person
        date = {"type": "Datum", "datum": born, "langFormaat": "29 februari 1980"}
        self.system.brp.persons[bsn] = {
            "burgerservicenummer": bsn,
            "geboorte": {"datum": date},
            "naam": {"volledigeNaam": "Geheim van de test"},
            **more,
        }
        return bsn

    def case(self, bsn: str = "", words: str = WORDS, kind: str = ZAAKTYPE, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any part of a case
        catalogue = self.system.catalogue
        zaak = self.system.zaken.make(
            {
                "bronorganisatie": RSIN,
                "verantwoordelijkeOrganisatie": RSIN,
                "zaaktype": catalogue.named("zaaktypen", kind)["url"],
                "startdatum": "2026-11-01",
                "omschrijving": "Melding",
                "toelichting": words,
                **more,
            }
        )
        if bsn:
            self.initiator(zaak, bsn)
        return zaak

    def initiator(self, zaak: dict[str, Any], bsn: str) -> None:
        self.system.zaken.add_role(
            {
                "zaak": zaak["url"],
                "betrokkeneType": "natuurlijk_persoon",
                "roltype": self.system.catalogue.named("roltypen", "Inwoner")["url"],
                "betrokkeneIdentificatie": {"inpBsn": bsn},
            }
        )

    def say(self, zaak: dict[str, Any], **said: str) -> None:
        """Let a colleague say something of a case: `situatie`, `score`."""
        zaken = self.system.zaken
        for word, value in said.items():
            kind = self.system.catalogue.named("eigenschappen", f"{word} huishouden")["url"]
            held = [
                one
                for one in zaken.eigenschappen.by_uuid.values()
                if (one["zaak"], one["eigenschap"]) == (zaak["url"], kind)
            ]
            if held:
                zaken.change_property(zaak, held[0], value)
            else:
                zaken.add_property({"zaak": zaak["url"], "eigenschap": kind, "waarde": value})

    def statuses(self, zaak: dict[str, Any]) -> list[str]:
        names = {one["url"]: one["omschrijving"] for one in self.system.catalogue.collections["statustypen"]}
        return [
            names[one["statustype"]]
            for one in self.system.zaken.statussen.by_uuid.values()
            if one["zaak"] == zaak["url"]
        ]

    def result(self, zaak: dict[str, Any]) -> str:
        held = self.system.zaken.resultaten.at(zaak["resultaat"])
        assert held is not None
        kinds = self.system.catalogue.collections["resultaattypen"]
        return next(str(one["omschrijving"]) for one in kinds if one["url"] == held["resultaattype"])

    def cases(self) -> list[dict[str, Any]]:
        return list(self.system.zaken.zaken.by_uuid.values())


def writes(seen: list[Seen]) -> list[str]:
    """Return every write, but for the questions that are asked by POST."""
    return [
        f"{one.method} {one.path}"
        for one in seen
        if one.method in ("POST", "PATCH", "PUT", "DELETE") and not one.path.endswith(("/_zoek", "/personen"))
    ]


def configured(folder: Path, system: OpenZaak, **changes: Any) -> Config:  # noqa: ANN401 -- any setting
    folder.mkdir(exist_ok=True)
    return load_config(written(folder, settings(system, **changes)))


def schema() -> Any:  # noqa: ANN401 -- a JSON schema
    text = (
        resources.files("adapters.municipal.data")
        .joinpath("ondersteuningsplan.schema.json")
        .read_text("utf-8")
    )
    return json.loads(text)


def plan_of(zaak: dict[str, Any]) -> str:
    """Return the plan a case names."""
    (kenmerk,) = zaak["kenmerken"]
    assert kenmerk["bron"] == "exchange"
    return str(kenmerk["kenmerk"])


def tell(adapter: Adapter, plan_id: str) -> None:
    """Let an adapter bring the case of a plan to where the plan is, an hour later."""
    adapter.clock.pass_by(hours=1)
    adapter.service.desk.ask("plan", plan_id, plan_id)
    adapter.work()


class Reported(Story):
    """A resident whose plan came of a case: the story goes on from there."""

    def __init__(self, exchange: Exchange, bsn: str, plan_id: str) -> None:
        self.town, self.bsn, self.plan_id = exchange, bsn, plan_id
        self.wmo = exchange.worker("college:WMO", ME)
        self.pseudonym = exchange.pseudonym(self.wmo, bsn)
        fields = ["case_id", "plan_id"]
        found = self.wmo.case.find_case(claim=INVESTIGATE, resident=self.pseudonym, fields=fields)
        assert found.plan_id == plan_id
        self.case_id = found.case_id
        told = self.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=plan_id, fields=["version"])
        self.version = told.plan.version
