"""The doctor's lights: each one green, and red for what it is there to see."""

from __future__ import annotations

import shutil
from collections import namedtuple
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.gate.register import Register
from exchange.keys.authority import DevelopmentAuthority
from exchange.keys.kek import FileKek
from exchange.wiring import doctor
from exchange.wiring.core import development_authority, utc_now
from tests.registers import GENESIS_EVENTS
from tests.wiring.shards import change, forget_events, newest_at, position, young

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from exchange.settings import Settings

PARTS = ["register", "disk", "certificates", "store", "keys", "databases"]
PARTS += ["erasures", "clock", "ledger", "witnesses", "shard"]


def lights(settings: Settings) -> dict[str, doctor.Light]:
    return {light.part: light for light in doctor.examine(settings)}


def expect_red(settings: Settings, part: str, *words: str, beside: str = "") -> None:
    """Only this light is red, and one beside it that hangs on it, and says these words."""
    found = lights(settings)
    assert {light.part for light in found.values() if not light.ok} == {part, beside} - {""}
    assert [word for word in words if word not in found[part].says] == []


def door(settings: Settings, *, ends_in: timedelta) -> datetime:
    """Give the door a certificate that ends then; return when."""
    shutil.rmtree(settings.data / "door")
    valid, ends = timedelta(days=90), utc_now() + ends_in
    development_authority(settings).issue_server(
        settings.data / "door", valid_from=ends - valid, valid_for=valid
    )
    return ends


def test_a_shard_that_ran_is_green(shard: Settings) -> None:
    found = lights(shard)
    assert list(found) == PARTS
    assert [light for light in found.values() if not light.ok] == []
    size = position(shard)
    assert found["store"].says == f"{size} events"
    assert found["ledger"].says == f"signed up to {size} of {size}, published"


def test_a_shard_that_never_ran_is_green_and_stays_empty(empty: Settings) -> None:
    assert [light for light in lights(empty).values() if not light.ok] == []
    assert not empty.data.exists()


def test_a_shard_that_signed_nothing_yet_is_green(empty: Settings) -> None:
    young(empty.data)
    found = lights(empty)
    assert [light for light in found.values() if not light.ok] == []
    assert found["ledger"].says == f"signed up to 0 of {GENESIS_EVENTS}, not yet published"


# --- disk ------------------------------------------------------------------------------------------------


def test_a_full_disk_is_red(shard: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES_MIN", 2**80)
    expect_red(shard, "disk", "little disk space", "Free space on the data disk")


@pytest.mark.parametrize(("left", "ok"), [(512 * 2**20, True), (512 * 2**20 - 1, False)])
def test_the_disk_is_red_below_its_least(
    left: int,
    ok: bool,  # noqa: FBT001 -- a parameter
    shard: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 -- the shape shutil gives
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2**40, 0, left))
    assert lights(shard)["disk"].ok is ok


