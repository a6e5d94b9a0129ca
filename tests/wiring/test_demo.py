"""The demo without its processes: what it takes in, what it hands out, and the audit at its end."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography import x509

from exchange.errors import SettingsInvalid, Unavailable
from exchange.ledger.verify import verify_pack
from exchange.settings import DATABASES, load_settings
from exchange.wiring import demo, demo_country, demo_processes
from exchange.wiring.demo import Shown
from exchange.wiring.demo_country import Country, name_the_door, two_municipalities
from exchange.wiring.demo_processes import PARTS
from exchange.wiring.ledger import open_ledger
from exchange.wiring.service import door_material
from tests.wiring.shards import young

if TYPE_CHECKING:
    from exchange.settings import Settings

STORY: list[dict[str, Any]] = [
    {"chapter": "One story, told once"},
    {"name": "report", "text": "At the desk.", "outcome": "PERMIT", "rules": []},
    {"name": "wrong-hat", "text": "The wrong law:", "outcome": "DENY", "rules": ["R07"]},
]
END: dict[str, Any] = {"end": True, "bsns": ["999900006"], "receipts": ["a.tlog-proof"]}


class Process:
    """A service that is alive, or ended."""

    def __init__(self, code: int | None) -> None:
        self._code = code

    def poll(self) -> int | None:
        return self._code


def listened(*lines: dict[str, Any]) -> tuple[bool, Shown, list[dict[str, Any]]]:
    shown, told = Shown(Path()), list[dict[str, Any]]()
    ended = demo.listen(shown, (json.dumps(line) + "\n" for line in lines), told.append)
    return ended, shown, told


def test_a_story_that_ends_is_told_and_kept() -> None:
    ended, shown, told = listened(*STORY, END)
    assert ended
    assert told == STORY
    assert shown.steps == [
        {"name": "report", "outcome": "PERMIT", "rules": []},
        {"name": "wrong-hat", "outcome": "DENY", "rules": ["R07"]},
    ]
    assert (shown.bsns, shown.receipts) == (["999900006"], ["a.tlog-proof"])


def test_a_story_that_breaks_off_did_not_end() -> None:
    ended, shown, told = listened(*STORY)
    assert not ended
    assert (shown.bsns, shown.receipts, told) == ([], [], STORY)


def test_the_demo_does_not_touch_the_keys_of_another_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_KEYS", "real-keys")
    monkeypatch.setenv("EXCHANGE_CONFIG", "real.toml")
    monkeypatch.setenv("PATH_TO_KEEP", "kept")
    assert demo.demo_settings(Path("here")).keys_folder == Path("here/exchange/keys")
    environment = demo_processes.environment_of_ours()
    assert [name for name in environment if name.startswith("EXCHANGE_")] == []
    assert environment["PATH_TO_KEEP"] == "kept"


def test_a_service_that_ends_before_it_is_ready_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="did not start"):
        demo_processes._wait_ready(cast("Any", Process(1)), tmp_path / "service.json")


def test_a_service_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_processes, "START_WAIT_S", 0.0)
    with pytest.raises(Unavailable, match=r"service\.out"):
        demo_processes._wait_ready(cast("Any", Process(None)), tmp_path / "service.json")


def test_a_service_that_is_ready_says_where(tmp_path: Path) -> None:
    (tmp_path / "service.json").write_text('{"target": "127.0.0.1:1"}', encoding="utf-8")
    assert (
        demo_processes._wait_ready(cast("Any", Process(None)), tmp_path / "service.json")["target"]
        == "127.0.0.1:1"
    )


def test_each_organisation_gets_its_own_credentials(empty: Settings, tmp_path: Path) -> None:
    door_material(empty)
    demo._issue(empty, tmp_path / "adapters")
    told = {}
    for name in ("municipality", "provider"):
        folder = tmp_path / "adapters" / name / "credentials"
        told[name] = json.loads((folder / "organisation.json").read_text(encoding="utf-8"))
        assert stat.S_IMODE((folder / "client.key").stat().st_mode) == 0o600
    assert told["municipality"]["oin"] == empty.operator_oin
    assert told["provider"]["oin"] == demo.PROVIDER_OIN
    assert told["municipality"]["thumbprint"] != told["provider"]["thumbprint"]


def test_a_second_municipality_that_cannot_be_made_is_told_after_the_story(
    empty: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stand(*_: object) -> None:
        raise Unavailable("the service did not start")

    monkeypatch.setattr(demo_country, "_stand", stand)
    told = []
    country = Country(tmp_path, empty)
    with pytest.raises(Unavailable, match="did not start"), two_municipalities(country, {}):
        told.append("the story")
    assert told == ["the story"]
    assert country.second.operator_oin == demo_country.NEIGHBOUR_OIN != empty.operator_oin


def test_a_door_is_known_by_the_name_a_front_is_called_by(empty: Settings) -> None:
    name_the_door(empty, "voorbeeldstad.exchange.example")
    material, _, _ = door_material(empty)
    (leaf, *_) = x509.load_pem_x509_certificates(material.server_certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "voorbeeldstad.exchange.example"} == set(names.get_values_for_type(x509.DNSName))


def test_a_municipality_that_the_map_does_not_take_is_told(empty: Settings, tmp_path: Path) -> None:
    country = Country(tmp_path, empty)
    country.told.parent.mkdir()
    with pytest.raises(Unavailable, match="could not be added"):
        demo_country._add(country, {"target": "127.0.0.1:1", "log_vkey": "no key"})
    assert not country.shard_map.exists()


def shown_of(settings: Settings, folder: Path) -> Shown:
    """What is shown of a shard whose story was told."""
    ledger = open_ledger(settings)
    try:
        return Shown(folder, ok=True, origin=ledger.origin, log_vkey=ledger.signer.vkey)
    finally:
        ledger.close()


def test_the_audit_ends_with_a_pack_that_an_officer_can_check(shard: Settings, tmp_path: Path) -> None:
    shown = shown_of(shard, tmp_path)
    demo._audit(shard, shown)
    assert shown.ok
    assert [(one["name"], one["outcome"]) for one in shown.steps] == [
        ("pack-verified", "VERIFIED"),
        ("lawful", "VERIFIED"),
    ]
    report = verify_pack(shown.pack, shown.policy.read_text(encoding="utf-8"))
    assert (report.ok, report.origin) == (True, shown.origin)


def test_the_audit_of_another_log_is_not_good(shard: Settings, tmp_path: Path) -> None:
    shown = shown_of(young(tmp_path / "other"), tmp_path)
    demo._audit(shard, shown)
    assert not shown.ok
    assert shown.steps == [{"name": "pack-verified", "outcome": "DIFFERS", "rules": []}]


def test_databases_are_named_for_both_exchanges_or_not_at_all(tmp_path: Path) -> None:
    assert demo_processes.read_databases(None) == ({}, {})
    file = tmp_path / "databases.toml"
    whole = "".join(f"[{part}]\n" + "".join(f'{name} = "{part}"\n' for name in DATABASES) for part in PARTS)
    file.write_text(whole)
    plan, household = demo_processes.read_databases(file)
    assert (plan["keys_postgres"], household["keys_postgres"]) == PARTS
    settings = demo.demo_settings(tmp_path, plan)
    words = demo_processes.store_words(settings)
    assert load_settings(Path(words[1]), data=settings.data).keys_postgres == "plan"
    assert stat.S_IMODE(Path(words[1]).stat().st_mode) == 0o600
    assert demo_processes.store_words(demo.demo_settings(tmp_path)) == []
    for broken in (
        whole.replace("keys_postgres", "keys"),
        whole.replace("[plan]", "[other]"),
        "plan = 1",
        "[",
    ):
        file.write_text(broken)
        with pytest.raises(SettingsInvalid, match="plan and household"):
            demo_processes.read_databases(file)
    with pytest.raises(SettingsInvalid):
        demo_processes.read_databases(tmp_path / "nowhere")
