"""An order is read whole or refused by key and rule; what is personal is sealed; settings name faults."""

from __future__ import annotations

import errno
import json
import resource
from pathlib import Path
from typing import Any

import pytest

from adapters.kit.journal import wait_before_retry_ms
from adapters.kit.put_aside import PutAside
from adapters.kit.sealing import KEY_BYTES
from adapters.sdk.bsn import Bsn
from adapters.work_income.config import load_config
from adapters.work_income.drafts import Drafts
from adapters.work_income.errors import ConfigInvalid, JournalUnreadable, OrderRefused, PurposeRefused
from adapters.work_income.orders import ORDER_BYTES_MAX, Inbox, Order, read_order
from adapters.work_income.records import Domain
from adapters.work_income.sealing import Seal
from adapters.work_income.services import services_of
from adapters.work_income.soap import Period
from tests.work_income.papers import BSN
from tests.work_income.settings import SETTINGS, written

WHOLE: dict[str, Any] = {
    "bsn": BSN,
    "purpose": "pw-recht-vaststellen",
    "necessity": "Nodig voor de aanvraag",
    "scores": {"finance": 2},
    "period": {"from": "2026-01-01", "until": "2026-05-31"},
}


def test_an_order_is_read_and_written_alike() -> None:
    order = read_order(json.dumps(WHOLE).encode())
    assert order == Order(
        Bsn(BSN),
        "pw-recht-vaststellen",
        "Nodig voor de aanvraag",
        {Domain.FINANCE: 2},
        Period("20260101", "20260531"),
    )
    assert read_order(order.packed()) == order
    assert BSN not in repr(order)


@pytest.mark.parametrize(
    "changes",
    [
        # Escaped, each of these takes twelve bytes.
        {"necessity": "\N{GRINNING FACE}" * 1_000},
        {"period": {"from": "0001-01-01", "until": "0999-12-31"}},
        {"period": {"from": "1000-01-01", "until": "9999-12-31"}},
    ],
)
def test_what_is_kept_of_an_order_is_that_order(changes: dict[str, Any]) -> None:
    order = read_order(json.dumps(WHOLE | changes, ensure_ascii=False).encode())
    assert read_order(order.packed()) == order


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"bsn": None}, "bsn: is a text"),
        ({"bsn": "123456789"}, "bsn: this number fails the 11-proof"),
        ({"bsn": "1234"}, "bsn: a BSN has nine digits"),
        ({"purpose": "nieuwsgierig"}, "purpose: "),
        ({"purpose": "unspecified"}, "purpose: "),
        ({"necessity": " "}, "necessity: is a text"),
        ({"necessity": "x" * 1_001}, "necessity: has at most"),
        ({"necessity": f"voor {BSN}"}, "necessity: holds a BSN"),
        ({"necessity": "voor \ud800"}, "necessity: holds half a letter"),
        ({"scores": {"finance": 0}}, "scores: each"),
        ({"scores": {"finance": 6}}, "scores: each"),
        ({"scores": {"finance": True}}, "scores: each"),
        ({"scores": {"housing": 3}}, "scores: is an object"),
        ({"period": {"from": "2026-01-01"}}, "period: is an object"),
        ({"period": {"from": "2026-01-32", "until": "2026-02-01"}}, "period: from and until"),
        ({"period": {"from": "2026-02-01", "until": "2026-01-31"}}, "period: from is not after"),
        ({"period": {"from": 1, "until": 2}}, "period: from and until"),
        ({BSN: "x"}, "unknown keys"),
    ],
)
def test_an_order_of_another_shape_is_refused_by_key_and_rule(changes: dict[str, Any], refused: str) -> None:
    with pytest.raises(OrderRefused) as caught:
        read_order(json.dumps(WHOLE | changes).encode())
    assert str(caught.value).startswith(refused)
    assert BSN not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"\xff", b"{", b"[" * 5_000, b'"x"', b" " * (ORDER_BYTES_MAX + 1)]
)
def test_what_is_no_order_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(OrderRefused):
        read_order(data)


def inbox_in(folder: Path) -> Inbox:
    rejected = PutAside(folder / "rejected", Seal(b"k" * KEY_BYTES), lambda: 0)
    return Inbox(folder / "inbox", rejected, lambda: "a")