@pytest.mark.parametrize("full", ["keys", "checkpoints"])
def test_a_disk_of_keys_or_checkpoints_that_is_full_is_red_too(
    full: str, shard: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 -- the shape shutil gives
    monkeypatch.setattr(shutil, "disk_usage", lambda at: usage(2**40, 0, 0 if at.name == full else 2**40))
    expect_red(shard, "disk", "little disk space", f"folder={full}")


# --- certificates ----------------------------------------------------------------------------------------


def test_an_expired_certificate_is_red(shard: Settings) -> None:
    ended = door(shard, ends_in=timedelta(days=-1))
    expect_red(
        shard, "certificates", "has ended or ends soon", f"{ended:%Y-%m-%d}", "remove the folder `door`"
    )


@pytest.mark.parametrize(("days", "ok"), [(15, True), (13, False)])
def test_a_certificate_that_ends_soon_is_red(days: int, ok: bool, shard: Settings) -> None:  # noqa: FBT001 -- a parameter
    door(shard, ends_in=timedelta(days=days))
    assert lights(shard)["certificates"].ok is ok


@pytest.mark.parametrize("name", ["node_certificate", "identity_line_certificate", "console_credentials"])
def test_what_is_shown_elsewhere_than_at_the_door_ends_too(
    name: str, shard: Settings, tmp_path: Path
) -> None:
    authority = DevelopmentAuthority(tmp_path / "authority")
    for days, ok in ((15, True), (13, False)):
        folder = tmp_path / f"of-{days}"
        made = authority.issue_server(
            folder, valid_from=utc_now() - timedelta(days=1), valid_for=timedelta(days=days + 1)
        )
        made.certificate.rename(folder / "client.pem")
        named = folder if name == "console_credentials" else folder / "client.pem"
        found = lights(shard.model_copy(update={name: named}))["certificates"]
        assert (found.ok, name in found.says) == (ok, not ok)
    away = lights(shard.model_copy(update={name: tmp_path / "away"}))["certificates"]
    assert (away.ok, "is not there" in away.says) == (False, True)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_malformed_certificate_is_red(content: bytes, shard: Settings) -> None:
    (shard.data / "door" / "server.pem").write_bytes(content)
    expect_red(shard, "certificates", "not a certificate in PEM")


def test_a_named_certificate_that_is_not_there_is_red(shard: Settings, tmp_path: Path) -> None:
    named = shard.model_copy(update={"server_certificate": tmp_path / "absent.pem"})
    expect_red(named, "certificates", "is not there")


# --- store, keys -----------------------------------------------------------------------------------------


def test_a_store_that_is_no_database_is_red(shard: Settings) -> None:
    forget_events(shard)
    (shard.data / "events.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    found = lights(shard)
    assert [light.part for light in found.values() if not light.ok] == ["store", "clock", "ledger"]
    assert "did not answer" in found["store"].says


@pytest.mark.parametrize("whole", [True, False])
def test_a_missing_key_database_is_red(whole: bool, shard: Settings) -> None:  # noqa: FBT001 -- a parameter
    for file in shard.keys_folder.glob("keys.db*" if not whole else "k*"):
        file.unlink()
    # Without the KEK the log's second key does not open either.
    beside = "ledger" if whole else ""
    expect_red(shard, "keys", "events but no key database", "nothing was opened", beside=beside)
    assert not (shard.keys_folder / "keys.db").exists()


@pytest.mark.parametrize("age", ["ran", "young"])
def test_a_wrong_kek_is_red(age: str, shard: Settings, empty: Settings) -> None:
    if age == "young":
        # No resident yet: only the service's own secrets are wrapped.
        young(empty.data)
    settings = shard if age == "ran" else empty
    (settings.keys_folder / "kek").unlink()
    FileKek(settings.keys_folder / "kek", create=True)
    expect_red(settings, "keys", "another KEK", beside="ledger")


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_kek_open_to_others_is_red(mode: int, shard: Settings) -> None:
    (shard.keys_folder / "kek").chmod(mode)
    expect_red(shard, "keys", "open to others", "chmod 600", beside="ledger")


def test_a_missing_kek_is_red_and_not_made(shard: Settings) -> None:
    (shard.keys_folder / "kek").unlink()
    expect_red(shard, "keys", "KEK file cannot be opened", beside="ledger")
    assert not (shard.keys_folder / "kek").exists()


# --- clock, ledger ---------------------------------------------------------------------------------------


def test_a_clock_before_the_newest_event_is_red(shard: Settings) -> None:
    # Not of today: the shard ran before, and midnight may have passed since.
    newest = newest_at(shard)
    day, later = (f"{one:%Y-%m-%d}" for one in (newest, newest + timedelta(days=1)))
    change(
        shard,
        f'UPDATE leaves SET entry = CAST(replace(entry, \'"at":"{day}\', \'"at":"{later}\') AS BLOB) '  # noqa: S608 -- two dates
        "WHERE leaf_index = (SELECT max(leaf_index) FROM leaves)",
    )
    expect_red(shard, "clock", "clock stands before", later)


def test_a_rolled_back_store_is_red(shard: Settings, tmp_path: Path) -> None:
    signed, older = position(shard), young(tmp_path / "older")
    forget_events(shard, back_to=older.data / "events.db")
    expect_red(
        shard,
        "ledger",
        "rolled back",
        f"signed={signed}",
        f"stored={GENESIS_EVENTS}",
        "restore the newest backup",
    )


def test_a_store_that_is_gone_is_red(shard: Settings) -> None:
    forget_events(shard)
    expect_red(shard, "ledger", "rolled back", "stored=0")


@pytest.mark.parametrize("lost", ["origin", "checkpoints.db"])
def test_a_log_that_forgot_what_it_signed_is_red(lost: str, shard: Settings) -> None:
    for file in shard.checkpoints_folder.glob(f"{lost}*"):
        file.unlink()
    expect_red(shard, "ledger", "restore the checkpoint folder", "never delete the checkpoint")
    assert not (shard.checkpoints_folder / lost).exists()


def test_a_lost_log_key_is_red(shard: Settings) -> None:
    (shard.keys_folder / "log.key").unlink()
    expect_red(shard, "ledger", "its key is gone")


def test_a_register_that_cannot_be_read_is_red(shard: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Register, "load", unreadable)
    expect_red(shard, "register", "Permission denied", "their owner")
