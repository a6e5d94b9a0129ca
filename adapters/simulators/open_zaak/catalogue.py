"""The catalogue the simulator begins with: one case type for a report under the Wmo 2015, and all it needs.

Promises: every resource holds what the Catalogi API requires of an answer; urls are the same at each start.
Source: Catalogi API 1.3.1 (ZaakType, StatusType, RolType, ResultaatType, Eigenschap, BesluitType).
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID, uuid5

ZAAKTYPE: Final = "WMO-MELDING"
STATUSES: Final = ("Melding ontvangen", "Onderzoek", "Plan akkoord", "Afgehandeld")
ROLES: Final = (("Inwoner", "initiator"), ("Behandelaar", "behandelaar"))
RESULTS: Final = ("Toegekend", "Afgewezen", "Opgelost zonder maatwerk")
PROPERTIES: Final = ("planversie", "leefgebieden", "situatie huishouden", "score huishouden")
DECISION: Final = "Toekenning maatwerkvoorziening"
DOCUMENT: Final = "Besluit"
SINCE: Final = "2020-01-01"
_NAMESPACE: Final = UUID("5f7c1b9e-4a30-4d5e-8a53-6c1f0d9a7b21")
_VALID: Final[dict[str, Any]] = {
    "beginGeldigheid": SINCE,
    "eindeGeldigheid": None,
    "beginObject": SINCE,
    "eindeObject": SINCE,
}


def fixed_uuid(name: str) -> str:
    """Return the uuid of something of the catalogue."""
    return str(uuid5(_NAMESPACE, name))


def _resultaattype(name: str) -> dict[str, Any]:
    return {
        "omschrijvingGeneriek": name,
        "resultaattypeomschrijving": "https://referentielijsten.example/resultaten/1",
        "selectielijstklasse": "https://referentielijsten.example/selectielijst/1",
        "besluittypeOmschrijving": [],
        "informatieobjecttypeOmschrijving": [],
    }


def _eigenschap(name: str) -> dict[str, Any]:
    specification = {
        "groep": "",
        "formaat": "tekst",
        "lengte": "100",
        "kardinaliteit": "1",
        "waardenverzameling": [],
    }
    return {"naam": name, "definitie": name, "specificatie": specification}


def _besluittype(zaaktype: str) -> dict[str, Any]:
    names = ("informatieobjecttypen", "resultaattypen", "resultaattypenOmschrijving", "vastgelegdIn")
    lists: dict[str, Any] = {name: [] for name in names}
    return {"zaaktypen": [zaaktype], "publicatieIndicatie": False, "concept": False, **lists}


def _informatieobjecttype(zaaktype: str) -> dict[str, Any]:
    return {
        "zaaktypen": [zaaktype],
        "besluittypen": [],
        "concept": False,
        "informatieobjectcategorie": "besluit",
        "vertrouwelijkheidaanduiding": "zaakvertrouwelijk",
    }


class Catalogue:
    """Everything of the catalogue by collection, once its base url is known."""

    def __init__(self, base: str) -> None:
        self._base: Final = base
        self.collections: Final[dict[str, list[dict[str, Any]]]] = {}
        other = self._zaaktype("ANDERS", "Ander onderwerp")
        ours = self._zaaktype(ZAAKTYPE, "Melding maatschappelijke ondersteuning")
        self.collections["zaaktypen"] = [other, ours]
        self._fill(ours)

    def _url(self, collection: str, name: str) -> str:
        return f"{self._base}/{collection}/{fixed_uuid(f'{collection} {name}')}"

    def _zaaktype(self, identification: str, about: str) -> dict[str, Any]:
        return {
            **_VALID,
            "url": self._url("zaaktypen", identification),
            "identificatie": identification,
            "omschrijving": about,
            "vertrouwelijkheidaanduiding": "zaakvertrouwelijk",
            "doel": about,
            "aanleiding": "Een inwoner meldt zich",
            "indicatieInternOfExtern": "extern",
            "handelingInitiator": "melden",
            "onderwerp": about,
            "handelingBehandelaar": "onderzoeken",
            "doorlooptijd": "P42D",
            "opschortingEnAanhoudingMogelijk": True,
            "verlengingMogelijk": False,
            "publicatieIndicatie": False,
            "productenOfDiensten": [],
            "referentieproces": {"naam": "melding"},
            "verantwoordelijke": "college",
            "catalogus": self._url("catalogussen", "voorbeeld"),
            "versiedatum": SINCE,
            "concept": False,
            **{key: [] for key in ("besluittypen", "eigenschappen", "gerelateerdeZaaktypen")},
            **{key: [] for key in ("informatieobjecttypen", "resultaattypen", "roltypen")},
            **{key: [] for key in ("statustypen", "zaakobjecttypen")},
        }

    def _fill(self, ours: dict[str, Any]) -> None:
        of_type = {
            "zaaktype": ours["url"],
            "zaaktypeIdentificatie": ours["identificatie"],
            "catalogus": ours["catalogus"],
            **_VALID,
        }
        made: dict[str, dict[str, dict[str, Any]]] = {
            "statustypen": {
                name: {
                    "volgnummer": number,
                    "isEindstatus": number == len(STATUSES),
                    "eigenschappen": [],
                    "zaakobjecttypen": [],
                }
                for number, name in enumerate(STATUSES, start=1)
            },
            "roltypen": {name: {"omschrijvingGeneriek": generic} for name, generic in ROLES},
            "resultaattypen": {name: _resultaattype(name) for name in RESULTS},
            "eigenschappen": {name: _eigenschap(name) for name in PROPERTIES},
            "besluittypen": {DECISION: _besluittype(ours["url"])},
            "informatieobjecttypen": {DOCUMENT: _informatieobjecttype(ours["url"])},
        }
        for collection, kinds in made.items():
            self.collections[collection] = [
                {**of_type, "url": self._url(collection, name), "omschrijving": name, **more}
                for name, more in kinds.items()
            ]
            ours[collection] = [one["url"] for one in self.collections[collection]]
        # These have no description, or no case type of their own.
        for one in self.collections["eigenschappen"]:
            del one["omschrijving"]
        for one in (*self.collections["besluittypen"], *self.collections["informatieobjecttypen"]):
            del one["zaaktype"], one["zaaktypeIdentificatie"]

    def find(self, collection: str, url: object) -> dict[str, Any] | None:
        """Return what has this url."""
        return next((one for one in self.collections[collection] if one["url"] == url), None)

    def named(self, collection: str, name: str) -> dict[str, Any]:
        """Return what has this identification, description or name."""
        return next(
            one
            for one in self.collections[collection]
            if name in (one.get("identificatie"), one.get("omschrijving"), one.get("naam"))
        )
