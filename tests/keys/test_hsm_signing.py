"""The log's key in a token: made to stay, believed because it signs, and refused where it could leave."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.keys.hsm_signing import TokenSigner, make_signer, signer_in
from exchange.ledger.checkpoint import Checkpoint, parse_policy, sign_checkpoint
from exchange.ledger.note import NoteSigner
from tests.softhsm import PIN, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.keys.hsm import Hsm
    from tests.softhsm import SoftToken

CURVE = bytes.fromhex("130c656477617264733235353139")
ORIGIN = "exchange.example/0363/2026"


@pytest.fixture
def label() -> str:
    return f"log-{uuid4()}"


@pytest.fixture
def hsm(soft_token: SoftToken) -> Iterator[Hsm]:
    import pkcs11

    load: Any = pkcs11.lib
    load(str(soft_token.module)).reinitialize()
    line = soft_token.hsm()
    yield line
    line.close()


@contextmanager
def session(token: SoftToken) -> Iterator[Any]:
    """A session past all of our own code; the login of the one under test holds for it."""
    import pkcs11

    opened = pkcs11.lib(str(token.module)).get_token(token_label=TOKEN).open(rw=True)
    with closing(opened):
        yield opened


def pair(opened: Any, label: str, **changes: Any) -> Any:  # noqa: ANN401 -- of the binding
    """Make a pair as ours is, but for the attributes named."""
    import pkcs11

    name = pkcs11.Attribute
    curve = opened.create_domain_parameters(pkcs11.KeyType.EC_EDWARDS, {name.EC_PARAMS: CURVE}, local=True)
    kept = {name.PRIVATE: True, name.SENSITIVE: True, name.EXTRACTABLE: False}
    return curve.generate_keypair(
        mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
        id=uuid4().bytes[:8],
        label=label,
        store=True,
        private_template=kept | {name[key]: value for key, value in changes.items()},
    )


def test_a_checkpoint_signed_in_the_token_is_one_like_any_other(hsm: Hsm, label: str) -> None:
    signer = NoteSigner(ORIGIN, make_signer(hsm, label))
    head = Checkpoint(ORIGIN, 7, b"r" * 32)
    note = sign_checkpoint(head, signer).note
    assert parse_policy(f"log {signer.vkey}\nquorum none\n").accept(note) == head
    assert sign_checkpoint(head, NoteSigner(ORIGIN, signer_in(hsm, label))).note == note


def test_a_label_is_used_once(hsm: Hsm, label: str) -> None:
    make_signer(hsm, label)
    with pytest.raises(SettingsInvalid, match="key of this label already"):
        make_signer(hsm, label)


def test_a_key_that_is_not_there_is_named(hsm: Hsm, label: str) -> None:
    with pytest.raises(SettingsInvalid, match="no signing key has this label"):
        signer_in(hsm, label)


@pytest.mark.parametrize("leak", [{"EXTRACTABLE": True}, {"SENSITIVE": False}])
def test_a_key_that_could_leave_its_token_is_refused(
    soft_token: SoftToken, hsm: Hsm, label: str, leak: dict[str, bool]
) -> None:
    with session(soft_token) as opened:
        pair(opened, label, **leak)
    with pytest.raises(SettingsInvalid, match="not made to stay in its token"):
        signer_in(hsm, label)


def test_two_keys_of_one_label_are_refused(soft_token: SoftToken, hsm: Hsm, label: str) -> None:
    with session(soft_token) as opened:
        pair(opened, label)
        pair(opened, label)
    with pytest.raises(SettingsInvalid, match="more than one"):
        signer_in(hsm, label)


def test_a_key_of_another_curve_is_refused(soft_token: SoftToken, hsm: Hsm, label: str) -> None:
    import pkcs11
    from pkcs11.util.ec import encode_named_curve_parameters

    with session(soft_token) as opened:
        name = pkcs11.Attribute
        given = {name.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
        curve = opened.create_domain_parameters(pkcs11.KeyType.EC, given, local=True)
        curve.generate_keypair(store=True, label=label, id=uuid4().bytes[:8])
    with pytest.raises(SettingsInvalid, match="not Ed25519"):
        signer_in(hsm, label)


def test_a_public_half_of_another_key_is_not_believed(soft_token: SoftToken, hsm: Hsm, label: str) -> None:
    import pkcs11

    make_signer(hsm, label)
    name = pkcs11.Attribute
    with session(soft_token) as opened:
        (mine,) = opened.get_objects({name.LABEL: label, name.CLASS: pkcs11.ObjectClass.PUBLIC_KEY})
        other, _ = pair(opened, f"{label}-other")
        key_id, point = mine[name.ID], other[name.EC_POINT]
        mine.destroy()
        opened.create_object(
            {
                name.CLASS: pkcs11.ObjectClass.PUBLIC_KEY,
                name.KEY_TYPE: pkcs11.KeyType.EC_EDWARDS,
                name.EC_PARAMS: CURVE,
                name.EC_POINT: point,
                name.ID: key_id,
                name.LABEL: label,
                name.TOKEN: True,
                name.VERIFY: True,
            }
        )
    with pytest.raises(KeyUnavailable, match="signed wrongly"):
        signer_in(hsm, label)


def test_a_token_that_is_away_signs_nothing_and_one_that_is_back_does(
    soft_token: SoftToken, hsm: Hsm, label: str
) -> None:
    signer = make_signer(hsm, label)
    with soft_token.away(), pytest.raises(KeyUnavailable) as refused:
        signer.sign(b"text\n")
    assert PIN not in str(refused.value.metadata)
    assert isinstance(signer, TokenSigner)
    signer.public_key().verify(signer.sign(b"text\n"), b"text\n")
