"""A shard whose KEK moves into a token, or into another; and one whose token goes away under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import DataFolderInUse, KeyUnavailable, SettingsInvalid
from exchange.store.reader import SQLiteReader
from exchange.store.verify import verify_store
from exchange.wiring import doctor
from exchange.wiring.bench import THUMBPRINT, Bench, refuse_errors
from exchange.wiring.core import genesis, key_file, open_core, utc_now
from exchange.wiring.holding import held
from exchange.wiring.kek import open_kek
from exchange.wiring.rekeying import create_kek, kek_standing, rotate_kek, rotate_keys
from exchange.wiring.stores import event_file
from tests.softhsm import PIN, TOKEN
from tests.wiring.shards import position

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings
    from tests.softhsm import SoftToken


def in_token(settings: Settings, token: SoftToken, pin_file: Path) -> Settings:
    """The same shard, its KEK in the token under a label of this test's own."""
    pin_file.write_text(f"{PIN}\n")
    pin_file.chmod(0o600)
    label = f"kek-{settings.data.parent.name}"
    told = {"kek": "pkcs11", "kek_module": token.module, "kek_token": TOKEN, "kek_pin_file": pin_file}
    return settings.model_copy(update=told | {"kek_label": label})


@pytest.fixture
def hardware(empty: Settings, soft_token: SoftToken, tmp_path: Path) -> Settings:
    """Settings of a shard that never ran, with a KEK made in a token."""
    settings = in_token(empty, soft_token, tmp_path / "pin")
    create_kek(settings)
    return settings


def light(settings: Settings) -> doctor.Light:
    return next(one for one in doctor.examine(settings) if one.part == "keys")


# --- from a file into a token ----------------------------------------------------------------------------


def test_the_kek_moves_from_a_file_into_a_token(
    shard: Settings, soft_token: SoftToken, tmp_path: Path
) -> None:
    before = kek_standing(shard)
    settings = in_token(shard, soft_token, tmp_path / "pin")
    with pytest.raises(SettingsInvalid, match="no KEK has this label"):
        rotate_kek(settings)
    made = create_kek(settings)
    assert made.kind == "in hardware"
    # Not yet rotated: who starts now is told, and nothing is made under the new one beside the old.
    with pytest.raises(KeyUnavailable, match="another KEK"):
        open_core(settings)
    assert kek_standing(settings).former == before.wrapped
    done = rotate_kek(settings)
    assert (done.key_id, done.freed) == (made.key_id, (before.key_id,))
    assert done.count == sum(before.wrapped.values()) > 3
    (shard.keys_folder / "kek").unlink()
    open_core(settings).close()
    assert kek_standing(settings).wrapped == {made.key_id: done.count}
    assert light(settings).says == (
        f"KEK {made.key_id}, in hardware; newest keys: {sum(before.versions.values())} at version 1"
    )
    with pytest.raises(SettingsInvalid, match="KEK file cannot be opened"):
        open_core(shard)


def test_a_label_in_the_same_token_takes_over(hardware: Settings) -> None:
    Bench(open_core(hardware), []).core.close()
    other = hardware.model_copy(update={"kek_label": f"{hardware.kek_label}-2"})
    former = kek_standing(hardware).key_id
    create_kek(other)
    # Mixed: the former one is found by its id in the same token, so the service starts; doctor says it.
    open_core(other).close()
    assert light(other).beware
    assert "exchange keys rotate-kek" in light(other).says
    assert rotate_kek(other).freed == (former,)
    assert not light(other).beware
    assert rotate_kek(other).count == 0


def test_a_former_kek_elsewhere_is_named_by_its_settings(shard: Settings, tmp_path: Path) -> None:
    other = shard.model_copy(update={"kek_file": tmp_path / "elsewhere" / "kek-2"})
    create_kek(other)
    with pytest.raises(SettingsInvalid, match="already"):
        create_kek(other)
    with pytest.raises(KeyUnavailable, match="another KEK"):
        rotate_kek(other)
    former = kek_standing(shard)
    assert rotate_kek(other, shard).freed == (former.key_id,)
    open_core(other).close()
    with pytest.raises(KeyUnavailable, match="another KEK"):
        open_core(shard)


