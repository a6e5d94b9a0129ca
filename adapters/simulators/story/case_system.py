"""The case system a municipality has already, with the register of persons beside it; and its adapter.

Promises: an employee's own actions go over the case system's API, as any other client's; of the register of
persons only what it was asked is looked at, never what it answered.
Source: Zaken API 1.5.1; BRP Personen 2.7.0.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import jwt

from adapters.kit.outward import Outward
from adapters.simulators.open_zaak.access import BRP_KEY, CLIENT, OBJECTS_KEY, SECRET
from adapters.simulators.open_zaak.brp import BRP
from adapters.simulators.open_zaak.catalogi import BESLUITEN, CATALOGI
from adapters.simulators.open_zaak.catalogue import (
    DECISION,
    PROPERTIES,
    RESULTS,
    STATUSES,
    ZAAKTYPE,
    Catalogue,
)
from adapters.simulators.open_zaak.notificaties import NOTIFICATIES
from adapters.simulators.open_zaak.objects import OBJECTS
from adapters.simulators.open_zaak.zaken import ROOT
from adapters.simulators.story import systems

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from adapters.sdk.bsn import Bsn
    from adapters.simulators.story.intake import Plan

RSIN: Final = "111222333"
PROFESSIONAL: Final = "zaaksysteem-1"
OBJECT_TYPE: Final = "https://objecttypen.voorbeeldstad.example/objecttypes/ondersteuningsplan"
_CRS: Final = {"Content-Crs": "EPSG:4326", "Accept-Crs": "EPSG:4326"}


class CaseSystem:
    """The simulator as a process, and an employee who works in it."""

    def __init__(self, beside: systems.Systems, folder: Path, persons: Mapping[Bsn, str]) -> None:
        """Start it; `persons` are those its register of persons knows, with their days of birth."""
        self._beside: Final = beside
        self._asked: Final = folder / "asked.jsonl"
        self._persons: Final = folder / "persons.json"
        folder.mkdir(parents=True, exist_ok=True)
        known = {bsn.reveal(): _person(bsn, born) for bsn, born in persons.items()}
        self._persons.write_text(json.dumps(known), encoding="utf-8")
        words = ("--persons", str(self._persons), "--asked", str(self._asked))
        module = "adapters.simulators.open_zaak"
        self._process: Final = beside.start(folder / "case_system.log", module, "0", *words)
        self._url = ""
        self._zaken: Outward | None = None

    @property
    def url(self) -> str:
        """Return where it listens; waits until it does."""
        if not self._url:
            self._url = systems.first_line(self._process)
            self._persons.unlink()
        return self._url

    def adapter_starts(self, plan: Plan) -> None:
        """Run the municipality's adapter of it."""
        folder = plan.municipality.folder / "cases"
        folder.mkdir(parents=True, exist_ok=True)
        for name, secret in (
            ("zgw-secret", SECRET),
            ("objects-key", OBJECTS_KEY),
            ("brp-key", BRP_KEY),
            ("hook-auth", CLIENT),
        ):
            (folder / name).write_text(f"{secret}\n", encoding="utf-8")
        file = systems.settings(folder / "adapter.toml", self._settings(plan))
        self._beside.adapter("municipal", file)

    def _settings(self, plan: Plan) -> dict[str, Any]:
        base = self.url
        return {
            "target": plan.script.target,
            "credentials": str(plan.municipality.folder / "credentials"),
            "state": "state",
            "rejected": "rejected",
            "desk": "zaaksysteem",
            "poll_ms": 100,
            "person": {"professional": PROFESSIONAL, "task": "college:WMO"},
            "zgw": {
                "zaken": base + ROOT,
                "catalogi": base + CATALOGI,
                "besluiten": base + BESLUITEN,
                "notificaties": base + NOTIFICATIES,
                "client_id": CLIENT,
                "secret_file": "zgw-secret",
                "rsin": RSIN,
            },
            "objects": {
                "url": base + OBJECTS,
                "key_file": "objects-key",
                "objecttype": OBJECT_TYPE,
                "version": 1,
            },
            "brp": {"url": base + BRP, "key_file": "brp-key"},
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
        }

    # --- an employee ----------------------------------------------------------------------------------------

    def report(self, bsn: Bsn, words: str, day: str) -> str:
        """Type a report in, of whom it is; return the url of the case."""
        catalogue = self._catalogue
        told = {
            "bronorganisatie": RSIN,
            "verantwoordelijkeOrganisatie": RSIN,
            "zaaktype": catalogue.named("zaaktypen", ZAAKTYPE)["url"],
            "startdatum": day,
            "omschrijving": "Melding",
            "toelichting": words,
        }
        zaak: str = self._api.ask("POST", "/zaken", told, headers=_CRS).content["url"]
        role = {
            "zaak": zaak,
            "betrokkeneType": "natuurlijk_persoon",
            "roltype": catalogue.named("roltypen", "Inwoner")["url"],
            "betrokkeneIdentificatie": {"inpBsn": bsn.reveal()},
        }
        self._api.ask("POST", "/rollen", role)
        return zaak

    def plan_of(self, zaak: str) -> str:
        """Return the plan a case names; empty while it names none."""
        named = self._shown(zaak)["kenmerken"]
        return str(named[0]["kenmerk"]) if named else ""

    def result_of(self, zaak: str) -> str:
        """Return the result of a case in words; empty while it is open."""
        shown = self._shown(zaak)
        if shown["einddatum"] is None:
            return ""
        kind = self._shown(shown["resultaat"])["resultaattype"]
        found = self._catalogue.find("resultaattypen", kind) or {}
        return str(found.get("omschrijving", ""))

    @property
    def asked_of_persons(self) -> list[tuple[str, ...]]:
        """Return the fields of each question to the register of persons."""
        return [tuple(one["fields"]) for one in systems.asked(self._asked) if "fields" in one]

    @property
    def _api(self) -> Outward:
        if self._zaken is None:
            self._zaken = Outward("zgw", self.url + ROOT, _token)
        return self._zaken

    @property
    def _catalogue(self) -> Catalogue:
        return Catalogue(self.url + CATALOGI)

    def _shown(self, url: str) -> dict[str, Any]:
        shown: dict[str, Any] = self._api.ask("GET", url, headers=_CRS).content
        return shown


def _token() -> dict[str, str]:
    told = {"iss": CLIENT, "client_id": CLIENT, "iat": int(time.time())}
    return {"Authorization": f"Bearer {jwt.encode(told, SECRET, 'HS256')}"}


def _person(bsn: Bsn, born: str) -> dict[str, Any]:
    return {
        "burgerservicenummer": bsn.reveal(),
        "geboorte": {"datum": {"type": "Datum", "datum": born, "langFormaat": born}},
        "naam": {"volledigeNaam": "T. Voorbeeld"},
        "verblijfplaats": {"type": "Adres", "verblijfadres": {"korteStraatnaam": "Dorpsstraat"}},
    }
