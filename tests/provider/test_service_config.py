"""Settings and a person's file: every key that is wrong is named, no value is."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider.codes import AddressKind, DateUse, Gender, NameUse
from adapters.provider.config import POLL_MS, Side, load_config
from adapters.provider.errors import ConfigInvalid
from adapters.provider.person import FILE_BYTES_MAX, read_contacts, read_person, write_contacts
from adapters.provider.records import PersonName
from adapters.provider.schema import Law
from adapters.provider.transport import Ggk
from tests.provider.builders import BSN
from tests.provider.papers import PERSON, SETTINGS, written
from tests.provider.world import OTHER_BSN

if TYPE_CHECKING:
    from pathlib import Path


def changed(told: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Set `a.b`, or take it away for None."""
    key, _, below = path.partition(".")
    if below:
        return told | {key: changed(told[key], below, value)}
    return {name: one for name, one in (told | {key: value}).items() if one is not None}


def test_settings_are_read_and_folders_count_from_the_file(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, SETTINGS))
    assert (config.side, config.law, config.poll_ms) == (Side.PROVIDER, Law.WMO, POLL_MS)
    assert config.inbox == tmp_path / "inbox"
    assert config.journal == tmp_path / "state" / "journal.db"
    assert (config.person.professional, config.person.role) == ("iwmo-berichten", "adapter")
    other = SETTINGS | {"side": "municipality", "own_code": "0363", "counterparty_code": "65656055"}
    youth = load_config(written(tmp_path, other | {"law": "jw", "poll_ms": 10, "inbox": "/in"}))
    assert (youth.side, youth.law, youth.poll_ms) == (Side.MUNICIPALITY, Law.JW, 10)
    assert str(youth.inbox) == "/in"


@pytest.mark.parametrize("key", [*SETTINGS, "person.professional", "person.task"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigInvalid, match=rf"^{key} is missing"):
        load_config(written(tmp_path, changed(SETTINGS, key, None)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("side", "both"),
        ("law", "pw"),
        ("target", "localhost"),
        ("target", "https://localhost:1"),
        ("inbox", ""),
        ("inbox", 1),
        ("own_code", "0363"),
        ("own_code", "656560555"),
        ("own_code", "65656055\n"),
        ("counterparty_code", "65656055"),
        ("counterparty_oin", "123"),
        ("rejected_days", 0),
        ("rejected_days", 3_651),
        ("poll_ms", 9),
        ("poll_ms", 60_001),
        ("poll_ms", "100"),
        ("poll_ms", True),
        ("person", "me"),
        ("person.professional", "Jan de Boer"),
        ("person.task", ""),
        ("inboxes", "inbox"),
        ("person.name", "x"),
    ],
)
def test_a_wrong_value_is_named_by_its_key(tmp_path: Path, key: str, value: object) -> None:
    name = key.partition(".")[0] if key == "person.professional" else key
    with pytest.raises(ConfigInvalid, match=name):
        load_config(written(tmp_path, changed(SETTINGS, key, value)))


def test_two_folders_that_are_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="different folders"):
        load_config(written(tmp_path, SETTINGS | {"outbox": "./inbox"}))


@pytest.mark.parametrize("content", [b"side = ", b"\xff", None])
def test_what_is_no_settings_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "a.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigInvalid, match=r"a\.toml"):
        load_config(file)


# --- a person ----------------------------------------------------------------------------------------------


def person(told: dict[str, Any]) -> bytes:
    return json.dumps(told).encode()


def test_a_person_is_read_whole() -> None:
    more = PERSON | {
        "prefix": "van",
        "initials": "A",
        "given_names": "Ans",
        "partner_surname": "Vos",
        "partner_prefix": "de",
        "name_use": "4",
        "birth_date_use": "1",
        "telephone": "0591123456",
        "email": "a@example.test",
        "address": PERSON["address"] | {"house_letter": "a", "house_addition": "II", "kind": "03"},
    }
    found = read_person(person(more))
    assert found.resident.bsn.reveal() == BSN
    assert found.resident.birth_date == date(1967, 8, 13)
    assert (found.resident.gender, found.resident.birth_date_use) == (Gender.FEMALE, DateUse.DAY_UNKNOWN)
    assert found.resident.name == PersonName(
        "Zonderland", "van", "Vos", "de", "Ans", "A", NameUse.OWN_THEN_PARTNER
    )
    (contact,) = found.contacts
    assert (contact.kind, contact.house_number, contact.postcode) == (AddressKind.STAY, 12, "1234AB")
    assert (contact.place, contact.telephone, contact.country) == ("Dwingeloo", "0591123456", "NL")
    assert read_contacts(write_contacts(found.contacts)) == found.contacts


