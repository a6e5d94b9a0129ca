"""The simulator answers as the published files say: zero violations, whatever it is asked."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import Response
from starlette.routing import Mount, Route

from adapters.municipal.case_system import zgw_token
from adapters.simulators.open_zaak import answers, catalogi
from adapters.simulators.open_zaak.access import BRP_KEY, CLIENT, SECRET, Gate
from adapters.simulators.open_zaak.brp import BRP, TYPE
from adapters.simulators.open_zaak.catalogi import BESLUITEN, CATALOGI
from adapters.simulators.open_zaak.shapes import NOT_HELD
from adapters.simulators.open_zaak.whole import OpenZaak
from adapters.simulators.open_zaak.zaak_shapes import ROL, ZAAK, ZAAKOBJECT
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
        self._held: dict[str, str] = {}
        self._town.person(BSN)

    def __call__(self, case: Case[Any]) -> None:
        kinds = self._system.catalogue.collections
        zaak = self._town.case(BSN)
        of = {"zaak": zaak["url"]}
        zaken = self._system.zaken
        eigenschap = zaken.add_property({**of, "eigenschap": kinds["eigenschappen"][0]["url"], "waarde": "1"})
        status = zaken.set_status(
            {**of, "statustype": kinds["statustypen"][0]["url"], "datumStatusGezet": "2026-11-01T00:00:00Z"}
        )
        self._held = {
            "zaken": zaak["uuid"],
            "zaakeigenschappen": eigenschap["uuid"],
            "statussen": status["uuid"],
            "rollen": zaak["rollen"][-1].rpartition("/")[2],
            "zaaktypen": zaak["zaaktype"].rpartition("/")[2],
        }
        self._path(case)
        case.query = {}
        if isinstance(case.body, dict):
            self._body(case, case.body, zaak)

    def _path(self, case: Case[Any]) -> None:
        segments = case.path.strip("/").split("/")
        for before, segment in pairwise(segments):
            if segment.startswith("{"):
                case.path_parameters[segment.strip("{}")] = self._uuid(before)

    def _uuid(self, name: str) -> str:
        if name in self._held:
            return self._held[name]
        shelf: Shelf = getattr(self._system.zaken, name)
        return str(next(reversed(shelf.by_uuid), "00000000-0000-4000-8000-000000000000"))

    def _body(self, case: Case[Any], body: dict[str, Any], zaak: dict[str, Any]) -> None:
        for name in UNHELD & body.keys():
            del body[name]
        kinds = self._system.catalogue.collections
        urls = {
            "zaak": zaak["url"],
            "zaaktype": zaak["zaaktype"],
            "statustype": kinds["statustypen"][1]["url"],
            "resultaattype": kinds["resultaattypen"][0]["url"],
            "roltype": kinds["roltypen"][0]["url"],
            "eigenschap": kinds["eigenschappen"][1]["url"],
            "besluittype": kinds["besluittypen"][0]["url"],
        }
        body |= {name: value for name, value in urls.items() if name in body}
        if case.path == "/zaken/_zoek":
            body.clear()
            body["bronorganisatie"] = RSIN
        elif case.path == "/zaken/{uuid}":
            body["identificatie"] = zaak["identificatie"]
        elif case.path == "/rollen":
            body["betrokkeneType"] = "natuurlijk_persoon"
            body["betrokkeneIdentificatie"] = {"inpBsn": BSN}
        elif case.path == "/zaakobjecten":
            body["objectType"] = "overige"
        elif case.path == "/personen":
            body.clear()
            body |= {"type": TYPE, "burgerservicenummer": [BSN], "fields": ["geboorte.datum", "gezag"]}


def judge_of(root: str, system: OpenZaak, standards: Path) -> Judged:
    schema = published(standards / FILES[root], root, served(system, root))
    token = zgw_token(CLIENT, SECRET, time.time())
    headers = {"X-API-KEY": BRP_KEY} if root == BRP else {"Authorization": f"Bearer {token}"}
    return judge(schema, system.url + root, headers, Filling(system))


@pytest.mark.slow
@pytest.mark.parametrize("root", FILES)
def test_zero_violations(root: str, living: OpenZaak, standards_dir: Path) -> None:
    judged = judge_of(root, living, standards_dir)
    assert judged.violations == set()
    assert judged.without_success() == []
    assert judged.asked > 0


def empty(_content: object, *how: Any, **more: Any) -> Response:  # noqa: ANN401 -- whatever an answer takes
    return answers.answer({}, *how, **more)


def plain(told: object, problem: Problem) -> Response:
    return Response(json.dumps(told), problem.status, media_type="text/plain")


WRONG = {
    "a problem of another media type": (BESLUITEN, answers, "_problem", plain, "Undocumented Content-Type"),
    "whoever asks is answered": (BESLUITEN, Gate, "zgw", lambda *_: CLIENT, "without authentication"),
    "all is taken": (CATALOGI, catalogi, "asked", lambda *_: {}, "Schema-violating request accepted"),
    "an answer lacks a part": (BESLUITEN, catalogi, "answer", empty, "Response violates schema"),
}


@pytest.mark.slow
@pytest.mark.parametrize("wrong", WRONG)
def test_a_simulator_that_does_otherwise_is_seen(
    wrong: str, living: OpenZaak, standards_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, where, name, instead, said = WRONG[wrong]
    monkeypatch.setattr(where, name, instead)
    found = " ".join(judge_of(root, living, standards_dir).violations)
    assert said in found, found[:1_000]
