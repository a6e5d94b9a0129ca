"""Logs: what may stand there stands there, and nothing personal gets in."""

from __future__ import annotations

import io
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sdk.logs import AdapterLog, LogRefused

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
# Invented, and valid only by the 11-proof.
BSN = "900000041"


def log(stream: io.StringIO) -> AdapterLog:
    return AdapterLog(stream, clock=lambda: NOON, adapter="provider")


def test_a_line_is_one_object_with_what_was_said() -> None:
    stream = io.StringIO()
    log(stream).bind(oin="00000001234567890000").info("message_read", message_type="301", took_ms=7)
    assert json.loads(stream.getvalue()) == {
        "at": "2026-01-31T12:00:00+00:00",
        "level": "info",
        "event": "message_read",
        "adapter": "provider",
        "oin": "00000001234567890000",
        "message_type": "301",
        "took_ms": 7,
    }
    assert stream.getvalue().count("\n") == 1


def test_levels_are_told() -> None:
    stream = io.StringIO()
    log(stream).warning("delivery_failed", attempt=2, wait_ms=1500.5)
    log(stream).error("delivery_parked", code="VERSION_CONFLICT")
    assert [json.loads(line)["level"] for line in stream.getvalue().splitlines()] == ["warning", "error"]


@pytest.mark.parametrize("number", [BSN, f"x {BSN}.", "900.000.041", "9000-00041", "900 000 041", f"({BSN})"])
@pytest.mark.parametrize("key", ["error", "target", "element", "reason"])
def test_a_bsn_gets_in_nowhere(key: str, number: str) -> None:
    stream = io.StringIO()
    with pytest.raises(LogRefused, match="looks like a BSN") as caught:
        log(stream).info("message_read", **{key: number})
    assert stream.getvalue() == ""
    assert BSN not in str(caught.value)


@given(st.binary(min_size=32, max_size=32))
def test_a_pseudonym_gets_in_in_no_spelling(raw: bytes) -> None:
    stream = io.StringIO()
    spellings = [
        raw.hex(),
        raw.hex().upper(),
        b64encode(raw).decode(),
        urlsafe_b64encode(raw).decode().rstrip("="),
    ]
    for spelling in spellings:
        with pytest.raises(LogRefused):
            log(stream).info("message_read", reason=f"for {spelling}")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "x"),
        ("resident", "x"),
        ("bsn", "x"),
        ("error", "two\nlines"),
        ("error", "x" * 201),
        ("error", 5),
        ("error", None),
        ("error", True),
        ("count", "5"),
        ("count", True),
        ("count", None),
        ("count", [1]),
        ("request", BSN),
        ("request", "6F1F6F64-0F0E-4F5E-8F35-0A6A54B62F51"),
        ("request", "6f1f6f64-0f0e-4f5e-8f35-0a6a54b62f51"),
        ("request_id", "6f1f6f64-0f0e-4f5e-8f35-0a6a54b62f51"),
        ("decision_id", ""),
        ("incident", "a" * 33),
    ],
)
def test_what_is_not_plain_is_refused(key: str, value: str | int) -> None:
    stream = io.StringIO()
    with pytest.raises(LogRefused):
        log(stream).info("message_read", **{key: value})
    with pytest.raises(LogRefused):
        log(stream).bind(**{key: value})
    assert stream.getvalue() == ""


@pytest.mark.parametrize("event", ["", "Message read", "message.read", "x" * 61, f"m{BSN} x"])
def test_an_event_is_a_constant_name(event: str) -> None:
    with pytest.raises(LogRefused, match="snake_case"):
        log(io.StringIO()).info(event)


def test_what_only_resembles_is_let_through() -> None:
    stream = io.StringIO()
    digest = sha256(b"x").hexdigest()
    log(stream).info(
        "call_done",
        position=int(BSN),
        request="900000041bcdef00",
        decision_id="6f1f6f64-0f0e-4f5e-9000-00041a54b62f",
        incident="a900000041bcdef0",
        oin="00000001234567890000",
        rpc="/exchange.v1.OrganisationService/RevokeCertificate",
        reason=digest[:32],
        code="900000040",
    )
    assert json.loads(stream.getvalue())["position"] == int(BSN)