def test_links_and_half_written_files_are_left_where_they_are(tmp_path: Path) -> None:
    inbox = inbox_in(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text(json.dumps(WHOLE))
    (tmp_path / "inbox" / "link.json").symlink_to(secret)
    (tmp_path / "inbox" / ".half.json").write_text("{")
    (tmp_path / "inbox" / "notes.txt").write_text("x")
    (tmp_path / "inbox" / "folder.json").mkdir()
    assert list(inbox.take()) == []


def test_a_file_that_cannot_be_read_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = inbox_in(tmp_path)
    for name in ("a.json", "b.json", "c.json"):
        (tmp_path / "inbox" / name).write_text(json.dumps(WHOLE))
    opened = Path.open

    def closed(path: Path, mode: str) -> object:
        if path.name == "a.json":
            raise PermissionError(errno.EACCES, "Permission denied")
        if path.name == "b.json":
            raise FileNotFoundError
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", closed)
    (first, _), (second, _) = inbox.take()
    assert str(first) == "this file cannot be read: Permission denied"
    assert isinstance(second, Order)


def over(folder: Path, text: str) -> None:
    """Let a desk's own system put another order under the same name."""
    draft = folder / "inbox" / ".draft"
    draft.write_text(text)
    draft.rename(folder / "inbox" / "a.json")


@pytest.mark.parametrize("good", [True, False])
def test_an_order_that_was_written_over_one_that_was_read_is_taken_too(tmp_path: Path, *, good: bool) -> None:
    inbox = inbox_in(tmp_path)
    (tmp_path / "inbox" / "a.json").write_text(json.dumps(WHOLE) if good else "{")
    ((first, file),) = inbox.take()
    over(tmp_path, json.dumps(WHOLE | {"necessity": "a later one"}))
    if isinstance(first, Order):
        inbox.remove(file)
    else:
        inbox.reject(file, first)
    assert list((tmp_path / "rejected").iterdir()) == []
    ((second, file),) = inbox.take()
    assert isinstance(second, Order)
    assert second.necessity == "a later one"
    inbox.remove(file)
    assert list((tmp_path / "inbox").iterdir()) == []


@pytest.mark.parametrize("length", [246, 247, 255])
def test_an_order_with_the_longest_name_there_is_goes_too(tmp_path: Path, length: int) -> None:
    inbox = inbox_in(tmp_path)
    name = "a" * (length - 5) + ".json"
    (tmp_path / "inbox" / name).write_text(json.dumps(WHOLE))
    ((_, file),) = inbox.take()
    inbox.remove(file)
    assert list((tmp_path / "inbox").iterdir()) == []


def test_an_order_that_a_kill_caught_on_its_way_out_comes_again(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / ".leaving-a.json").write_text(json.dumps(WHOLE))
    ((found, file),) = inbox_in(tmp_path).take()
    assert isinstance(found, Order)
    assert file.name == "a.json"


def test_a_purpose_outside_work_and_income_has_no_services() -> None:
    assert [len(services_of(one)) for one in ("pw-arbeidsinschakeling", "pw-recht-vaststellen")] == [2, 2]
    for purpose in ("wmo-onderzoek", "jeugd-toegang", "wgs-plan", "", "pw-"):
        with pytest.raises(PurposeRefused):
            services_of(purpose)


# --- sealing ------------------------------------------------------------------------------------------------


def test_what_is_sealed_opens_in_its_place_with_its_key_and_nowhere_else(tmp_path: Path) -> None:
    seal = Seal.at(tmp_path / "state" / "key")
    sealed = seal.seal(b"secret", "order")
    assert b"secret" not in sealed
    assert Seal.at(tmp_path / "state" / "key").open(sealed, "order") == b"secret"
    assert seal.seal(b"secret", "order") != sealed
    spoiled = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for other, content, place in (
        (seal, sealed, "told 1"),
        (seal, spoiled, "order"),
        (seal, b"", "order"),
        (Seal(b"k" * KEY_BYTES), sealed, "order"),
    ):
        with pytest.raises(JournalUnreadable):
            other.open(content, place)
    assert seal.name(b"a") == seal.name(b"a") != Seal(b"k" * KEY_BYTES).name(b"a")


def test_a_key_others_can_read_or_of_another_length_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    Seal.at(key)
    assert key.stat().st_mode & 0o077 == 0
    key.chmod(0o640)
    with pytest.raises(ConfigInvalid, match="open to others"):
        Seal.at(key)
    key.chmod(0o600)
    key.write_bytes(b"short")
    with pytest.raises(ConfigInvalid, match="does not hold"):
        Seal.at(key)


def test_a_key_that_was_being_made_when_the_power_went_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "key.draft").write_bytes(b"half")
    Seal.at(tmp_path / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


# --- drafts -------------------------------------------------------------------------------------------------


def test_a_draft_the_disk_has_no_room_for_is_not_cut_short(tmp_path: Path) -> None:
    drafts, others = (
        Drafts(tmp_path / "drafts", tmp_path / "aside"),
        resource.getrlimit(resource.RLIMIT_FSIZE),
    )
    whole = b"x" * 10_000
    (tmp_path / "drafts" / "plan-1-pw.json").write_bytes(whole)
    # Room for the first part of it: a write that is larger takes that part.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, others[1]))
    try:
        with pytest.raises(OSError, match="large"):
            drafts.set_aside("plan-1", "pw")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, others)
    assert (tmp_path / "drafts" / "plan-1-pw.json").read_bytes() == whole
    assert not (tmp_path / "aside" / "plan-1-pw.json").exists()
    assert drafts.set_aside("plan-1", "pw")
    assert (tmp_path / "aside" / "plan-1-pw.json").read_bytes() == whole


