"""The glossary's last column: no name in the exchange or its protos says what it says never to say."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from tests.house.tree import REPOSITORY, Room, defined, rooms, words

if TYPE_CHECKING:
    from collections.abc import Iterator

GLOSSARY = REPOSITORY / "exchange" / "domain" / "GLOSSARY.md"
PROTOS = REPOSITORY / "protos" / "exchange" / "v1"

# Names that carry such a word in another sense, each with that sense. Exact names: a new one is judged.
OTHER_SENSE = {
    "the far end of a TLS connection": [
        "client_authorities",
        "ClientCertificate",
        "client_ca",
    ],
    "of OAuth 2.0: a system that a provider tells who signed in": [
        "client_id",
        "console_client_id",
        "console_client_secret_file",
    ],
    "the person and category a key is kept for": ["owner"],
    "the administration port, not a person": ["admin_port", "admin_host", "admin_address"],
    "the ledger's word for an audit pack": ["export_pack", "export"],
    "what somebody needs (a care need), not GDPR 5(1)(c)": ["domains_of_need", "needs", "SCORE_OF_NEED_MAX"],
    "the case file's word for the fields a purpose needs": ["need_fields"],
    "rules that can do without a basis": ["_NEED_NO_BASIS"],
    "an organisation's part of the blinding key": ["_Share", "_share", "share", "_shares"],
}
ALLOWED = frozenset(name for names in OTHER_SENSE.values() for name in names)
PROTO_NAME = re.compile(
    r"^\s*(?:(?:service|rpc|message|enum)\s+(\w+)|(?:repeated\s+)?[\w.]+\s+(\w+)\s*=\s*\d+|([A-Z][A-Z0-9_]+)\s*=\s*\d+)",
    re.MULTILINE,
)


def never_said(glossary: str) -> dict[str, str]:
    """Return forbidden word -> the word to say, from the table's marked words."""
    said: dict[str, str] = {}
    for line in glossary.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`"):
            for marked in re.findall(r"`([^`]+)`", cells[4]):
                said.setdefault(marked, cells[0])
    return said


@cache
def forbidden() -> dict[str, str]:
    return never_said(GLOSSARY.read_text(encoding="utf-8"))


def wrong_word(name: str) -> str | None:
    """Return the forbidden word in a name, in the singular; several words match one after another."""
    if name in ALLOWED:
        return None
    parts = [part.removesuffix("s") for part in words(name)]
    joined = f" {' '.join(parts)} "
    for word in forbidden():
        if f" {' '.join(part.removesuffix('s') for part in words(word))} " in joined:
            return word
    return None


def wrong_names(room: Room) -> Iterator[str]:
    for name, line in defined(room.tree):
        if word := wrong_word(name):
            yield f"{room.name}:{line}: `{name}` says {word}, say {forbidden()[word]}"


def wrong_proto_names(name: str, text: str) -> Iterator[str]:
    for found in PROTO_NAME.finditer(text):
        given = next(group for group in found.groups() if group)
        if word := wrong_word(given):
            yield f"{name}: `{given}` says {word}, say {forbidden()[word]}"


def test_the_glossary_is_read() -> None:
    said = forbidden()
    assert {"client", "tenant", "consumer", "opt-in", "share", "ticket"} <= set(said)
    assert said["client"] == "`resident`"
    assert "service" not in said


def test_no_name_in_the_exchange_says_a_forbidden_word() -> None:
    looked_at = rooms("exchange")
    assert looked_at, "there is nothing to look at"
    assert [fault for room in looked_at for fault in wrong_names(room)] == []


def test_no_name_in_the_protos_says_a_forbidden_word() -> None:
    protos = sorted(PROTOS.glob("*.proto"))
    assert protos, "there is nothing to look at"
    assert [
        fault
        for proto in protos
        for fault in wrong_proto_names(proto.name, proto.read_text(encoding="utf-8"))
    ] == []


def test_forbidden_words_are_seen_in_every_style() -> None:
    text = (
        "class TenantStore: pass\n"
        "def opt_in(client_name): pass\n"
        "USERS_MAX = 3\n"
        "self.consumer = 1\n"
        "for patient in them: pass\n"
    )
    seen = " ".join(wrong_names(Room("exchange/domain/sample.py", text)))
    assert all(
        f"`{name}`" in seen for name in ("TenantStore", "opt_in", "client_name", "USERS_MAX", "consumer")
    )
    assert "`patient`" in seen


def test_words_that_only_look_alike_are_let_be() -> None:
    text = "def outpatients_hatch(grounded, needless, aimed): pass\n"
    assert list(wrong_names(Room("exchange/domain/sample.py", text))) == []


def test_forbidden_words_are_seen_in_protos() -> None:
    text = (
        "service TenantService {\n  rpc ShareFile(ShareFileRequest) returns (A);\n}\n"
        "message Hat {\n  repeated string citizens = 1 [(rule) = {}];\n  Purpose aim = 2;\n}\n"
        "enum Kind {\n  KIND_TICKET = 1;\n}\n"
    )
    seen = " ".join(wrong_proto_names("sample.proto", text))
    expected = ("TenantService", "ShareFile", "Hat", "citizens", "aim", "KIND_TICKET")
    assert [name for name in expected if f"`{name}`" not in seen] == []


def test_every_other_sense_is_still_in_use() -> None:
    used = {name for room in rooms("exchange") for name, _ in defined(room.tree)}
    assert sorted(ALLOWED - used) == []
