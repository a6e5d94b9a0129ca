"""The BSN: the 11-proof on both sides of its line, and digits that never show."""

from __future__ import annotations

import copy
import logging
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sdk.bsn import Bsn, BsnRefused, passes_eleven_proof

# Test numbers of the BRP proof environment; they belong to nobody.
VALID = "999993653"


@pytest.mark.parametrize("digits", [VALID, "999990019", "111222333", "123456782"])
def test_a_number_that_passes_is_a_bsn(digits: str) -> None:
    assert Bsn(digits).reveal() == digits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "999993654",
        "123456789",
        "000000000",
        "99999365",
        "9999936530",
        " 99999365",
        "99999365\n",
        "+99993653",
        "\u0669\u0669\u0669\u0669\u0669\u0663\u0666\u0665\u0663",
        "\uff19\uff19\uff19\uff19\uff19\uff13\uff16\uff15\uff13",
        "99999365\u00b2",
        "abcdefghi",
    ],
)
def test_what_is_no_bsn_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(BsnRefused) as refused:
        Bsn(text)
    assert not text or text not in str(refused.value)


@given(st.integers(0, 99_999_999))
def test_at_most_one_check_digit_fits(front: int) -> None:
    # The last weight is -1, so the check digit is the remainder of the others; remainder 10 has none.
    front_digits = f"{front:08d}"
    remainder = sum(w * int(d) for w, d in zip(range(9, 1, -1), front_digits, strict=True)) % 11
    expected = [str(remainder)] if remainder < 10 and front else []
    assert [d for d in "0123456789" if passes_eleven_proof(front_digits + d)] == expected


def test_the_digits_never_show(caplog: pytest.LogCaptureFixture) -> None:
    bsn = Bsn(VALID)
    logging.getLogger("adapter").warning("message for %s %r", bsn, bsn)
    shown = [repr(bsn), str(bsn), f"{bsn}", f"{bsn:>30}", f"{bsn!r}", "%s" % bsn, repr([bsn]), caplog.text]  # noqa: UP031 -- old formatting is one way out
    assert all(VALID not in text for text in shown)
    assert "hidden" in caplog.text


def test_a_bsn_is_never_pickled_nor_changed() -> None:
    bsn = Bsn(VALID)
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(bsn)
    with pytest.raises(AttributeError):
        bsn._digits = "111222333"
    with pytest.raises(AttributeError):
        del bsn._digits
    assert bsn.reveal() == VALID


def test_equal_digits_are_equal_and_copies_are_the_same() -> None:
    bsn = Bsn(VALID)
    assert bsn == Bsn(VALID)
    assert hash(bsn) == hash(Bsn(VALID))
    assert bsn != Bsn("111222333")
    assert bsn != VALID
    assert copy.deepcopy({"who": bsn})["who"] is bsn
    assert copy.copy(bsn) is bsn


def test_how_many_numbers_somebody_would_have_to_try() -> None:
    """By remainders, digit for digit: all nine-digit numbers that pass, without 000000000."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    ways = {0: 1}
    for weight in weights:
        after: dict[int, int] = {}
        for remainder, count in ways.items():
            for digit in range(10):
                left = (remainder + weight * digit) % 11
                after[left] = after.get(left, 0) + count
        ways = after
    assert sum(ways.values()) == 10**9
    valid = ways[0] - 1
    assert valid == 90_909_090
    # The last digit follows from the others, unless their remainder is 10: the same by another way.
    fronts = {0: 1}
    for weight in weights[:-1]:
        next_fronts: dict[int, int] = {}
        for remainder, count in fronts.items():
            for digit in range(10):
                left = (remainder + weight * digit) % 11
                next_fronts[left] = next_fronts.get(left, 0) + count
        fronts = next_fronts
    assert 10**8 - fronts[10] - 1 == valid
    # And counted one by one where that is quick.
    counted = sum(passes_eleven_proof(f"{number:09d}") for number in range(100_000))
    assert abs(counted - 100_000 / 11) < 12