def test_an_address_abroad_needs_no_postcode() -> None:
    abroad = changed(changed(PERSON, "address.postcode", None), "address.country", "BE")
    assert read_person(person(abroad)).contacts[0].country == "BE"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bsn", None),
        ("bsn", "123456789"),
        ("bsn", 999900006),
        ("birth_date", "13-08-1967"),
        ("birth_date", None),
        ("birth_date_use", "9"),
        ("gender", "x"),
        ("gender", None),
        ("surname", None),
        ("surname", " "),
        ("name_use", "7"),
        ("address", None),
        ("address", "Dorpsstraat 12"),
        ("address.house_number", None),
        ("address.house_number", "12"),
        ("address.house_number", True),
        ("address.house_number", 0),
        ("address.postcode", None),
        ("address.postcode", "1234 AB"),
        ("address.kind", "09"),
        ("telephone", 591123456),
    ],
)
def test_a_wrong_part_of_a_person_is_named_without_its_value(key: str, value: object) -> None:
    with pytest.raises(ConfigInvalid, match=key) as refused:
        read_person(person(changed(PERSON, key, value)))
    for secret in (BSN, "123456789", "Zonderland", "13-08-1967", "Dorpsstraat"):
        assert secret not in str(refused.value)


@pytest.mark.parametrize("key", ["surname", "initials", "address.street", "email", "telephone"])
def test_what_no_message_can_carry_is_refused_at_once(key: str) -> None:
    with pytest.raises(ConfigInvalid, match="a 301 cannot carry this: XSD-"):
        read_person(person(changed(PERSON, key, "9" * 300)))


def test_a_key_nobody_knows_is_counted_and_not_repeated() -> None:
    for told in (PERSON | {OTHER_BSN: "x"}, changed(PERSON, f"address.{OTHER_BSN}", "x")):
        with pytest.raises(ConfigInvalid, match="1 unknown keys") as refused:
            read_person(person(told))
        assert OTHER_BSN not in str(refused.value)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b" " * (FILE_BYTES_MAX + 1)])
def test_what_is_no_person_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigInvalid):
        read_person(content)


HTTP: dict[str, Any] = {
    "port": 8091,
    "deliver_to": "https://ggk.example/in",
    "certificate": "c",
    "key": "k",
    "callers": "d",
}


def test_envelope_and_http_are_there_where_they_are_set(tmp_path: Path) -> None:
    bare = load_config(written(tmp_path, SETTINGS))
    assert (bare.ggk, bare.http) == (None, None)
    both = load_config(written(tmp_path, SETTINGS | {"ggk": {}, "http": HTTP | {"host": "192.0.2.1"}}))
    assert both.ggk == Ggk()
    assert both.http is not None
    assert (both.http.port, both.http.callers, both.http.in_the_clear) == (8091, tmp_path / "d", False)
    named = {"ggk": {"application": "Zorg 3", "counterparty_application": "GGk"}, "http": {"port": 0}}
    assert load_config(written(tmp_path, SETTINGS | named)).ggk == Ggk("Zorg 3")


@pytest.mark.parametrize(
    ("table", "changes", "named"),
    [
        ("ggk", {"application": "ab"}, "ggk.application"),
        ("ggk", {"application": "<xml>"}, "ggk.application"),
        ("ggk", {"name": "x"}, "ggk.name"),
        ("http", {"port": 65_536}, "http.port"),
        ("http", {"port": "80"}, "http.port"),
        ("http", {"host": "192.0.2.1", "certificate": "", "key": "", "callers": ""}, "http.host"),
        ("http", {"deliver_to": "http://ggk.example/in"}, "http.deliver_to"),
        ("http", {"deliver_to": "ggk"}, "http.deliver_to"),
        ("http", {"key": ""}, "http.key"),
        ("http", {"callers": ""}, "http.callers"),
        ("http", {"certificate": "", "key": ""}, "http.certificate"),
        ("http", {"inbox": "x"}, "http.inbox"),
    ],
)
def test_a_wrong_setting_of_the_traffic_is_named(
    tmp_path: Path, table: str, changes: dict[str, Any], named: str
) -> None:
    whole = {"ggk": {}, "http": HTTP}[table] | changes
    with pytest.raises(ConfigInvalid, match=named):
        load_config(written(tmp_path, SETTINGS | {table: whole}))


def test_http_that_does_nothing_is_refused(tmp_path: Path) -> None:
    for told in ({}, {"host": "localhost"}):
        with pytest.raises(ConfigInvalid, match="http has a port, or deliver_to"):
            load_config(written(tmp_path, SETTINGS | {"http": told}))
    with pytest.raises(ConfigInvalid, match="ggk"):
        load_config(written(tmp_path, SETTINGS | {"ggk": "yes"}))
