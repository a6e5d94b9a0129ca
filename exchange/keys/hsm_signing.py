"""The log's Ed25519 key in a PKCS#11 token: signs there, and never leaves it.

Promises: only a key that was made in its token to stay there is taken; its public half is believed because
the key signs under it, not because the token lists it; a signature that does not verify, by a module that
errs, is never given out. Nothing of PIN or key is in an error.
Source: PKCS#11 v3.0 (CKM_EDDSA, CKK_EC_EDWARDS, CKA_EC_PARAMS, CKA_EC_POINT); RFC 8032; RFC 8410 (the curve).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.keys.hsm import KEK_ID_BYTES, library

if TYPE_CHECKING:
    from exchange.keys.hsm import Hsm

PUBLIC_BYTES: Final = 32
# The curve by its name, as PKCS#11 has it, and by its object identifier, as RFC 8410 has it.
_BY_NAME: Final = bytes.fromhex("130c656477617264733235353139")
_BY_NUMBER: Final = bytes.fromhex("06032b6570")
# No newline ends it, so it is no text of a note and no checkpoint.
_PROBE: Final = b"exchange: the key of this log, shown to be the one under its public half"


class TokenSigner:
    """An Ed25519 key in a token, with the two methods of one in memory that a note signer uses."""

    def __init__(self, hsm: Hsm, key_id: bytes, public: Ed25519PublicKey) -> None:
        self._hsm: Final = hsm
        self._key_id: Final = key_id
        self._public: Final = public

    def public_key(self) -> Ed25519PublicKey:
        """Return the public half."""
        return self._public

    def sign(self, data: bytes, /) -> bytes:
        """Return the signature over `data`, made in the token. Raises KeyUnavailable."""
        eddsa = library().Mechanism.EDDSA
        signature: bytes = self._hsm.use(
            lambda session: _private(session, {library().Attribute.ID: self._key_id}).sign(
                data, mechanism=eddsa
            )
        )
        try:
            self._public.verify(signature, data)
        except InvalidSignature:
            raise KeyUnavailable("the token signed wrongly", token=self._hsm.token) from None
        return signature

    def close(self) -> None:
        """End the session with the token."""
        self._hsm.close()


def signer_in(hsm: Hsm, label: str) -> TokenSigner:
    """Return the signing key of this label.

    Raises SettingsInvalid: none, several, not Ed25519, or one that could leak; KeyUnavailable.
    """
    name = library().Attribute
    found = hsm.use(
        lambda session: [_looked_at(key, label) for key in _privates(session, {name.LABEL: label})]
    )
    if len(found) != 1:
        many = "more than one signing key has" if found else "no signing key has"
        raise SettingsInvalid(f"{many} this label in the token", token=hsm.token, label=label)
    (key_id,) = found
    signer = TokenSigner(hsm, key_id, hsm.use(lambda session: _public(session, key_id, label)))
    signer.sign(_PROBE)
    return signer


def make_signer(hsm: Hsm, label: str) -> TokenSigner:
    """Have the token generate a signing key that cannot leave it.

    Raises SettingsInvalid for a label in use, KeyUnavailable.
    """
    name = library().Attribute
    if hsm.use(lambda session: list(_privates(session, {name.LABEL: label}))):
        raise SettingsInvalid("the token has a key of this label already", token=hsm.token, label=label)
    hsm.use(lambda session: _generate(session, label, os.urandom(KEK_ID_BYTES)), writes=True)
    return signer_in(hsm, label)


def _generate(session: Any, label: str, key_id: bytes) -> None:  # noqa: ANN401 -- an extra without types
    pkcs11 = library()
    name, kind = pkcs11.Attribute, pkcs11.KeyType.EC_EDWARDS
    curve = session.create_domain_parameters(kind, {name.EC_PARAMS: _BY_NAME}, local=True)
    curve.generate_keypair(
        mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
        id=key_id,
        label=label,
        store=True,
        private_template={
            name.PRIVATE: True,
            name.SENSITIVE: True,
            name.EXTRACTABLE: False,
            name.MODIFIABLE: False,
            name.SIGN: True,
            name.DECRYPT: False,
            name.UNWRAP: False,
            name.DERIVE: False,
        },
    )


def _looked_at(key: Any, label: str) -> bytes:  # noqa: ANN401 -- as above
    """Return the id of a private key. Raises SettingsInvalid for one that could leave, or of another kind."""
    pkcs11 = library()
    name = pkcs11.Attribute
    if key[name.KEY_TYPE] != pkcs11.KeyType.EC_EDWARDS or key[name.EC_PARAMS] not in {_BY_NAME, _BY_NUMBER}:
        raise SettingsInvalid("the log's key in the token is not Ed25519", label=label)
    kept = (name.PRIVATE, name.LOCAL, name.ALWAYS_SENSITIVE, name.NEVER_EXTRACTABLE, name.SIGN)
    if not all(key[one] for one in kept):
        raise SettingsInvalid(
            "the log's key was not made to stay in its token: private, made there, always sensitive, never"
            " extractable, and signing",
            label=label,
        )
    return bytes(key[name.ID])


def _public(session: Any, key_id: bytes, label: str) -> Ed25519PublicKey:  # noqa: ANN401 -- as above
    pkcs11 = library()
    wanted = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY,
        pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.EC_EDWARDS,
        pkcs11.Attribute.ID: key_id,
    }
    found = [bytes(key[pkcs11.Attribute.EC_POINT]) for key in session.get_objects(wanted)]
    # An octet string of 32 bytes in DER, or in later versions of the standard the 32 bytes.
    points = {one.removeprefix(b"\x04\x20") if len(one) == PUBLIC_BYTES + 2 else one for one in found}
    if len(points) != 1 or len(point := points.pop()) != PUBLIC_BYTES:
        raise SettingsInvalid("the token holds no public half of the log's key", label=label)
    return Ed25519PublicKey.from_public_bytes(point)


def _private(session: Any, wanted: dict[Any, Any]) -> Any:  # noqa: ANN401 -- as above
    found = list(_privates(session, wanted))
    if len(found) != 1:
        raise library().NoSuchKey
    return found[0]


def _privates(session: Any, wanted: dict[Any, Any]) -> Any:  # noqa: ANN401 -- as above
    pkcs11 = library()
    return session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY, **wanted})
