"""The document of a decision: kept once, in parts where it is large, linked, and taken away."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from adapters.kit.outward import NotNow, OutwardError
from adapters.municipal.case_system import CaseSystem, zgw_api
from adapters.municipal.documents import INLINE_BYTES_MAX, Documents, Paper
from adapters.municipal.errors import CatalogueUnfit
from adapters.municipal.papers import words_of
from adapters.municipal.records import Decision
from adapters.simulators.open_zaak.catalogue import DOCUMENT
from adapters.simulators.open_zaak.documenten import DOCUMENTEN, PART_BYTES
from adapters.simulators.open_zaak.faults import Fault, Kind
from tests.municipal.around import ME, Adapter, Reported, configured, plan_of, tell
from tests.municipal.test_faults import decided
from tests.server.test_erasure import Erasure
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.open_zaak.whole import OpenZaak, Seen
    from tests.municipal.around import Town
    from tests.server.town import Town as Exchange

SUPPORT = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0009"
TODAY = "2026-11-26"


class Shelf:
    """The documents of one organisation, and what an adapter keeps of a lock."""

    def __init__(self, system: OpenZaak, folder: Path) -> None:
        config = configured(folder, system)
        cases = CaseSystem(config)
        self.documents: Documents = cases.documents(
            zgw_api(config, "documenten", system.url + DOCUMENTEN, time.time)
        )
        self.paper = Paper(
            identification="EX-1",
            title="Besluit",
            author="Gemeente",
            day=TODAY,
            kind=cases.document_type(DOCUMENT, TODAY),
            confidentiality="zaakvertrouwelijk",
            content=b"",
        )
        self.lock = ""
        self._system = system

    def keep(self, content: bytes) -> str:
        return self.documents.keep(replace(self.paper, content=content), self.lock, self._keep_lock)

    def _keep_lock(self, told: str) -> None:
        self.lock = told

    @property
    def contents(self) -> list[bytes]:
        return [*self._system.documenten.contents.values()]


@pytest.fixture
def shelf(system: OpenZaak, tmp_path: Path) -> Shelf:
    return Shelf(system, tmp_path)


def content_of(size: int) -> bytes:
    """Return bytes that no line end and no number of a part leaves out."""
    return bytes(number % 256 for number in range(size))


@pytest.mark.parametrize(
    ("size", "parts"),
    [(0, 0), (INLINE_BYTES_MAX, 0), (INLINE_BYTES_MAX + 1, -(-(INLINE_BYTES_MAX + 1) // PART_BYTES))],
)
def test_up_to_a_limit_it_goes_whole_and_beyond_in_parts(
    size: int, parts: int, shelf: Shelf, seen: list[Seen]
) -> None:
    url = shelf.keep(content_of(size))
    assert shelf.contents == [content_of(size)]
    assert [one.method for one in seen].count("PUT") == parts
    # The same again is that document.
    assert shelf.keep(content_of(size)) == url
    assert len(shelf.contents) == 1


@pytest.mark.parametrize("kind", [Kind.LOSE, Kind.CUT])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/enkelvoudiginformatieobjecten"), ("PUT", "/bestandsdelen"), ("POST", "/unlock")],
)
def test_whatever_answer_is_lost_it_is_one_document_and_whole(
    kind: Kind, method: str, path: str, shelf: Shelf, system: OpenZaak
) -> None:
    content = content_of(INLINE_BYTES_MAX + 1)
    system.faults.order(Fault(kind, path, method))
    with pytest.raises(NotNow):
        shelf.keep(content)
    url = shelf.keep(content)
    assert shelf.contents == [content]
    (held,) = system.documenten.documenten.by_uuid.values()
    assert held["url"] == url
    assert shelf.keep(content) == url


def test_begun_with_other_words_it_is_made_anew(shelf: Shelf, system: OpenZaak) -> None:
    system.faults.order(Fault(Kind.CUT, "/unlock"))
    with pytest.raises(NotNow):
        shelf.keep(content_of(INLINE_BYTES_MAX + 1))
    other = content_of(INLINE_BYTES_MAX + 1)[::-1]
    shelf.keep(other)
    assert shelf.contents == [other]


def test_a_type_that_the_catalogue_has_not_is_told(system: OpenZaak, tmp_path: Path) -> None:
    with pytest.raises(CatalogueUnfit, match=r"documents\.informatieobjecttype"):
        CaseSystem(configured(tmp_path, system)).document_type("Brief", TODAY)


def test_what_is_linked_goes_with_its_links_or_not_at_all(shelf: Shelf, system: OpenZaak, town: Town) -> None:
    zaak = town.case()
    url = shelf.keep(b"abc")
    kind = system.catalogue.collections["besluittypen"][0]["url"]
    decision = system.besluiten.besluiten.put({"zaak": zaak["url"], "besluittype": kind})
    for _ in range(2):
        shelf.documents.link(url, zaak["url"], decision["url"])
    assert len(zaak["zaakinformatieobjecten"]) == 1
    system.faults.order(Fault(Kind.REFUSE, "/besluitinformatieobjecten/", "DELETE", status=403))
    with pytest.raises(OutwardError):
        shelf.documents.forget("EX-1")
    assert shelf.contents == [b"abc"]
    assert shelf.documents.forget("EX-1")
    assert (shelf.contents, zaak["zaakinformatieobjecten"]) == ([], [])
    assert not shelf.documents.forget("EX-1")


def test_the_words_are_those_of_the_plan() -> None:
    data = {
        "versie": 7,
        "akkoord": True,
        "doelen": [
            {
                "doelId": "1",
                "eigenWoorden": "Weer koken.",
                "leefgebied": "BASIC_ADL",
                "gewenstEffect": "Zelf eten",
            },
            {"doelId": "2"},
        ],
        "ondersteuning": [
            {"ondersteuningId": SUPPORT, "productcategorie": "02", "productcode": "02A03"},
            {"ondersteuningId": "another", "productcategorie": "07"},
        ],
    }
    said = words_of(Decision(SUPPORT, "2027-01-01", ""), data).decode()
    assert said.splitlines() == [
        "Besluit over ondersteuning",
        "",
        "Kenmerk: EX-0e0cbe7b6ef24d29a6c1c8f6f0ef0009",
        "Gemaakt uit het ondersteuningsplan, versie 7.",
        "De inwoner is akkoord met dit plan: ja.",
        "",
        "De ondersteuning",
        "Product: 02 02A03",
        "Begint op: 2027-01-01",
        "Eindigt op: niet genoemd",
        "",
        "De doelen",
        "- In eigen woorden: Weer koken.",
        "  Gewenst effect: Zelf eten",
        "  Leefgebied: basale adl",
        "- In eigen woorden: niet genoemd",
    ]


def bsn_of(town: Town) -> str:
    (role,) = town.system.zaken.rollen.by_uuid.values()
    return str(role["betrokkeneIdentificatie"]["inpBsn"])


def test_a_decision_has_its_document_which_goes_when_the_part_in_the_plan_ends(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    zaak, plan_id = decided(exchange, adapter, town)
    tell(adapter, plan_id)
    papers = town.system.documenten
    (document,) = papers.documenten.by_uuid.values()
    (linked,) = papers.of_cases.by_uuid.values()
    (decision,) = town.system.besluiten.besluiten.by_uuid.values()
    assert (linked["zaak"], linked["informatieobject"]) == (zaak["url"], document["url"])
    assert [one["besluit"] for one in papers.of_decisions.by_uuid.values()] == [decision["url"]]
    assert document["identificatie"] == decision["identificatie"]
    assert document["vertrouwelijkheidaanduiding"] == zaak["vertrouwelijkheidaanduiding"]
    assert b"Begint op: 2027-01-01" in papers.contents[document["uuid"]]
    # Closed or not, told again it is not made again.
    tell(adapter, plan_id)
    assert len(papers.documenten.by_uuid) == 1

    bsn = next(
        role["betrokkeneIdentificatie"]["inpBsn"] for role in town.system.zaken.rollen.by_uuid.values()
    )
    story = Reported(exchange, bsn, plan_of(zaak))
    story.wmo.case.leave_case(
        claim=INVESTIGATE,
        case_id=story.case_id,
        oin=adapter.exchange.own_oin,  # type: ignore[attr-defined] # the real port
        task="college:WMO",
        professional=ME,
    )
    tell(adapter, plan_id)
    assert (papers.documenten.by_uuid, papers.contents, papers.of_cases.by_uuid) == ({}, {}, {})
    assert "document_purged" in adapter.events


def test_an_erasure_takes_the_documents_too_and_is_not_confirmed_before(
    exchange: Exchange, adapter: Adapter, town: Town
) -> None:
    zaak, plan_id = decided(exchange, adapter, town)
    tell(adapter, plan_id)
    assert town.system.documenten.documenten.by_uuid
    bsn = next(
        role["betrokkeneIdentificatie"]["inpBsn"] for role in town.system.zaken.rollen.by_uuid.values()
    )
    erasure = Erasure(exchange, Reported(exchange, bsn, plan_of(zaak)))
    erasure.executed()
    town.system.faults.order(Fault(Kind.REFUSE, "/enkelvoudiginformatieobjecten/", "DELETE", status=403))
    tell(adapter, plan_id)
    assert "purge_failed" in adapter.events
    assert erasure.erasure_id in [one.erasure_id for one in adapter.exchange.purges.asked()]
    tell(adapter, plan_id)
    assert town.system.documenten.documenten.by_uuid == {}
    assert erasure.erasure_id not in [one.erasure_id for one in adapter.exchange.purges.asked()]
