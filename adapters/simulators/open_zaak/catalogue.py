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
PROPERTIES: Final = ("planversie", "leefgebieden")
DECISION: Final = "Toekenning maatwerkvoorziening"
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
        self.collections["statustypen"] = [
            {
                **of_type,
                "url": self._url("statustypen", name),
                "omschrijving": name,
                "volgnummer": number,
                "isEindstatus": number == len(STATUSES),
                "eigenschappen": [],
                "zaakobjecttypen": [],
            }
            for number, name in enumerate(STATUSES, start=1)
        ]
        self.collections["roltypen"] = [
            {
                **of_type,
                "url": self._url("roltypen", name),
                "omschrijving": name,
                "omschrijvingGeneriek": generic,
            }
            for name, generic in ROLES
        ]
        self.collections["resultaattypen"] = [
            {
                **of_type,
                "url": self._url("resultaattypen", name),
                "omschrijving": name,
                "omschrijvingGeneriek": name,
                "resultaattypeomschrijving": "https://referentielijsten.example/resultaten/1",
                "selectielijstklasse": "https://referentielijsten.example/selectielijst/1",
                "besluittypeOmschrijving": [],
                "informatieobjecttypeOmschrijving": [],
            }
            for name in RESULTS
        ]
        self.collections["eigenschappen"] = [
            {
                **of_type,
                "url": self._url("eigenschappen", name),
                "naam": name,
                "definitie": name,
                "specificatie": {
                    "groep": "",
                    "formaat": "tekst",
                    "lengte": "100",
                    "kardinaliteit": "1",
                    "waardenverzameling": [],
                },
            }
            for name in PROPERTIES
        ]
        self.collections["besluittypen"] = [
            {
                **_VALID,
                "url": self._url("besluittypen", DECISION),
                "catalogus": ours["catalogus"],
                "omschrijving": DECISION,
                "zaaktypen": [ours["url"]],
                "publicatieIndicatie": False,
                "concept": False,
                **{key: [] for key in ("informatieobjecttypen", "resultaattypen")},
                **{key: [] for key in ("resultaattypenOmschrijving", "vastgelegdIn")},
            }
        ]
        for collection in ("statustypen", "roltypen", "resultaattypen", "eigenschappen", "besluittypen"):
            ours[collection] = [one["url"] for one in self.collections[collection]]

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
