"""Looking back and looking ahead, by the officer alone: a replay, a preview, the month, erasures."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING

import pytest

from exchange.console import pdfs
from exchange.console.pages.policy import preview
from exchange.console.pages.policy.exports import months_until
from exchange.console.pages.policy.faults import WORDS
from exchange.console.refusals import Refused
from exchange.documents.activities import read_record
from exchange.documents.month import read_summary
from exchange.errors import DocumentNotSet
from exchange.gate.entry_meaning import OF_WHO_OFFERS
from exchange.server.services import replay as service
from exchange.v1 import resident_rights_service_pb2 as rights_pb
from tests.console.house import AUTHOR, OFFICER
from tests.house.tree import REPOSITORY
from tests.pipeline.legal_bases import successor
from tests.server.story import Story, denied_read
from tests.server.test_erasure import PURGE, Erasure
from tests.server.test_replay import forged
from tests.server.town import INVESTIGATE

if TYPE_CHECKING:
    from tests.console.house import House, Visitor
    from tests.server.town import Town

HIDDEN = re.compile(r'type="hidden" name="([a-z_0-9]+)" value="([^"]*)"')
SINCE = "2026-01-01"


@pytest.fixture(scope="module")
def visitor(house: House, story: Story) -> Visitor:
    """Return an officer, where something was given and something refused."""
    denied_read(house.town, story)
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    return house.as_(OFFICER)


@pytest.fixture(scope="module")
def past(town: Town, visitor: Visitor) -> int:
    """Return the newest position before anybody forged something here."""
    assert visitor.get("/naspelen").status_code == 200
    return int(town.core.reader.head()[0])


def hidden(text: str, action: str) -> dict[str, str]:
    """Return what the first form of an action carries unseen."""
    (form,) = re.findall(rf'<form method="post" action="{action}">(.*?)</form>', text, re.DOTALL)
    unescaped = (
        (name, value.replace("&#34;", '"').replace("&amp;", "&")) for name, value in HIDDEN.findall(form)
    )
    return dict(unescaped)


def counted(text: str, says: str) -> int:
    found = re.search(rf"{re.escape(says)}</dt><dd>(\d+)</dd>", text)
    return int(found[1]) if found else 0


# --- replay ----------------------------------------------------------------------------------------


def test_a_replay_adds_up_over_its_parts_and_stores_nothing(
    visitor: Visitor, past: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert visitor.get("/naspelen?alles").status_code == 200
    head = past
    monkeypatch.setattr(service, "EVENTS_PER_PAGE_MAX", 8)
    text = visitor.get(f"/naspelen?van=1&tot={head}").text
    one_go = counted(visitor.get(f"/naspelen?van=1&tot={head}").text, "Hetzelfde als toen")
    rounds = 1
    while 'action="/naspelen/verder"' in text:
        assert "Er is nog meer te doen." in text
        answer = visitor.post("/naspelen/verder", hidden(text, "/naspelen/verder"))
        assert answer.status_code == 200, answer.text
        text, rounds = answer.text, rounds + 1
    assert rounds > 1
    monkeypatch.undo()
    whole = visitor.get(f"/naspelen?van=1&tot={head}")
    assert "Alles klopt." in whole.text
    assert one_go < counted(text, "Hetzelfde als toen") == counted(whole.text, "Hetzelfde als toen")


@pytest.mark.usefixtures("past")
def test_what_differs_is_told_in_words_with_its_decision(town: Town, visitor: Visitor) -> None:
    position, decision_id = forged(town)
    for asked in (f"van={position}&tot={position}", f"beslissing={decision_id}"):
        text = visitor.get(f"/naspelen?{asked}").text
        assert "1 beslissing kijkt u na." in text, asked
        assert "Anders dan toen" in text
        assert f'<a href="/beslissing/{decision_id}">' in text
        assert "R99" in text


def test_days_are_replayed_whole(town: Town, visitor: Visitor) -> None:
    today = months_until(town.now())[0].value
    head = town.core.reader.head()[0]
    text = visitor.get(f"/naspelen?dag={today}-01").text
    assert f"Vanaf plaats {1}." in text
    assert counted(text, "Hetzelfde als toen") > 0
    # Places that are left empty are the first and the newest, as the page says.
    assert "Vanaf plaats 1." in visitor.get("/naspelen?van=&tot=").text
    # A day long before: everything comes after its end, and nothing is in it.
    text = visitor.get("/naspelen?dag=2020-01-01&totdag=2020-01-02").text
    assert counted(text, "Hetzelfde als toen") < head


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("van=drie", "Vul een getal in."),
        ("van=-1", "Vul een getal in."),
        ("van=9&tot=3", "De laatste plaats komt voor de eerste."),
        ("dag=gisteren", "Kies een dag"),
        ("dag=&totdag=", "Kies een dag"),
        ("dag=1999-12-31", "Kies een dag"),
        ("dag=2026-02-02&totdag=2026-02-01", "De laatste dag komt voor de eerste."),
        ("beslissing=niets", "Deze beslissing is er niet"),
        ("van=999999999", "De vraag klopt niet."),
        ("beslissing=%3Cscript%3E", "De vraag klopt niet."),
        ("beslissing=%00", "De vraag klopt niet."),
        ("beslissing=..%2F..%2F%27%25", "De vraag klopt niet."),
    ],
)
def test_a_range_that_is_none_says_so(visitor: Visitor, query: str, says: str) -> None:
    answer = visitor.get(f"/naspelen?{query}")
    assert answer.status_code == 400, answer.text
    assert says in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "total", ["[1]", '{"same": -1}', '{"same": "1"}', '{"other": 1}', '{"same": 1e99}', "{", "[" * 9_000]
)
def test_a_total_that_no_page_gave_is_refused(visitor: Visitor, total: str) -> None:
    form = {"csrf": visitor.csrf("/naspelen"), "van": "1", "tot": "2", "totaal": total}
    answer = visitor.post("/naspelen/verder", form)
    assert answer.status_code == 400, answer.text
    assert "Begin opnieuw." in answer.text
    with pytest.raises(Refused):
        preview._total(total if total != "{" else "{,")


# --- preview ---------------------------------------------------------------------------------------


def previewed(visitor: Visitor, text: str, **changes: str) -> tuple[int, str]:
    form = {"csrf": visitor.csrf("/voorvertoning"), "tekst": text, "sinds": SINCE} | changes
    answer = visitor.post("/voorvertoning", form)
    return answer.status_code, answer.text


def test_a_preview_shows_what_closes_and_stores_nothing(
    house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first page of a console asks what organisations are called.
    visitor.get("/voorvertoning")
    policy, head = house.town.core.register.policy_hash, house.town.core.reader.head()[0]
    status, text = previewed(visitor, successor(enabled="false").replace("\n", "\r\n"))
    assert status == 200, text
    assert re.search(r'college:WMO</th>\s*<td data-head="Categorie">WMO-PLAN</td>', text)
    assert re.search(r'<span class="mark bad">\u2212\d+</span>', text)
    assert "R05" in text
    assert '<a href="/beslissing/' in text
    assert house.town.core.register.policy_hash == policy
    # The question itself is one decision, and nothing else is there.
    assert house.town.core.reader.head()[0] == head + 1
    changed = re.search(r"<strong>(\d+) beslissing", text)
    assert changed is not None
    monkeypatch.setattr(service, "EVENTS_PER_PAGE_MAX", 8)
    monkeypatch.setattr(preview, "PAGES_AT_ONCE", 2)
    status, text = previewed(visitor, successor(enabled="false"))
    while 'name="token"' in text:
        text = visitor.post("/voorvertoning", hidden(text, "/voorvertoning")).text
    assert f"<strong>{changed[1]} beslissing" in text
    status, text = previewed(visitor, successor())
    assert "Er zou geen beslissing anders uitkomen." in text


def test_a_file_is_previewed_like_what_is_pasted(visitor: Visitor) -> None:
    def sent(content: bytes) -> tuple[int, str]:
        fields = {"csrf": visitor.csrf("/voorvertoning"), "tekst": "", "sinds": SINCE}
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        head = '--x\r\nContent-Disposition: form-data; name="bestand"; filename="../../etc/r.toml"\r\n\r\n'
        body = "".join(parts).encode() + head.encode() + content + b"\r\n--x--\r\n"
        answer = visitor.send("/voorvertoning", body, "multipart/form-data; boundary=x")
        return answer.status_code, answer.text

    status, text = sent(successor(enabled="false").encode())
    assert (status, "R05" in text) == (200, True), text
    status, text = sent(b"\xff\xfe")
    assert (status, "Dit bestand is geen tekst in UTF-8." in text) == (400, True)
    status, text = sent(b"x" * 200_001)
    assert (status, "ten hoogste 200.000 tekens" in text) == (400, True)
    assert "etc" not in text


@pytest.mark.parametrize(
    ("change", "says", "line"),
    [
        (lambda text: text + 'colour = "<script>"\n', "Deze sleutel bestaat niet.", "colour"),
        (lambda text: re.sub(r"(?m)^dpia_ref.*\n", "", text), "Deze sleutel ontbreekt.", ""),
        (lambda text: text.replace("id = ", "id = = "), "De tekst is hier geen TOML.", "id"),
        (
            lambda text: re.sub(r"(?m)^purposes = .*$", 'purposes = ["alles"]', text),
            "dat deze sleutel niet kent",
            "purposes",
        ),
        (
            lambda text: text.replace("version = 2", "version = 1").replace("succeeds = 1", "succeeds = 0"),
            "Dit versienummer is al gebruikt.",
            "version",
        ),
        (
            lambda text: text.replace('wording = "', 'wording = "x", art = "'),
            "Deze sleutel bestaat niet.",
            "citation",
        ),
    ],
    ids=["unknown", "missing", "toml", "word", "used", "citation"],
)
def test_a_fault_is_shown_at_its_place(visitor: Visitor, change: object, says: str, line: str) -> None:
    text = change(successor())  # type: ignore[operator] # a function of this table
    number = next((at for at, one in enumerate(text.splitlines(), 1) if line and one.startswith(line)), 1)
    status, page = previewed(visitor, text)
    assert status == 400, page
    assert says in page
    assert f"Regel {number}: " in page
    assert "Wat helpt" in page
    assert 'aria-invalid="true"' in page
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("text", "changes", "says"),
    [
        ("", {}, "Plak een register of kies een bestand."),
        (" \n", {}, "Plak een register of kies een bestand."),
        ("x" * 200_001, {}, "ten hoogste 200.000 tekens"),
        ("a = 1", {"sinds": "morgen"}, "Kies een dag die al begonnen is."),
        ("a = 1", {"sinds": "2199-01-01"}, "Kies een dag die al begonnen is."),
        ("a = 1", {"sinds": "1999-12-31"}, "Kies een dag die al begonnen is."),
        ("a = 1", {"totaal": "[]"}, "Begin opnieuw."),
        ("a." * 10_000 + "a = 1", {}, "Een sleutel bestaat uit te veel delen."),
        ("a\0b", {}, "must be printable"),
        ("# 999990019", {}, "burgerservicenummer"),
    ],
)
def test_a_preview_of_what_is_none_says_so(
    visitor: Visitor, text: str, changes: dict[str, str], says: str
) -> None:
    status, page = previewed(visitor, text, **changes)
    assert status == 400
    assert says in page


# --- what goes out -----------------------------------------------------------------------------------


def test_the_month_and_the_record_can_be_saved(house: House, visitor: Visitor) -> None:
    month = months_until(house.town.now())[0].value
    page = visitor.get("/uitvoer").text
    assert f'value="{month}"' in page
    for word in ("Logboek Dataverwerkingen", "Verwerkingenlogging", "NEN 7513", "exchange audit adl"):
        assert word in page
    saved = visitor.get(f"/uitvoer/maand?maand={month}&vorm=json")
    assert saved.headers["content-disposition"] == f'attachment; filename="maandverslag-{month}.json"'
    found = read_summary(saved.content)
    assert sum(one.count for one in found.decisions) > 0
    assert found.ledger.origin == house.town.core.origin
    assert "decisions," in visitor.get(f"/uitvoer/maand?maand={month}&vorm=csv").text
    record = read_record(visitor.get("/register/verwerkingen/json").content)
    assert record.activities
    rows = house.as_(AUTHOR).get("/register/verwerkingen/csv").text.splitlines()
    assert len(rows) >= len(record.activities)
    assert json.loads(visitor.get("/register/verwerkingen/json").text)["policy_hash"]


@pytest.mark.parametrize(
    "path",
    [
        "/uitvoer/maand",
        "/uitvoer/maand?maand=2026-13&vorm=csv",
        "/uitvoer/maand?maand=2026-1&vorm=csv",
        "/uitvoer/maand?maand=2199-01&vorm=csv",
        "/uitvoer/maand?maand=2026-01&vorm=exe",
        "/register/verwerkingen/exe",
    ],
)
def test_a_file_of_nothing_is_refused(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status_code == 400


# --- what was erased ---------------------------------------------------------------------------------


def test_who_has_to_erase_waits_on_the_day_until_it_answers(house: House, visitor: Visitor) -> None:
    story = Story(house.town, next(house.town.bsns))
    story.goal()
    story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["goals.own_words"])
    erasure = Erasure(house.town, story)
    receipt = erasure.executed().receipt
    link = f'href="/grootboek/gewist/{erasure.erasure_id}"'
    day = visitor.get("/vandaag").text
    assert link in day
    assert link in visitor.get("/grootboek/gewist").text
    page = visitor.get(f"/grootboek/gewist/{erasure.erasure_id}")
    assert page.status_code == 200
    assert "Wmo 2015 artikel 5.3.5" in page.text
    assert f"<dd>{receipt.leaf_index}</dd>" in page.text
    assert house.bsn not in page.text
    story.wmo.rights.confirm_purge(
        claim=PURGE, erasure_id=erasure.erasure_id, outcome=rights_pb.PURGE_OUTCOME_ERASED
    )
    assert link not in visitor.get("/vandaag").text
    assert link in visitor.get("/grootboek/gewist").text
    told = visitor.get(f"/grootboek/gewist?wissing={erasure.erasure_id}")
    assert told.headers["location"] == f"/grootboek/gewist/{erasure.erasure_id}"
    for none in ("00000000-0000-4000-8000-000000000000", "%27%25", "x" * 36):
        assert visitor.get(f"/grootboek/gewist/{none}").status_code == 404


def test_a_pdf_that_cannot_be_made_now_says_so(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = [object() for _ in range(pdfs.PDFS_AT_ONCE)]
    for whose in taken:
        pdfs.STAFF.take(whose)
    try:
        answer = visitor.get("/register/verwerkingen/pdf")
    finally:
        for whose in taken:
            pdfs.STAFF.give_back(whose)
    assert answer.status_code == 503
    assert "Er worden al documenten gemaakt." in answer.text

    def not_set(_: object) -> bytes:
        raise DocumentNotSet("this document could not be set as a PDF")

    monkeypatch.setattr(pdfs, "pdf_of", not_set)
    # More often than there are places: each gives its place back.
    for _ in range(pdfs.PDFS_AT_ONCE + 1):
        answer = visitor.get("/register/verwerkingen/pdf")
        assert answer.status_code == 501
        assert "Hier kan geen PDF worden gemaakt." in answer.text


# --- faults in words ---------------------------------------------------------------------------------


def sentences(room: str, functions: set[str]) -> set[str]:
    """Return the sentences with which a room of the gate refuses an entry, as far as they stand whole."""
    tree = ast.parse((REPOSITORY / "exchange" / "gate" / room).read_text(encoding="utf-8"))
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "refuse":
            found |= texts(node)
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            found |= {text for one in ast.walk(node) if isinstance(one, ast.Tuple) for text in texts(one)}
    return {one for one in found if " " in one}


def texts(node: ast.AST) -> set[str]:
    parts = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
    return {one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def test_every_fault_of_an_entry_has_its_words() -> None:
    asked = sentences("entry.py", {"_check_together"}) | sentences("entry_meaning.py", {"faults"})
    assert len(asked) > 25
    assert sorted(asked - WORDS.keys()) == []
    assert OF_WHO_OFFERS in WORDS
