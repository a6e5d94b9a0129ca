"""`python -m adapters.simulators.open_zaak.colleague URL FILE`: a colleague behind the case system's screen.

FILE is JSON: `identificatie`, `bsn`, `toelichting`, and what is said of the case by the name of its property.
The case is opened, or what is said of it changed; whom it is about comes last, for that makes it whole. With
`--hook URL --auth FILE` a file that is a message of the case system (it has a `kanaal`) is told there as is.
Waits until whom it asks is there.
Source: Zaken API 1.5.1; Catalogi API 1.3.1.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from adapters.kit.outward import Outward
from adapters.simulators.open_zaak.access import token
from adapters.simulators.open_zaak.answers import CRS
from adapters.simulators.open_zaak.catalogi import CATALOGI
from adapters.simulators.open_zaak.catalogue import ROLES, ZAAKTYPE
from adapters.simulators.open_zaak.zaken import ROOT

RSIN: Final = "111222333"
TIMEOUT_S: Final = 10.0
WAIT_S: Final = 30.0
LOOK_EVERY_S: Final = 0.05
_CRS: Final = {"Accept-Crs": CRS, "Content-Crs": CRS}


def main() -> None:
    """Do what the file says."""
    parser = argparse.ArgumentParser(prog="python -m adapters.simulators.open_zaak.colleague")
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--hook", default="")
    parser.add_argument("--auth", type=Path)
    told = parser.parse_args()
    raw = told.file.read_bytes()
    said: dict[str, Any] = json.loads(raw)
    _wait_for(told.hook if "kanaal" in said else told.url)
    if "kanaal" in said:
        _tell(told.hook, told.auth.read_text("ascii").strip(), raw)
    else:
        _Colleague(told.url).work(said)


def _wait_for(url: str) -> None:
    where = urlsplit(url)
    until = time.monotonic() + WAIT_S
    while True:
        try:
            socket.create_connection((where.hostname or "", where.port or 0), TIMEOUT_S).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(LOOK_EVERY_S)
        else:
            return


class _Colleague:
    def __init__(self, base: str) -> None:
        def headers() -> dict[str, str]:
            return {"Authorization": f"Bearer {token(time.time())}"}

        self._zaken = Outward("zaken", base + ROOT, headers)
        self._catalogi = Outward("catalogi", base + CATALOGI, headers)

    def work(self, said: dict[str, Any]) -> None:
        """Open the case or change it; say last whom it is about."""
        zaak = self._case(said)
        held = self._zaken.ask("GET", f"{zaak['url']}/zaakeigenschappen").content
        for kind in self._types("eigenschappen"):
            if kind["naam"] in said:
                self._say(zaak["url"], kind["url"], said[kind["naam"]], held)
        if not zaak["rollen"]:
            (initiator,) = [one for one in self._types("roltypen") if one["omschrijving"] == ROLES[0][0]]
            role = {"zaak": zaak["url"], "betrokkeneType": "natuurlijk_persoon", "roltype": initiator["url"]}
            person = {"betrokkeneIdentificatie": {"inpBsn": said["bsn"]}, "roltoelichting": "inwoner"}
            self._zaken.ask("POST", "/rollen", role | person)

    def _case(self, said: dict[str, Any]) -> dict[str, Any]:
        query = urlencode({"identificatie": said["identificatie"], "bronorganisatie": RSIN})
        found = self._zaken.ask("GET", f"/zaken?{query}", headers=_CRS).content["results"]
        if found:
            return dict(found[0])
        (kind,) = self._catalogi.ask("GET", f"/zaaktypen?{urlencode({'identificatie': ZAAKTYPE})}").content[
            "results"
        ]
        told = {
            "identificatie": said["identificatie"],
            "bronorganisatie": RSIN,
            "verantwoordelijkeOrganisatie": RSIN,
            "zaaktype": kind["url"],
            "startdatum": time.strftime("%Y-%m-%d"),
            "toelichting": said["toelichting"],
        }
        return dict(self._zaken.ask("POST", "/zaken", told, headers=_CRS).content)

    def _types(self, name: str) -> list[dict[str, Any]]:
        query = urlencode({"zaaktypeIdentificatie": ZAAKTYPE})
        found: list[dict[str, Any]] = self._catalogi.ask("GET", f"/{name}?{query}").content["results"]
        return found

    def _say(self, zaak: str, kind: str, value: str, held: list[dict[str, Any]]) -> None:
        for one in held:
            if one["eigenschap"] == kind:
                self._zaken.ask("PATCH", one["url"], {"waarde": value})
                return
        told = {"zaak": zaak, "eigenschap": kind, "waarde": value}
        self._zaken.ask("POST", f"{zaak}/zaakeigenschappen", told)


def _tell(hook: str, auth: str, raw: bytes) -> None:
    """Tell a message; whatever becomes of it is not this colleague's to judge."""
    where = urlsplit(hook)
    line = http.client.HTTPConnection(where.hostname or "", where.port, timeout=TIMEOUT_S)
    try:
        line.request("POST", where.path, raw, {"Content-Type": "application/json", "Authorization": auth})
        line.getresponse()
    finally:
        line.close()


if __name__ == "__main__":
    main()