# --- settings -----------------------------------------------------------------------------------------------


def test_settings_are_read(tmp_path: Path) -> None:
    found = load_config(written(tmp_path, SETTINGS))
    assert (found.refresh_days, found.timeout_s, len(found.endpoints)) == (0, 30, 4)
    assert found.inbox == tmp_path / "inbox"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"target": "no port"}, "target"),
        ({"inbox": None}, "inbox is missing"),
        ({"colour": "blue"}, "unknown settings: colour"),
        ({"poll_ms": 9}, "poll_ms"),
        ({"refresh_days": 366}, "refresh_days"),
        ({"draft_days": 0}, "draft_days"),
        ({"draft_days": 366}, "draft_days"),
        ({"rejected_days": 0}, "rejected_days"),
        ({"rejected_days": 366}, "rejected_days"),
        ({"answers": "nobody"}, "answers"),
        ({"calls_per_minute": 0}, "calls_per_minute"),
        ({"poll_ms": True}, "poll_ms"),
        ({"drafts": "inbox"}, "four different folders"),
        ({"person": {"professional": "a b", "task": "college:PW"}}, "person"),
        ({"suwinet": SETTINGS["suwinet"] | {"oin": "1"}}, "suwinet.oin"),
        ({"suwinet": SETTINGS["suwinet"] | {"endpoints": {}}}, "suwinet.endpoints.UWVWb"),
        (
            {
                "suwinet": SETTINGS["suwinet"]
                | {"endpoints": dict.fromkeys(SETTINGS["suwinet"]["endpoints"], "http://a/b")}
            },
            "https",
        ),
    ],
)
def test_settings_of_another_shape_are_refused_by_name(
    changes: dict[str, Any], named: str, tmp_path: Path
) -> None:
    told = {key: value for key, value in (SETTINGS | changes).items() if value is not None}
    with pytest.raises(ConfigInvalid, match=named):
        load_config(written(tmp_path, told))


def test_a_file_that_is_no_settings_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff")
    for name in ("a.toml", "absent.toml"):
        with pytest.raises(ConfigInvalid, match=name):
            load_config(tmp_path / name)


def test_waits_double_up_to_an_hour_less_chance() -> None:
    assert [wait_before_retry_ms(one, 0.0) for one in (1, 2, 13, 10_000)] == [
        1_000,
        2_000,
        3_600_000,
        3_600_000,
    ]
    assert wait_before_retry_ms(1, 0.999) == 501
    for attempt, jitter in ((0, 0.0), (1, 1.0), (1, -0.1)):
        with pytest.raises(ValueError, match="attempt"):
            wait_before_retry_ms(attempt, jitter)
