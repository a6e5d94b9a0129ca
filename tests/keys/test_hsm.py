"""The KEK in a token: stays there, is refused where it could leave, and outlives a token that was away."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.keys.hsm import Hsm
from exchange.keys.keystore import KeyStore
from tests.softhsm import PIN, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.softhsm import SoftToken

KEY = bytes(range(32))


@pytest.fixture
def soft_token(soft_token: SoftToken) -> SoftToken:
    """The token with nobody logged in, as a new process finds it."""
    import pkcs11

    load: Any = pkcs11.lib
    load(str(soft_token.module)).reinitialize()
    return soft_token


@pytest.fixture
def label() -> str:
    return f"kek-{uuid4()}"


@pytest.fixture
def hsm(soft_token: SoftToken) -> Iterator[Hsm]:
    line = soft_token.hsm()
    yield line
    line.close()


@contextmanager
def session(token: SoftToken) -> Iterator[Any]:
    """A session past all of our own code, as another program has it."""
    import pkcs11

    opened = pkcs11.lib(str(token.module)).get_token(token_label=TOKEN).open(rw=True, user_pin=PIN)
    try:
        yield opened
    finally:
        opened.close()


# --- it stays there --------------------------------------------------------------------------------------


def test_the_bytes_of_the_kek_cannot_be_asked_for(soft_token: SoftToken, label: str) -> None:
    import pkcs11

    with closing(soft_token.hsm()) as line:
        line.create(label)
    with session(soft_token) as opened:
        key = opened.get_key(label=label)
        with pytest.raises(pkcs11.AttributeSensitive):
            key[pkcs11.Attribute.VALUE]
        with pytest.raises(pkcs11.PKCS11Error):
            key[pkcs11.Attribute.EXTRACTABLE] = True
        other = opened.generate_key(
            pkcs11.KeyType.AES, 256, capabilities=pkcs11.MechanismFlag.WRAP, store=False
        )
        with pytest.raises(pkcs11.PKCS11Error):
            other.wrap_key(key)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"EXTRACTABLE": True}, "not made to stay"),
        ({"SENSITIVE": False}, "not made to stay"),
        ({"PRIVATE": False}, "not made to stay"),
        ({"WRAP": True}, "not made to stay"),
        ({"UNWRAP": True}, "not made to stay"),
        ({"bits": 128}, "not AES of 256 bits"),
        ({"id": b"1234567"}, "CKA_ID of 8 bytes"),
        ({"id": b"123456789"}, "CKA_ID of 8 bytes"),
    ],
)
def test_a_key_that_could_leave_or_is_weak_is_refused(
    soft_token: SoftToken, label: str, wrong: dict[str, Any], says: str
) -> None:
    import pkcs11

    asked = {"bits": 256, "id": b"12345678"} | wrong
    template = {"PRIVATE": True, "SENSITIVE": True, "EXTRACTABLE": False, "WRAP": False, "UNWRAP": False}
    template |= {name: value for name, value in wrong.items() if name.isupper()}
    with session(soft_token) as opened:
        opened.generate_key(
            pkcs11.KeyType.AES,
            asked["bits"],
            label=label,
            id=asked["id"],
            store=True,
            capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
            template={getattr(pkcs11.Attribute, name): value for name, value in template.items()},
        )
    with closing(soft_token.hsm()) as line, pytest.raises(SettingsInvalid, match=says):
        line.kek(label)
    with session(soft_token) as opened:
        opened.get_key(label=label).destroy()


def test_a_key_that_somebody_put_there_is_refused(soft_token: SoftToken, label: str) -> None:
    import pkcs11

    name = pkcs11.Attribute
    with session(soft_token) as opened:
        opened.create_object(
            {
                name.CLASS: pkcs11.ObjectClass.SECRET_KEY,
                name.KEY_TYPE: pkcs11.KeyType.AES,
                name.VALUE: KEY,
                name.LABEL: label,
                name.ID: uuid4().bytes[:8],
                name.TOKEN: True,
                name.PRIVATE: True,
                name.SENSITIVE: True,
                name.EXTRACTABLE: False,
                name.WRAP: False,
                name.UNWRAP: False,
                name.ENCRYPT: True,
                name.DECRYPT: True,
            }
        )
    with closing(soft_token.hsm()) as line, pytest.raises(SettingsInvalid, match="not made to stay"):
        line.kek(label)


# --- which one -------------------------------------------------------------------------------------------


def test_a_label_is_used_once(hsm: Hsm, label: str) -> None:
    with pytest.raises(SettingsInvalid, match="no KEK has this label"):
        hsm.kek(label)
    first = hsm.create(label)
    with pytest.raises(SettingsInvalid, match="has a key of this label"):
        hsm.create(label)
    assert hsm.kek(label).key_id == first.key_id


def test_two_of_one_label_are_refused(hsm: Hsm, label: str, soft_token: SoftToken) -> None:
    import pkcs11

    hsm.create(label)
    hsm.close()
    name = pkcs11.Attribute
    with session(soft_token) as opened:
        opened.generate_key(
            pkcs11.KeyType.AES,
            256,
            label=label,
            id=b"87654321",
            store=True,
            template={name.WRAP: False, name.UNWRAP: False},
        )
    with pytest.raises(SettingsInvalid, match="more than one"):
        hsm.kek(label)


def test_a_former_kek_is_found_by_its_id(hsm: Hsm, label: str) -> None:
    made = hsm.create(label)
    found = hsm.kek_named(made.key_id)
    assert found is not None
    assert found.unwrap(made.wrap(KEY, b"owner"), b"owner") == KEY
    assert hsm.kek_named("00" * 8) is None
    assert hsm.kek_named("no id") is None


# --- settings that are not right -------------------------------------------------------------------------


def test_a_pin_that_was_refused_is_not_tried_again(soft_token: SoftToken) -> None:
    asked: list[str] = []

    def wrong() -> str:
        asked.append("9" * 6)
        return asked[-1]

    with pytest.raises(SettingsInvalid, match="refuses the PIN") as refused:
        Hsm(soft_token.module, TOKEN, wrong)
    assert len(asked) == 1
    assert "9999" not in str(refused.value) + repr(refused.value)


def test_a_pin_that_became_wrong_is_tried_once_and_a_corrected_one_counts(
    soft_token: SoftToken, label: str
) -> None:
    pin = [PIN]
    line = Hsm(soft_token.module, TOKEN, lambda: pin[0])
    kek = line.create(label)
    line.close()
    pin[0] = "8" * 6
    for says in ("refuses the PIN", "refused this PIN before", "refused this PIN before"):
        with pytest.raises(KeyUnavailable, match=says):
            kek.wrap(KEY, b"owner")
    pin[0] = PIN
    assert kek.unwrap(kek.wrap(KEY, b"owner"), b"owner") == KEY
    line.close()


@pytest.mark.parametrize(("module", "says"), [("absent.so", "is not there"), ("folder", "is not there")])
def test_a_module_that_is_not_there_is_refused(
    soft_token: SoftToken, tmp_path: Path, module: str, says: str
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsInvalid, match=says):
        Hsm(tmp_path / module, TOKEN, lambda: PIN)


def test_what_is_no_module_does_not_answer(soft_token: SoftToken, tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(KeyUnavailable, match="does not answer"):
        Hsm(tmp_path / "text.so", TOKEN, lambda: PIN)


def test_a_token_that_is_not_there_does_not_answer(soft_token: SoftToken) -> None:
    with pytest.raises(KeyUnavailable, match="does not answer"):
        Hsm(soft_token.module, "another token", lambda: PIN)


def test_without_the_extra_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(SettingsInvalid, match=r"exchange\[hsm\]"):
        Hsm(Path("module.so"), TOKEN, lambda: PIN)


# --- away and back ---------------------------------------------------------------------------------------


def test_a_token_that_was_away_is_used_again(hsm: Hsm, label: str, soft_token: SoftToken) -> None:
    kek = hsm.create(label)
    wrapped = kek.wrap(KEY, b"owner")
    calls: list[Callable[[], bytes]] = [
        lambda: kek.wrap(KEY, b"owner"),
        lambda: kek.unwrap(wrapped, b"owner"),
    ]
    for _ in range(2):
        with soft_token.away():
            for call in calls:
                with pytest.raises(KeyUnavailable, match="does not answer") as away:
                    call()
                assert PIN not in str(away.value)
        assert kek.unwrap(wrapped, b"owner") == KEY
        assert kek.unwrap(kek.wrap(KEY, b"other"), b"other") == KEY


def test_a_module_that_forgot_its_sessions_is_entered_again(
    hsm: Hsm, label: str, soft_token: SoftToken
) -> None:
    import pkcs11

    kek = hsm.create(label)
    wrapped = kek.wrap(KEY, b"owner")
    load: Any = pkcs11.lib
    load(str(soft_token.module)).reinitialize()
    assert kek.unwrap(wrapped, b"owner") == KEY


def test_away_in_the_middle_writes_nothing_and_loses_nothing(
    hsm: Hsm, label: str, soft_token: SoftToken, tmp_path: Path
) -> None:
    kek = hsm.create(label)
    with closing(KeyStore(tmp_path / "keys.db", kek)) as store:
        known = store.obtain("r-1", "WONEN")
        store.flush()
        pending = [store.obtain(f"r-{number}", "WONEN") for number in range(2, 5)]
        with soft_token.away():
            with pytest.raises(KeyUnavailable, match="does not answer"):
                store.flush()
            assert store._reader.execute("SELECT count(*) FROM data_key").fetchone() == (1,)
            assert store.open_key("r-1", "WONEN", 1) is known
            with closing(KeyStore(tmp_path / "keys.db", kek)) as cold, pytest.raises(KeyUnavailable):
                cold.open_key("r-1", "WONEN", 1)
        assert store.flush() == 3
        again = KeyStore(tmp_path / "keys.db", kek)
        with closing(again):
            opened = [again.open_key(key.resident_ref, "WONEN", 1).material for key in [known, *pending]]
    assert opened == [key.material for key in [known, *pending]]


def test_away_in_the_middle_of_a_flush_writes_none_of_it(
    hsm: Hsm, label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kek = hsm.create(label)
    with closing(KeyStore(tmp_path / "keys.db", kek)) as store:
        for number in range(10):
            store.obtain(f"r-{number}", "WONEN")
        whole, left = kek.hsm.encrypt, [5]

        def failing(key_id: str, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
            left[0] -= 1
            if left[0] < 0:
                raise KeyUnavailable("the hardware module does not answer")
            return whole(key_id, nonce, plain, associated)

        monkeypatch.setattr(kek.hsm, "encrypt", failing)
        with pytest.raises(KeyUnavailable):
            store.flush()
        assert store._reader.execute("SELECT count(*) FROM data_key").fetchone() == (0,)
        monkeypatch.setattr(kek.hsm, "encrypt", whole)
        assert store.flush() == 10


def test_many_threads_share_one_session(hsm: Hsm, label: str) -> None:
    kek = hsm.create(label)

    def round_trip(number: int) -> bytes:
        owner = str(number).encode()
        return kek.unwrap(kek.wrap(bytes([number]) * 32, owner), owner)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(round_trip, range(200))) == [bytes([number]) * 32 for number in range(200)]


def test_two_lines_to_one_token_do_not_log_each_other_out_for_good(soft_token: SoftToken, label: str) -> None:
    with closing(soft_token.hsm()) as one:
        kek = one.create(label)
        other = soft_token.hsm()
        wrapped = other.kek(label).wrap(KEY, b"owner")
        other.close()
        assert kek.unwrap(wrapped, b"owner") == KEY


@pytest.mark.parametrize("show", [repr, str])
def test_nothing_secret_shows(hsm: Hsm, label: str, show: Callable[[object], str]) -> None:
    kek = hsm.create(label)
    assert PIN not in show(hsm) + show(kek)
    assert kek.key_id in show(kek)
    assert len(kek.key_id) == 16
