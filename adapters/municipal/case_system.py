"""The case system over HTTP: cases, types, decisions, subscriptions; and the objects, and the BRP.

Promises: a BSN goes in a body only, by POST; each write names what makes it one, so that the same again is
known: identification of a case or a decision, moment of a status, uuid of an object; a token lives for two
minutes.
Source: Zaken API 1.5.1, Catalogi API 1.3.1, Besluiten API 1.1.0, Notificaties API 1.0.1, Objects API 2.7.0,
BRP Personen 2.7.0; RFC 7519.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import jwt

from adapters.kit.outward import Outward, Refused, Unexpected
from adapters.municipal.case_shapes import number_of, read_case, read_row, results_of, rows_of, text_of
from adapters.municipal.documents import Documents
from adapters.municipal.errors import CatalogueUnfit, ForAPerson
from adapters.municipal.mapping import SOURCE
from adapters.municipal.records import Stage, Unreadable, Zaak, ZaakType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from adapters.kit.outward import Turns
    from adapters.municipal.config import Config
    from adapters.municipal.records import Names
    from adapters.sdk.bsn import Bsn

CRS: Final = "EPSG:4326"
# A clock of ours that runs ahead is not refused, and a token that leaks is soon nothing.
TOKEN_EARLY_S: Final = 30
TOKEN_LIFE_S: Final = 120
PAGES_MAX: Final = 1_000
NOT_FOUND: Final = (404, 410)
BAD_REQUEST: Final = 400
CHANNEL: Final = "zaken"
_WRITING: Final = {"Accept-Crs": CRS, "Content-Crs": CRS}
_READING: Final = {"Accept-Crs": CRS}


def zgw_token(client_id: str, secret: str, now: float) -> str:
    """Return a token of the ZGW standard: iss, iat, client_id, HS256; made a little in the past."""
    issued = int(now) - TOKEN_EARLY_S
    told = {
        "iss": client_id,
        "iat": issued,
        "exp": issued + TOKEN_LIFE_S,
        "client_id": client_id,
        "user_id": client_id,
        "user_representation": "exchange-adapter",
    }
    return jwt.encode(told, secret, algorithm="HS256")


def zgw_api(
    config: Config, name: str, base: str, clock: Callable[[], float], turns: Turns | None = None
) -> Outward:
    """Return one of the ZGW APIs, asked as this client."""

    def headers() -> Mapping[str, str]:
        token = zgw_token(config.zgw.client_id, config.zgw.secret.text, clock())
        return {"Authorization": f"Bearer {token}"}

    return Outward(
        name, base, headers, timeout_s=config.timeout_s, authorities=config.authorities, turns=turns
    )


class CaseSystem:
    """The ZGW APIs of one municipality. Raises NotNow, Refused, Unexpected."""

    def __init__(
        self, config: Config, clock: Callable[[], float] = time.time, turns: Turns | None = None
    ) -> None:
        zgw = config.zgw

        def api(name: str, base: str) -> Outward:
            return zgw_api(config, name, base, clock, turns)

        self._zaken: Final = api("zaken", zgw.zaken)
        self._catalogi: Final = api("catalogi", zgw.catalogi)
        self._besluiten: Final = api("besluiten", zgw.besluiten)
        self._notificaties: Final = api("notificaties", zgw.notificaties)
        self._names: Final = config.names
        self._situations: Final = config.situations
        self._rsin: Final = zgw.rsin
        self._types: Final[dict[str, ZaakType | None]] = {}  # by url; None for a type that is not ours

    # --- types --------------------------------------------------------------------------------------------

    def holds(self, url: str) -> bool:
        """Tell whether a url is one of a case of this system."""
        return self._zaken.holds(url) and url[len(self._zaken.base) :].startswith("/zaken/")

    def type_now(self, today: str) -> ZaakType:
        """Return the version of our case type that holds today. Raises CatalogueUnfit."""
        found = self._all(
            self._catalogi,
            "/zaaktypen",
            {"identificatie": self._names.zaaktype, "status": "definitief", "datumGeldigheid": today},
        )
        urls = [text_of(one, "url") for one in found]
        if len(urls) != 1:
            raise CatalogueUnfit("zaaktype.identificatie names not one published case type that holds today")
        made = self.type_at(urls[0])
        if made is None:
            raise CatalogueUnfit("the catalogue answers another case type than it was asked for")
        return made

    def type_at(self, url: str) -> ZaakType | None:
        """Return a version of our case type by its url; None for the url of another case type."""
        if url not in self._types:
            told = self._catalogi.ask("GET", url).content
            ours = text_of(told, "identificatie") == self._names.zaaktype
            self._types[url] = self._read_type(url) if ours else None
        return self._types[url]

    def _read_type(self, url: str) -> ZaakType:
        names = self._names

        def of_type(path: str, **more: str) -> list[dict[str, Any]]:
            # By the word all versions share: the published file takes no url here, whatever it says of it.
            query = {"zaaktypeIdentificatie": names.zaaktype, "status": "alles", **more}
            found = self._all(self._catalogi, path, query)
            return [one for one in found if one.get("zaaktype") == url]

        def named(found: Iterable[dict[str, Any]], name: str) -> dict[str, str]:
            return {text_of(one, name): text_of(one, "url") for one in found}

        statuses = of_type("/statustypen")
        roles = of_type("/roltypen", omschrijvingGeneriek="initiator")
        decisions = self._all(self._catalogi, "/besluittypen", {"zaaktypen": url, "status": "alles"})
        made = ZaakType(
            url=url,
            statuses=named(statuses, "omschrijving"),
            status_numbers={text_of(one, "url"): number_of(one, "volgnummer") for one in statuses},
            results=named(of_type("/resultaattypen"), "omschrijving"),
            properties=named(of_type("/eigenschappen"), "naam"),
            initiator=next((text_of(one, "url") for one in roles), ""),
            decision=named(decisions, "omschrijving").get(names.decision, ""),
        )
        _require_fit(made, names, self._situations)
        return made

    # --- cases --------------------------------------------------------------------------------------------

    def zaak(self, url: str, etag: str = "") -> Zaak | None:
        """Return a case; None where it is as it was with this validator. Raises Refused 404 for none."""
        answer = self._zaken.ask("GET", url, etag=etag, headers=_READING)
        if answer.unchanged:
            return None
        found = read_case(answer.content, answer.etag)
        if found.url != url:
            raise Unexpected("zaken", "another_case")
        return found

    def open_cases(self, zaaktype: str) -> Iterator[Zaak | Unreadable]:
        """Give the cases of a type that are not closed; what is none comes by itself, and hides no other."""
        query = {"zaaktype": zaaktype, "bronorganisatie": self._rsin, "einddatum__isnull": "true"}
        where, skipped = f"/zaken?{urlencode(query)}", False
        for number in range(1, PAGES_MAX + 1):
            try:
                content = self._zaken.ask("GET", where, headers=_READING, rows=True).content
                rows, following = rows_of(content)
            except Unexpected as bad:
                if skipped:
                    # Two in a row: this is no list at all.
                    raise
                skipped = True
                yield Unreadable(f"page {number}", bad.code)
                where = f"/zaken?{urlencode({**query, 'page': str(number + 1)})}"
                continue
            except Refused as refused:
                if skipped and refused.status in (BAD_REQUEST, *NOT_FOUND):
                    # What could not be read was the last page.
                    return
                raise
            skipped = False
            for row in rows:
                yield read_row(row, self.holds)
            if not following:
                return
            where = following
        raise Unexpected("case_system", "pages_without_end")

    def case_of_plan(self, plan_id: str) -> Zaak | None:
        """Return the case that names a plan. Raises ForAPerson where two do."""
        found = self._search({"kenmerk": plan_id, "kenmerk__bron": SOURCE})
        if len(found) > 1:
            raise ForAPerson("two_cases_of_one_plan")
        return found[0] if found else None

    def open_cases_of(self, bsn: Bsn, zaaktype: str) -> list[Zaak]:
        """Return the open cases of a type about a resident: by POST, for a BSN stands in no URL."""
        key = "rol__betrokkeneIdentificatie__natuurlijkPersoon__inpBsn"
        return self._search({key: bsn.reveal(), "zaaktype": zaaktype, "einddatum__isnull": True})

    def _search(self, told: Mapping[str, object]) -> list[Zaak]:
        content = self._zaken.ask("POST", "/zaken/_zoek", told, headers=_WRITING).content
        return [read_case(one) for one in results_of(content)]

    def create(self, told: Mapping[str, object]) -> Zaak:
        """Open a case; where its identification is taken, return the one that has it."""
        try:
            made = self._zaken.ask("POST", "/zaken", told, headers=_WRITING)
            return read_case(made.content, made.etag)
        except Refused as refused:
            if refused.status != BAD_REQUEST or refused.params != (
                ("identificatie", "identificatie-niet-uniek"),
            ):
                raise
        query = {"identificatie": told["identificatie"], "bronorganisatie": self._rsin}
        found = self._search(query)
        if not found:
            # Taken, and not shown to us: of somebody else, or taken away since.
            raise ForAPerson("identification_taken")
        return found[0]

    def keep_kenmerken(self, zaak: Zaak, kenmerken: list[dict[str, str]]) -> None:
        """Put kenmerken in the place of those of a case."""
        self._zaken.ask("PATCH", zaak.url, {"kenmerken": kenmerken}, headers=_WRITING)

    def initiators(self, zaak: Zaak) -> list[str]:
        """Return the numbers of the natural persons who began a case; not yet checked to be BSNs."""
        roles = [self._zaken.ask("GET", url).content for url in zaak.rollen]
        return [
            str(role["betrokkeneIdentificatie"].get("inpBsn", ""))
            for role in roles
            if isinstance(role, dict)
            and role.get("betrokkeneType") == "natuurlijk_persoon"
            and role.get("omschrijvingGeneriek") == "initiator"
            and isinstance(role.get("betrokkeneIdentificatie"), dict)
        ]

    def add_initiator(self, zaak: Zaak, zaaktype: ZaakType, bsn: Bsn) -> None:
        """Say whom a case is about: by number alone, for who reads it has the BRP himself."""
        told = {
            "zaak": zaak.url,
            "betrokkeneType": "natuurlijk_persoon",
            "roltype": zaaktype.initiator,
            "roltoelichting": "inwoner",
            "betrokkeneIdentificatie": {"inpBsn": bsn.reveal()},
        }
        self._zaken.ask("POST", "/rollen", told)

    def status_number(self, zaak: Zaak, zaaktype: ZaakType) -> int:
        """Return the number of the status a case has now; 0 for none."""
        if not zaak.status:
            return 0
        told = self._zaken.ask("GET", zaak.status).content
        return zaaktype.status_numbers.get(text_of(told, "statustype"), 0)

    def set_status(self, zaak: Zaak, statustype: str, at: str) -> None:
        """Set a status. The moment makes it one: the same again is refused, and then it stands."""
        told = {
            "zaak": zaak.url,
            "statustype": statustype,
            "datumStatusGezet": at,
            "statustoelichting": "",
        }
        self._zaken.ask("POST", "/statussen", told)

    def set_result(self, zaak: Zaak, resultaattype: str) -> None:
        """Give a case its result, of which it has one."""
        self._zaken.ask("POST", "/resultaten", {"zaak": zaak.url, "resultaattype": resultaattype})

    def properties(self, zaak: Zaak) -> dict[str, tuple[str, str]]:
        """Return (url, value) of the properties of a case by the url of their type."""
        found = self._zaken.ask("GET", f"{zaak.url}/zaakeigenschappen").content
        rows = found if isinstance(found, list) else []
        return {text_of(one, "eigenschap"): (text_of(one, "url"), text_of(one, "waarde")) for one in rows}

    def set_property(self, zaak: Zaak, eigenschap: str, value: str) -> None:
        """Give a property its value, where it has another."""
        held = self.properties(zaak).get(eigenschap)
        if held is None:
            told = {"zaak": zaak.url, "eigenschap": eigenschap, "waarde": value}
            self._zaken.ask("POST", f"{zaak.url}/zaakeigenschappen", told)
        elif held[1] != value:
            self._zaken.ask("PATCH", held[0], {"waarde": value})

    def link_object(self, zaak: Zaak, url: str, kind: str) -> None:
        """Link an object to a case, once."""
        held = [self._zaken.ask("GET", one).content for one in zaak.zaakobjecten]
        if any(isinstance(one, dict) and one.get("object") == url for one in held):
            return
        told = {
            "zaak": zaak.url,
            "object": url,
            "objectType": "overige",
            "objectTypeOverige": kind,
            "relatieomschrijving": "Ondersteuningsplan bij deze zaak",
        }
        self._zaken.ask("POST", "/zaakobjecten", told)

    def decide(self, told: Mapping[str, object]) -> str:
        """Record a decision, return its url; the same identification again is that decision."""
        query = {
            "identificatie": str(told["identificatie"]),
            "verantwoordelijkeOrganisatie": self._rsin,
        }
        for held in self._all(self._besluiten, "/besluiten", query):
            return text_of(held, "url")
        return text_of(self._besluiten.ask("POST", "/besluiten", told).content, "url")

    # --- documents ----------------------------------------------------------------------------------------

    def documents(self, documenten: Outward) -> Documents:
        """Return the documents, linked to what is of this system."""
        return Documents(documenten, self._zaken, self._besluiten, self._rsin)

    def document_type(self, name: str, today: str) -> str:
        """Return the url of a published type of document that holds today. Raises CatalogueUnfit."""
        query = {"omschrijving": name, "status": "definitief", "datumGeldigheid": today}
        found = list(self._all(self._catalogi, "/informatieobjecttypen", query))
        if len(found) != 1:
            raise CatalogueUnfit("documents.informatieobjecttype names not one published type of today")
        return text_of(found[0], "url")

    # --- notifications --------------------------------------------------------------------------------------

    def subscribe(self, callback: str, auth: str) -> bool:
        """Let this system tell us of its cases; return whether that was new."""
        found = self._notificaties.ask("GET", "/abonnement").content
        held = found if isinstance(found, list) else []
        if any(text_of(one, "callbackUrl") == callback for one in held):
            return False
        channel = {"naam": CHANNEL, "filters": {"bronorganisatie": self._rsin}}
        told = {"callbackUrl": callback, "auth": auth, "kanalen": [channel]}
        self._notificaties.ask("POST", "/abonnement", told)
        return True

    def _all(
        self, api: Outward, path: str, query: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Give what all pages hold."""
        where = f"{path}?{urlencode(query)}"
        for _ in range(PAGES_MAX):
            content = api.ask("GET", where, headers=headers).content
            yield from results_of(content)
            where = str(content.get("next") or "")
            if not where:
                return
        raise Unexpected("case_system", "pages_without_end")


def _require_fit(made: ZaakType, names: Names, situations: Mapping[str, tuple[str, str]]) -> None:
    """Raise CatalogueUnfit for what the settings name and the type has not."""
    for stage in Stage:
        if names.status(stage) not in made.statuses:
            raise CatalogueUnfit(f"the case type has no status as zaaktype.{stage.name.lower()} names it")
    for key in ("granted", "refused", "solved"):
        if getattr(names, key) not in made.results:
            raise CatalogueUnfit(f"the case type has no result as zaaktype.{key} names it")
    for key in ("plan_version", "life_domains"):
        if getattr(names, key) and getattr(names, key) not in made.properties:
            raise CatalogueUnfit(f"the case type has no property as zaaktype.{key} names it")
    if any(name not in made.properties for pair in situations.values() for name in pair):
        raise CatalogueUnfit("the case type has no property as situations names it")
    if names.decision and not made.decision:
        raise CatalogueUnfit("the case type has no decision type as zaaktype.decision names it")
    if not made.initiator:
        raise CatalogueUnfit("the case type has no role with omschrijvingGeneriek initiator")
