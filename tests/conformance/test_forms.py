"""A BSN is found in every form from which it can be read back, and nothing else is taken for one."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.conformance.bsn_forms import Forms
from exchange.v1.plan_pb2 import Plan

BSN = "999900006"
FORMS = Forms.of(BSN)
PLAIN = BSN.encode()


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b"x" + PLAIN + b"x", "digits"),
        (b"999-900-006", "digits"),
        (b"9999.00.006", "digits"),
        (b"0" + PLAIN, ""),
        (PLAIN + b"0", ""),
        (b"999900007", ""),
        (PLAIN.hex().encode(), "hexadecimal"),
        (BSN.encode("utf-16-be"), "utf-16"),
        (hashlib.sha256(PLAIN).digest(), "sha256"),
        (hashlib.sha512(PLAIN).hexdigest().encode(), "sha512"),
        (b64encode(hashlib.md5(PLAIN, usedforsecurity=False).digest()), "md5"),
        (hashlib.sha256(b"pepper" + PLAIN).digest(), ""),
        (b"", ""),
    ],
)
def test_forms(data: bytes, form: str) -> None:
    assert FORMS.found_in(data) == form


@given(before=st.binary(max_size=40), after=st.binary(max_size=40))
def test_in_base64_wherever_it_begins(before: bytes, after: bytes) -> None:
    assert FORMS.found_in(b64encode(before + PLAIN + after)) != ""


def test_a_number_in_a_message_is_found() -> None:
    packed = Plan(version=int(BSN)).SerializeToString()
    assert FORMS.found_in(packed) == ""
    assert FORMS.found_in_message(packed, BSN) == "number"
    assert FORMS.found_in_message(Plan(version=7).SerializeToString(), BSN) == ""
