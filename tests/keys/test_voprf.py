"""The server side of RFC 9497: the standard's vectors, a second implementation, hostile input."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha512
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import GroupElementInvalid, RequestTooLarge
from exchange.keys import ristretto, voprf

if TYPE_CHECKING:
    from pathlib import Path

# --- ristretto255 again, on Python numbers, from the formulas of RFC 9496; shares nothing with libsodium ----

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def absolute(number: int) -> int:
    """The one of x and -x that counts as non-negative: the even one."""
    number %= P
    return P - number if number % 2 else number


def root_of_ratio(above: int, below: int) -> tuple[bool, int]:
    """RFC 9496 section 4.2: (is above/below a square, the non-negative root of it or of i times it)."""
    root = above * pow(below, 3, P) * pow(above * pow(below, 7, P), (P - 5) // 8, P) % P
    check = below * root * root % P
    above %= P
    flipped, flipped_i = check == -above % P, check == -above * ROOT_OF_MINUS_1 % P
    if flipped or flipped_i:
        root = root * ROOT_OF_MINUS_1 % P
    return check == above or flipped, absolute(root)


# The RFC prints this root; it is the odd one.
ROOT_OF_AD_MINUS_1 = P - root_of_ratio(-D - 1, 1)[1]
ROOT_OF_INVERSE_A_MINUS_D = root_of_ratio(1, -1 - D)[1]


class Point(NamedTuple):
    """An Edwards point in extended coordinates."""

    x: int
    y: int
    z: int
    t: int

    def plus(self, other: Point) -> Point:
        a = (self.y - self.x) * (other.y - other.x)
        b = (self.y + self.x) * (other.y + other.x)
        c, d = 2 * D * self.t * other.t, 2 * self.z * other.z
        e, f, g, h = b - a, d - c, d + c, b + a
        return Point(e * f % P, g * h % P, f * g % P, e * h % P)

    def times(self, scalar: int) -> Point:
        result, power = Point(0, 1, 1, 0), self
        while scalar:
            if scalar % 2:
                result = result.plus(power)
            power, scalar = power.plus(power), scalar // 2
        return result

    def encoded(self) -> bytes:
        u1, u2 = (self.z + self.y) * (self.z - self.y) % P, self.x * self.y % P
        _, inverse = root_of_ratio(1, u1 * u2 * u2)
        first, second = inverse * u1 % P, inverse * u2 % P
        z_inverse = first * second * self.t % P
        if self.t * z_inverse % P % 2:
            x, y = self.y * ROOT_OF_MINUS_1 % P, self.x * ROOT_OF_MINUS_1 % P
            denominator = first * ROOT_OF_INVERSE_A_MINUS_D % P
        else:
            x, y, denominator = self.x, self.y, second
        if x * z_inverse % P % 2:
            y = -y
        return absolute(denominator * (self.z - y)).to_bytes(32, "little")


def decoded(encoding: bytes) -> Point | None:
    s = int.from_bytes(encoding, "little")
    if s >= P or s % 2:
        return None
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inverse = root_of_ratio(1, v * u2 * u2)
    x = absolute(2 * s * inverse * u2)
    y = u1 * inverse * inverse * u2 * v % P
    t = x * y % P
    return None if not square or t % 2 or not y else Point(x, y, 1, t)


def mapped(uniform: bytes) -> Point:
    """RFC 9496 section 4.3.4 for one half of the uniform bytes."""
    r0 = int.from_bytes(uniform, "little") % 2**255 % P
    r = ROOT_OF_MINUS_1 * r0 * r0 % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    square, s = root_of_ratio(u, v)
    c = -1
    if not square:
        s, c = -absolute(s * r0), r
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    w0, w1, w2, w3 = 2 * s * v, n * ROOT_OF_AD_MINUS_1, 1 - s * s, 1 + s * s
    return Point(w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P)


def expanded(message: bytes, tag: bytes) -> bytes:
    """RFC 9380 section 5.3.1, general form, for 64 bytes."""
    suffix = tag + bytes([len(tag)])
    blocks = [sha512(bytes(128) + message + b"\x00\x40\x00" + suffix).digest()]
    seed = blocks.pop()
    previous = bytes(64)
    for counter in range(1, 2):
        previous = sha512(
            bytes(a ^ b for a, b in zip(seed, previous, strict=True)) + bytes([counter]) + suffix
        ).digest()
        blocks.append(previous)
    return b"".join(blocks)[:64]


def hashed_to_group(message: bytes, mode: int) -> Point:
    uniform = expanded(message, b"HashToGroup-OPRFV1-" + bytes([mode]) + b"-ristretto255-SHA512")
    return mapped(uniform[:32]).plus(mapped(uniform[32:]))


@cache
def generator() -> Point:
    y = 4 * pow(5, -1, P) % P
    _, x = root_of_ratio(y * y - 1, D * y * y + 1)
    return Point(x, y, 1, x * y % P)


def number(scalar: bytes) -> int:
    return int.from_bytes(scalar, "little")


def scalar_bytes(value: int) -> bytes:
    return (value % ORDER).to_bytes(32, "little")


scalars = st.integers(1, ORDER - 1)
few = settings(max_examples=15, deadline=None)


# --- the standard's vectors --------------------------------------------------------------------------------


@pytest.fixture
def suites(standards_dir: Path) -> dict[int, dict[str, Any]]:
    path = standards_dir / "vectors" / "rfc9497-allVectors.json"
    if not path.exists():
        pytest.skip("the vectors of RFC 9497 are not in this copy of the standards")
    every = json.loads(path.read_text())
    return {suite["mode"]: suite for suite in every if suite["identifier"] == "ristretto255-SHA512"}


def parts(text: str) -> list[bytes]:
    return [bytes.fromhex(part) for part in text.split(",")]


@pytest.mark.parametrize("mode", voprf.Mode)
def test_the_vectors_of_the_standard(suites: dict[int, dict[str, Any]], mode: voprf.Mode) -> None:
    suite = suites[mode]
    assert (b"HashToGroup-" + voprf.context(mode)).hex() == suite["groupDST"]
    keys = voprf.derive_key_pair(bytes.fromhex(suite["seed"]), bytes.fromhex(suite["keyInfo"]), mode)
    assert keys.secret.hex() == suite["skSm"]
    if mode is voprf.Mode.VOPRF:
        assert keys.public.hex() == suite["pkSm"]
    assert len(suite["vectors"]) == (2 if mode is voprf.Mode.OPRF else 3)
    for vector in suite["vectors"]:
        blinded, expected = parts(vector["BlindedElement"]), parts(vector["EvaluationElement"])
        assert [voprf.blind_evaluate(keys.secret, element) for element in blinded] == expected
        if mode is voprf.Mode.VOPRF:
            answer = voprf.blind_evaluate_proved(keys, blinded, bytes.fromhex(vector["Proof"]["r"]))
            assert list(answer.elements) == expected
            assert answer.proof.hex() == vector["Proof"]["proof"]
            assert voprf.is_proved(keys.public, blinded, expected, answer.proof)
            assert not voprf.is_proved(keys.public, blinded, expected, answer.proof[32:] + answer.proof[:32])
            assert not voprf.is_proved(expected[0], blinded, expected, answer.proof)
            assert not voprf.is_proved(keys.public, expected, blinded, answer.proof)


@pytest.mark.parametrize("mode", voprf.Mode)
def test_the_vectors_hold_from_input_to_output(suites: dict[int, dict[str, Any]], mode: voprf.Mode) -> None:
    suite = suites[mode]
    secret = number(bytes.fromhex(suite["skSm"]))
    for vector in suite["vectors"]:
        rows = zip(
            *(parts(vector[name]) for name in ("Input", "Blind", "BlindedElement", "Output")), strict=True
        )
        for message, blind, blinded, output in rows:
            element = hashed_to_group(message, mode)
            assert element.times(number(blind)).encoded() == blinded
            evaluated = voprf.blind_evaluate(scalar_bytes(secret), blinded)
            unblinded = ristretto.multiply(ristretto.scalar_invert(blind), evaluated)
            transcript = len(message).to_bytes(2, "big") + message + b"\x00\x20" + unblinded + b"Finalize"
            assert sha512(transcript).digest() == output


# --- against the second implementation --------------------------------------------------------------------


def test_both_implementations_start_from_the_generator_of_the_standard() -> None:
    known = "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
    assert generator().encoded().hex() == ristretto.multiply_base(scalar_bytes(1)).hex() == known


@few
@given(scalar=scalars, other=scalars)
def test_multiplication_and_addition_agree(scalar: int, other: int) -> None:
    point = generator().times(scalar)
    assert ristretto.multiply_base(scalar_bytes(scalar)) == point.encoded()
    assert ristretto.multiply(scalar_bytes(other), point.encoded()) == point.times(other).encoded()
    assert (
        ristretto.add(point.encoded(), generator().times(other).encoded())
        == point.plus(generator().times(other)).encoded()
    )


@few
@given(uniform=st.binary(min_size=64, max_size=64))
def test_the_map_to_the_group_agrees(uniform: bytes) -> None:
    point = mapped(uniform[:32]).plus(mapped(uniform[32:]))
    assert ristretto.from_uniform(uniform) == point.encoded()


@given(left=scalars, right=scalars)
def test_scalar_arithmetic_agrees(left: int, right: int) -> None:
    one, two = scalar_bytes(left), scalar_bytes(right)
    assert number(ristretto.scalar_multiply(one, two)) == left * right % ORDER
    assert number(ristretto.scalar_subtract(one, two)) == (left - right) % ORDER
    assert number(ristretto.scalar_invert(one)) == pow(left, -1, ORDER)


@settings(max_examples=100, deadline=None)
@given(
    encoding=st.binary(min_size=32, max_size=32)
    | st.integers(0, 2**256 - 1).map(lambda n: n.to_bytes(32, "little"))
)
def test_both_implementations_take_and_refuse_the_same_elements(encoding: bytes) -> None:
    if encoding[31] >= 128:
        assert decoded(encoding) is None
    if decoded(encoding) is None or encoding == ristretto.IDENTITY:
        with pytest.raises(GroupElementInvalid):
            ristretto.element(encoding)
    else:
        assert ristretto.element(encoding) == encoding


@few
@given(secret=scalars, nonce=scalars, inputs=st.lists(st.binary(max_size=20), min_size=1, max_size=3))
def test_a_proof_satisfies_the_equations_of_the_standard(
    secret: int, nonce: int, inputs: list[bytes]
) -> None:
    keys = voprf.KeyPair(scalar_bytes(secret), ristretto.multiply_base(scalar_bytes(secret)))
    blinded = [hashed_to_group(message, 1) for message in inputs]
    answer = voprf.blind_evaluate_proved(keys, [point.encoded() for point in blinded], scalar_bytes(nonce))
    assert answer.elements == tuple(point.times(secret).encoded() for point in blinded)
    challenge, response = number(answer.proof[:32]), number(answer.proof[32:])
    assert (response + challenge * secret) % ORDER == nonce
    context = b"OPRFV1-\x01-ristretto255-SHA512"

    def to_scalar(message: bytes) -> int:
        return number(expanded(message, b"HashToScalar-" + context)) % ORDER

    tag = b"Seed-" + context
    seed = sha512(b"\x00\x20" + keys.public + bytes([0, len(tag)]) + tag).digest()
    composite = Point(0, 1, 1, 0)
    for index, (point, after) in enumerate(zip(blinded, answer.elements, strict=True)):
        row = b"\x00\x40" + seed + bytes([0, index]) + b"\x00\x20" + point.encoded() + b"\x00\x20" + after
        composite = composite.plus(point.times(to_scalar(row + b"Composite")))
    points = (composite, composite.times(secret), generator().times(nonce), composite.times(nonce))
    transcript = b"\x00\x20" + keys.public + b"".join(b"\x00\x20" + point.encoded() for point in points)
    assert to_scalar(transcript + b"Challenge") == challenge


# --- hostile input ----------------------------------------------------------------------------------------

GOOD = ristretto.multiply_base(scalar_bytes(7))
KEYS = voprf.derive_key_pair(bytes(32), b"test", voprf.Mode.VOPRF)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        GOOD[:31],
        GOOD + b"\x00",
        bytes(32),
        b"\x01" + bytes(31),
        b"\xff" * 32,
        P.to_bytes(32, "little"),
        (P + 2).to_bytes(32, "little"),
        (P - 2).to_bytes(32, "little"),
        (P - number(GOOD)).to_bytes(32, "little"),
        (number(GOOD) | 1 << 255).to_bytes(32, "little"),
        # Valid Ed25519 encodings of points of small order.
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    ],
    ids=count(),
)
def test_what_is_no_element_is_refused(bad: bytes) -> None:
    with pytest.raises(GroupElementInvalid):
        voprf.blind_evaluate(KEYS.secret, bad)
    with pytest.raises(GroupElementInvalid):
        voprf.blind_evaluate_proved(KEYS, [GOOD, bad])


@pytest.mark.parametrize("count", [0, voprf.BATCH_ELEMENTS_MAX + 1])
def test_a_batch_has_a_least_and_a_most(count: int) -> None:
    with pytest.raises(RequestTooLarge):
        voprf.blind_evaluate_proved(KEYS, [GOOD] * count)


def test_every_proof_has_its_own_nonce() -> None:
    proofs = {voprf.blind_evaluate_proved(KEYS, [GOOD]).proof for _ in range(10)}
    assert len(proofs) == 10


def test_the_zero_scalar_gives_no_element() -> None:
    with pytest.raises(GroupElementInvalid):
        ristretto.multiply(ristretto.ZERO, GOOD)
    with pytest.raises(GroupElementInvalid):
        ristretto.multiply_base(ristretto.ZERO)


def test_a_key_pair_never_shows_its_secret() -> None:
    assert KEYS.secret.hex() not in repr(KEYS)
    assert repr(KEYS.secret) not in repr(KEYS)
    assert KEYS.public.hex() in repr(KEYS)
