"""What lies on disk beside running doors: taken where it fits together, else told of once and left."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from exchange.errors import SettingsInvalid
from exchange.keys.authority import DevelopmentAuthority
from exchange.server.certificates import Material, end_of, refuse_out_of_time, refuse_unfit
from exchange.server.metrics import Metrics
from exchange.settings import throw_away_settings
from exchange.wiring.renewing import (
    Renewing,
    end_of_file,
    ends_read_anew,
    line_certificates,
    read_anew,
    read_material,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Door:
    """Keeps what it is told to show; the log too, so that the order of both can be looked at."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.refuses = False

    def take(self, material: Material) -> None:
        if self.refuses:
            raise SettingsInvalid("this door cannot show it")
        self.seen.append(material)

    def info(self, event: str) -> None:
        self.seen.append(event)

    def warning(self, event: str, *, reason: str) -> None:
        self.seen.append((event, reason))


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    return DevelopmentAuthority(tmp_path / "authority", now=lambda: NOW)


# --- what is shown elsewhere than at the door ------------------------------------------------------------


def test_lines_of_its_own_are_those_the_settings_name_with_when_each_ends(
    authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    assert [*line_certificates(throw_away_settings())] == []
    one = authority.issue_node(tmp_path / "node")
    named = throw_away_settings(
        node_certificate=one.certificate, identity_line_certificate=tmp_path / "absent"
    )
    (nodes, node_name, file), (party, party_name, absent) = line_certificates(named)
    assert (nodes, node_name) == ("nodes", "node_certificate")
    assert (party, party_name) == ("second_party", "identity_line_certificate")
    ends = x509.load_pem_x509_certificate(one.certificate.read_bytes()).not_valid_after_utc
    assert end_of_file(file) == ends > NOW
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        end_of_file(absent)
    absent.write_bytes(b"no certificate")
    with pytest.raises(SettingsInvalid, match="not a certificate in PEM"):
        end_of_file(absent)


def test_what_is_read_again_while_it_runs_is_told_as_it_lies_there_now(
    authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    one = authority.issue_node(tmp_path / "node").certificate
    console = tmp_path / "console"
    console.mkdir()
    assert [*read_anew(throw_away_settings())] == []
    named = throw_away_settings(
        console_credentials=console,
        store="postgres",
        postgres=f"host=db.example sslcert={one}",
        keys_postgres=f"host=keys.example sslcert={tmp_path}/absent",
        checkpoints_postgres="host=db.example",
    )
    found = {line: (name, file) for line, name, file in read_anew(named)}
    assert found == {
        "console": ("console_credentials", console / "client.pem"),
        "events": ("postgres", one),
        "keys": ("keys_postgres", tmp_path / "absent"),
    }
    metrics = Metrics()
    metrics.watch_lines({}, dict(ends_read_anew(named)))

    def told(line: str) -> float | None:
        return metrics.registry.get_sample_value("exchange_line_certificate_end_seconds", {"line": line})

    ends = x509.load_pem_x509_certificate(one.read_bytes()).not_valid_after_utc.timestamp()
    assert (told("events"), told("keys"), told("console")) == (ends, 0, 0)
    shutil.copy(one, console / "client.pem")
    assert told("console") == ends


# --- renewals -------------------------------------------------------------------------------------------


def issued(authority: DevelopmentAuthority, folder: Path) -> Material:
    made = authority.issue_server(folder)
    return read_material((made.certificate, made.key, made.client_ca))


def write(folder: Path, material: Material) -> tuple[Path, Path, Path]:
    folder.mkdir(exist_ok=True)
    files = folder / "server.pem", folder / "server.key", folder / "ca.pem"
    told = material.server_certificate, material.server_key, material.client_authorities
    for path, content in zip(files, told, strict=True):
        path.write_bytes(content)
    return files


def test_a_renewal_is_shown_once_both_halves_are_there(
    authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    old, new = (issued(authority, tmp_path / name) for name in ("old", "new"))
    door = Door()
    files = write(tmp_path / "door", old)
    renewing = Renewing(files, old, [door.take], door, lambda: NOW)
    renewing.take()
    assert door.seen == []
    files[0].write_bytes(new.server_certificate)
    renewing.take()
    renewing.take()
    assert door.seen == [("certificates_refused", "SETTINGS_INVALID")]
    files[1].write_bytes(new.server_key)
    renewing.take()
    renewing.take()
    assert door.seen[1:] == [new, "certificates_renewed"]


def test_who_looks_beside_is_told_of_apart(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    old, new = (issued(authority, tmp_path / name) for name in ("old", "new"))
    door, answers = Door(), [True, False]

    def look() -> bool:
        if not answers:
            raise SettingsInvalid("half of it")
        return answers.pop(0)

    files = write(tmp_path / "door", old)
    renewing = Renewing(files, old, [door.take], door, lambda: NOW, beside=[look])
    for _ in range(4):
        renewing.take()
    assert door.seen == ["credentials_renewed", ("credentials_refused", "SETTINGS_INVALID")]
    # What does not fit there keeps nothing from the door.
    write(tmp_path / "door", new)
    renewing.take()
    assert door.seen[2:] == [new, "certificates_renewed"]


def test_what_is_put_back_is_no_renewal_and_the_next_fault_is_told_again(
    authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    old = issued(authority, tmp_path / "old")
    door = Door()
    files = write(tmp_path / "door", old)
    renewing = Renewing(files, old, [door.take], door, lambda: NOW)
    for _ in range(2):
        files[0].unlink()
        renewing.take()
        write(tmp_path / "door", old)
        renewing.take()
    assert door.seen == [("certificates_refused", "SETTINGS_INVALID")] * 2


def test_what_a_door_cannot_show_is_tried_again(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    old, new = (issued(authority, tmp_path / name) for name in ("old", "new"))
    door = Door()
    renewing = Renewing(write(tmp_path / "door", new), old, [door.take], door, lambda: NOW)
    door.refuses = True
    renewing.take()
    door.refuses = False
    renewing.take()
    assert door.seen == [("certificates_refused", "SETTINGS_INVALID"), new, "certificates_renewed"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"server_certificate": b"no certificate"}, "certificate of the door cannot be read"),
        ({"server_key": b"no key"}, "key of the door cannot be read"),
        ({"client_authorities": b""}, "authorities of the door cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused(
    authority: DevelopmentAuthority, tmp_path: Path, changed: dict[str, bytes], said: str
) -> None:
    good = issued(authority, tmp_path / "good")
    refuse_unfit(good)
    bad = replace(good, **changed)
    with pytest.raises(SettingsInvalid, match=said):
        refuse_unfit(bad)


def test_the_key_of_another_certificate_is_refused(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    one, other = (issued(authority, tmp_path / name) for name in ("one", "other"))
    with pytest.raises(SettingsInvalid, match="is not that of its certificate"):
        refuse_unfit(Material(one.server_certificate, other.server_key, one.client_authorities))


def test_a_certificate_counts_from_its_first_second_to_its_last(
    authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    made = authority.issue_server(tmp_path / "made", valid_from=NOW, valid_for=timedelta(days=1))
    material = read_material((made.certificate, made.key, made.client_ca))
    end = end_of(material)
    assert end == NOW + timedelta(days=1)
    for moment in (NOW, end):
        refuse_out_of_time(material, moment)
    for moment in (NOW - SECOND, end + SECOND):
        with pytest.raises(SettingsInvalid, match="does not count now"):
            refuse_out_of_time(material, moment)
