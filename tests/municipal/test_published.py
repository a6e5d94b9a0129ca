"""The simulator answers as the published files say: zero violations, whatever it is asked."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from starlette.responses import Response
from starlette.routing import Mount, Route

from adapters.kit.outward import Outward
from adapters.simulators.open_zaak import answers, catalogi
from adapters.simulators.open_zaak.access import BRP_KEY, CLIENT, Gate, token
from adapters.simulators.open_zaak.brp import BRP, TYPE
from adapters.simulators.open_zaak.catalogi import BESLUITEN, CATALOGI
from adapters.simulators.open_zaak.documenten import DOCUMENTEN
from adapters.simulators.open_zaak.shapes import NOT_HELD
from adapters.simulators.open_zaak.whole import OpenZaak
from adapters.simulators.open_zaak.zaak_shapes import ROL, ZAAK, ZAAKOBJECT
from adapters.simulators.open_zaak.zaken import ROOT
from tests.municipal.around import RSIN, Town
from tests.municipal.judge import FILES
from tests.municipal.published import Judged, judge, published, shape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemathesis import Case

    from adapters.simulators.open_zaak.answers import Problem
    from adapters.simulators.open_zaak.shelf import Shelf

BSN = "999900006"
PART = b"abc"
LINKS = ("/zaakinformatieobjecten/", "/besluitinformatieobjecten/")
# What is asked whole: of these nothing that was made up would find anything.
WHOLE: dict[str, dict[str, Any]] = {
    "/zaken/_zoek": {"bronorganisatie": RSIN},
    "/personen": {"type": TYPE, "burgerservicenummer": [BSN], "fields": ["geboorte.datum", "gezag"]},
    "/bestandsdelen/{uuid}": {"inhoud": PART},
}
# Of the standard, and not here.
UNHELD = {
    name for one in (ZAAK, ROL, ZAAKOBJECT) for name, field in one.items() if field.look is NOT_HELD.look
}


@pytest.fixture
def living() -> Iterator[OpenZaak]:
    system = OpenZaak().start()
    yield system
    system.close()


def served(system: OpenZaak, root: str) -> set[tuple[str, str]]:
    """Return (path, method) of what the simulator serves below a root; HEAD comes with each GET by itself.

    For HEAD the files publish no answer but 200, also where there is nothing: it is not judged.
    """
    (mounted,) = [one for one in system.routes if isinstance(one, Mount) and one.path == root]
    return {
        (shape(route.path), method.lower())
        for route in mounted.routes
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }


class Filling:
    """Puts things that are there into a question: a new case for each, with all that belongs to it."""

    def __init__(self, system: OpenZaak) -> None:
        self._system, self._town = system, Town(system)
        self._town.person(BSN)
        self._uuids: dict[str, str] = {}
        self._urls: dict[str, str] = {}

    def __call__(self, case: Case[Any]) -> None:
        zaak, kinds = self._town.case(BSN), self._system.catalogue.collections
        self._urls = {
            "zaak": zaak["url"],
            "zaaktype": zaak["zaaktype"],
            "statustype": kinds["statustypen"][1]["url"],
            "resultaattype": kinds["resultaattypen"][0]["url"],
            "roltype": kinds["roltypen"][0]["url"],
            "eigenschap": kinds["eigenschappen"][1]["url"],
            "besluittype": kinds["besluittypen"][0]["url"],
            "informatieobjecttype": kinds["informatieobjecttypen"][0]["url"],
        }
        self._uuids = {
            "zaken": zaak["uuid"],
            "zaaktypen": _uuid(zaak["zaaktype"]),
            "rollen": _uuid(zaak["rollen"][-1]),
        }
        self._belongings(zaak)
        lock = self._documents(linked=case.path.startswith(LINKS))
        segments = case.path.strip("/").split("/")
        for before, segment in pairwise(segments):
            if segment.startswith("{"):
                case.path_parameters[segment.strip("{}")] = self._uuids.get(before, "")
        case.query = {}
        if isinstance(case.body, dict):
            self._body(case, case.body, zaak, lock)

    def _belongings(self, zaak: dict[str, Any]) -> None:
        zaken, of = self._system.zaken, {"zaak": zaak["url"]}
        kinds = self._system.catalogue.collections
        said = zaken.add_property({**of, "eigenschap": kinds["eigenschappen"][0]["url"], "waarde": "1"})
        first = {"statustype": kinds["statustypen"][0]["url"], "datumStatusGezet": "2026-11-01T00:00:00Z"}
        self._uuids |= {
            "zaakeigenschappen": said["uuid"],
            "statussen": zaken.set_status({**of, **first})["uuid"],
        }
        for name in ("resultaten", "zaakobjecten"):
            shelf: Shelf = getattr(zaken, name)
            self._uuids[name] = str(next(reversed(shelf.by_uuid), ""))

    def _documents(self, *, linked: bool) -> str:
        """Make a document that waits for its one part, linked or not; return its lock."""
        shelf = self._system.documenten.documenten
        told = {
            "bronorganisatie": RSIN,
            "creatiedatum": "2026-11-01",
            "titel": "Besluit",
            "auteur": "Gemeente",
            "taal": "nld",
            "informatieobjecttype": self._urls["informatieobjecttype"],
            "bestandsomvang": len(PART),
        }
        made = api(self._system, DOCUMENTEN).ask("POST", f"/{shelf.name}", told).content
        decision = {
            "verantwoordelijkeOrganisatie": RSIN,
            "besluittype": self._urls["besluittype"],
            "zaak": self._urls["zaak"],
            "datum": "2026-11-01",
            "ingangsdatum": "2026-11-01",
        }
        besluit = api(self._system, BESLUITEN).ask("POST", "/besluiten", decision).content["url"]
        self._urls |= {"informatieobject": made["url"], "besluit": besluit}
        self._uuids |= {
            shelf.name: _uuid(made["url"]),
            "bestandsdelen": _uuid(made["bestandsdelen"][0]["url"]),
        }
        if linked:
            for root, name, of in ((ROOT, "zaak", self._urls["zaak"]), (BESLUITEN, "besluit", besluit)):
                link = {name: of, "informatieobject": made["url"]}
                found = api(self._system, root).ask("POST", f"/{name}informatieobjecten", link).content
                self._uuids[f"{name}informatieobjecten"] = _uuid(found["url"])
        return str(made["lock"])

    def _body(self, case: Case[Any], body: dict[str, Any], zaak: dict[str, Any], lock: str) -> None:
        for name in UNHELD & body.keys():
            del body[name]
        body |= {name: value for name, value in self._urls.items() if name in body}
        if case.path == "/zaken/{uuid}":
            body["identificatie"] = zaak["identificatie"]
        elif case.path == "/rollen":
            body |= {"betrokkeneType": "natuurlijk_persoon", "betrokkeneIdentificatie": {"inpBsn": BSN}}
        elif case.path == "/zaakobjecten":
            body["objectType"] = "overige"
        elif case.path == "/enkelvoudiginformatieobjecten":
            body.pop("bestandsomvang", None)
        elif case.path.endswith("/unlock"):
            part = {"Content-Type": "application/x-www-form-urlencoded"}
            where = f"/bestandsdelen/{self._uuids['bestandsdelen']}"
            told = urlencode({"lock": lock, "inhoud": PART}).encode()
            api(self._system, DOCUMENTEN).ask("PUT", where, body=told, headers=part)
            body["lock"] = lock
        elif case.path in WHOLE:
            body.clear()
            body |= WHOLE[case.path] | ({"lock": lock} if "inhoud" in WHOLE[case.path] else {})


def _uuid(url: str) -> str:
    return url.rpartition("/")[2]


def api(system: OpenZaak, root: str) -> Outward:
    return Outward(
        "zgw",
        system.url + root,
        lambda: {"Authorization": f"Bearer {token(time.time())}"},
    )


def judge_of(root: str, system: OpenZaak, standards: Path, most: int = 1_000) -> Judged:
    schema = published(standards / FILES[root], root, served(system, root))
    headers = {"X-API-KEY": BRP_KEY} if root == BRP else {"Authorization": f"Bearer {token(time.time())}"}
    return judge(schema, system.url + root, headers, Filling(system), most)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("root", FILES)
def test_zero_violations(root: str, living: OpenZaak, standards_dir: Path) -> None:
    judged = judge_of(root, living, standards_dir)
    assert judged.violations == set()
    assert judged.without_success() == []
    assert judged.asked > 0


def plain(told: object, problem: Problem) -> Response:
    return Response(json.dumps(told), problem.status, media_type="text/plain")


WRONG = {
    "a problem of another media type": (BESLUITEN, answers, "_problem", plain, "Undocumented Content-Type"),
    "whoever asks is answered": (BESLUITEN, Gate, "zgw", lambda *_: CLIENT, "without authentication"),
    "all is taken": (CATALOGI, catalogi, "asked", lambda *_: {}, "Schema-violating request accepted"),
    "an answer lacks a part": (
        CATALOGI,
        catalogi,
        "page",
        lambda *_: answers.answer({}),
        "Response violates schema",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
def test_a_simulator_that_does_otherwise_is_seen(
    wrong: str, living: OpenZaak, standards_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, where, name, instead, said = WRONG[wrong]
    monkeypatch.setattr(where, name, instead)
    # Not one operation: what is drawn against one may happen to hold.
    found = " ".join(judge_of(root, living, standards_dir, 3).violations)
    assert said in found, found[:1_000]