def test_a_file_beside_the_keys_is_no_former_kek_to_a_service(
    shard: Settings, soft_token: SoftToken, tmp_path: Path
) -> None:
    settings = in_token(shard, soft_token, tmp_path / "pin")
    create_kek(settings)
    ring = open_kek(settings)
    assert ring.named(kek_standing(shard).key_id) is None


def test_it_asks_for_a_service_that_stands_still(shard: Settings, empty: Settings) -> None:
    with held(shard.data):
        for call in (lambda: rotate_kek(shard), lambda: rotate_keys(shard, None)):
            with pytest.raises(DataFolderInUse):
                call()
    with pytest.raises(SettingsInvalid, match="no service ran"):
        rotate_kek(empty)
    with pytest.raises(SettingsInvalid, match="no service ran"):
        rotate_keys(empty, None)
    assert not empty.data.exists()


def test_new_versions_are_used_from_then_on(shard: Settings) -> None:
    before = kek_standing(shard)
    with pytest.raises(SettingsInvalid, match="no such data category"):
        rotate_keys(shard, "LEDGER")
    made = rotate_keys(shard, None)
    assert 0 < made < sum(before.versions.values())
    assert kek_standing(shard).versions == {1: sum(before.versions.values()) - made, 2: made}
    assert "at version 2" in light(shard).says
    open_core(shard).close()
    assert rotate_keys(shard, "CONTACT") <= made


# --- a PIN -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_pin_file_open_to_others_is_refused(mode: int, hardware: Settings, tmp_path: Path) -> None:
    (tmp_path / "pin").chmod(mode)
    with pytest.raises(SettingsInvalid, match="open to others") as refused:
        open_kek(hardware)
    assert PIN not in str(refused.value).replace(f"{mode:04o}", "")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"1" * 201])
def test_a_pin_file_without_a_pin_is_refused(content: bytes, hardware: Settings, tmp_path: Path) -> None:
    (tmp_path / "pin").write_bytes(content)
    with pytest.raises(SettingsInvalid, match="no PIN"):
        open_kek(hardware)


def test_a_pin_of_the_environment_will_do(hardware: Settings) -> None:
    told = hardware.model_copy(update={"kek_pin_file": None, "kek_pin": PIN})
    assert open_kek(told).key_id == open_kek(hardware).key_id


# --- away under a running service ------------------------------------------------------------------------


def test_a_token_that_goes_away_in_the_middle(hardware: Settings, soft_token: SoftToken) -> None:
    core = open_core(hardware)
    try:
        genesis(core, utc_now(), thumbprint=THUMBPRINT, signing_key=THUMBPRINT)
        bench = Bench(core, [])
        bench.plans.append(bench._new_plan())
        before = position(hardware)
        with soft_token.away():
            with pytest.raises(KeyUnavailable, match="does not answer") as away:
                bench._new_plan()
            assert away.value.code == "KEY_UNAVAILABLE"
            assert position(hardware) == before
            # Whoever's keys are open goes on.
            refuse_errors(core.writer.run(bench.group(1)))
            assert position(hardware) > before
        bench.plans.append(bench._new_plan())
        refuse_errors(core.writer.run(bench.group(2)))
    finally:
        core.close()
    open_core(hardware).close()
    reader = SQLiteReader(event_file(hardware))
    try:
        assert verify_store(reader).ok
    finally:
        reader.close()


def test_who_closes_logs_out(hardware: Settings, soft_token: SoftToken) -> None:
    import pkcs11

    load: Any = pkcs11.lib
    load(str(soft_token.module)).reinitialize()
    open_core(hardware).close()
    # A second login of one process is refused while the first holds.
    load(str(soft_token.module)).get_token(token_label=TOKEN).open(user_pin=PIN).close()


def test_without_its_token_a_service_does_not_start(hardware: Settings, soft_token: SoftToken) -> None:
    open_core(hardware).close()
    with soft_token.away():
        with pytest.raises(KeyUnavailable, match="does not answer"):
            open_core(hardware)
        red = light(hardware)
    assert (red.ok, "does not answer" in red.says) == (False, True)
    assert light(hardware).ok
    assert key_file(hardware).exists()
