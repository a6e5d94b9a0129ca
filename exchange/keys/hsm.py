"""A KEK that never leaves a hardware module: AES-256 in a PKCS#11 token, used there and nowhere else.

Promises: the service opens with no key that could leave its token or wrap another out of it; a token that
was away and is back is used again without a restart; a PIN that was refused once is not tried again, for a
token locks after a few. Nothing of PIN or key is in an error.
Source: PKCS#11 v2.40 (CKM_AES_GCM, CKA_SENSITIVE, CKA_EXTRACTABLE); NIST SP 800-38D section 8.3: at most 2^32
wrappings under one key with random nonces.
"""

from __future__ import annotations

import os
from contextlib import suppress
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from exchange.errors import KeyUnavailable, SettingsInvalid
from exchange.keys.datakey import KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEK_ID_BYTES: Final = 8
LABEL: Final = "exchange-kek"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_WRAPPED_BYTES: Final = _NONCE_BYTES + KEY_BYTES + _TAG_BYTES
# One to a process and module: whoever opens a module anew takes everybody's sessions with it.
_MODULE_LOCK: Final = RLock()

T = TypeVar("T")


class Hsm:
    """One token of one module, and this process's session with it. Safe between threads, one at a time.

    `pin` is asked at each login, so that one that was corrected counts at once. Raises SettingsInvalid where
    the module is not there or the PIN is refused, KeyUnavailable where the token does not answer.
    """

    def __init__(
        self,
        module: Path,
        token: str,
        pin: Callable[[], str],
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.token: Final = token
        self._module: Final = module
        self._pin: Final = pin
        self._pkcs11: Final = library()
        self._entropy: Final = entropy
        self._session: Any = None
        self._keys: Final[dict[str, Any]] = {}
        self._refused: str | None = None
        self._was_in = False
        if not module.is_file():
            raise SettingsInvalid("the PKCS#11 module is not there", name="kek_module")
        self.use(lambda session: session)
        self._was_in = True

    def kek(self, label: str) -> Pkcs11Kek:
        """Return the KEK of this label. Raises SettingsInvalid: none, several, or one that could leak."""
        found = self._sought({self._pkcs11.Attribute.LABEL: label})
        if len(found) != 1:
            many = "more than one KEK has" if found else "no KEK has"
            raise SettingsInvalid(f"{many} this label in the token", token=self.token, label=label)
        return Pkcs11Kek(self, found[0].key_id, label, self._entropy)

    def kek_named(self, key_id: str) -> Pkcs11Kek | None:
        """Return the KEK of this id, whatever its label, or None. Raises KeyUnavailable, SettingsInvalid."""
        with suppress(ValueError):
            found = self._sought({self._pkcs11.Attribute.ID: bytes.fromhex(key_id)})
            return Pkcs11Kek(self, key_id, found[0].label, self._entropy) if len(found) == 1 else None
        return None

    def create(self, label: str) -> Pkcs11Kek:
        """Have the token generate a KEK that cannot leave it. Raises SettingsInvalid for a label in use."""
        if self._sought({self._pkcs11.Attribute.LABEL: label}, checked=False):
            raise SettingsInvalid("the token has a key of this label already", token=self.token, label=label)
        key_id = self._entropy(KEK_ID_BYTES)
        self.use(lambda _: self._generate(label, key_id), writes=True)
        return self.kek(label)

    def encrypt(self, key_id: str, nonce: bytes, plain: bytes, associated: bytes) -> bytes:
        """Return ciphertext and tag, made inside the token. Raises KeyUnavailable."""
        mechanism, params = self._pkcs11.Mechanism.AES_GCM, self._params(nonce, associated)
        done: bytes = self.use(
            lambda session: self._key(session, key_id).encrypt(
                plain, mechanism=mechanism, mechanism_param=params
            )
        )
        return done

    def decrypt(self, key_id: str, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        """Return what `encrypt` was given. Raises KeyUnavailable, also where the tag is not right."""
        mechanism, params = self._pkcs11.Mechanism.AES_GCM, self._params(nonce, associated)
        done: bytes = self.use(
            lambda session: self._key(session, key_id).decrypt(
                sealed, mechanism=mechanism, mechanism_param=params
            )
        )
        return done

    def use(self, do: Callable[[Any], T], *, writes: bool = False) -> T:
        """Do something in a session; where it fails, once more in a new one: the token may have been away.

        Raises KeyUnavailable when it fails again, or its PIN is refused though it was not at first.
        """
        with _MODULE_LOCK:
            if writes:
                self._leave()
            try:
                return do(self._entered(writes=writes))
            except self._pkcs11.PKCS11Error:
                self._leave()
            try:
                return do(self._entered(writes=writes))
            except self._pkcs11.PKCS11Error as error:
                self._leave()
                raise KeyUnavailable(
                    "the hardware module does not answer", token=self.token, reason=type(error).__name__
                ) from None
            finally:
                if writes:
                    self._leave()

    def close(self) -> None:
        """End the session."""
        with _MODULE_LOCK:
            self._leave()

    def _entered(self, *, writes: bool) -> Any:  # noqa: ANN401 -- a session of an extra without types here
        if self._session is None:
            try:
                self._session = self._enter(writes=writes)
            except SettingsInvalid as error:
                if not self._was_in:
                    raise
                # Settings that were right at the start: whoever waits for an answer did not call wrongly.
                raise KeyUnavailable(error.message, **error.metadata) from None
        return self._session

    def _enter(self, *, writes: bool) -> Any:  # noqa: ANN401 -- as above
        try:
            return self._login(writes=writes)
        except self._pkcs11.PKCS11Error:
            # A module lists its tokens when it is opened: one that came back shows only in a new list.
            with suppress(self._pkcs11.PKCS11Error):
                self._pkcs11.lib(str(self._module)).finalize()
            return self._login(writes=writes)

    def _login(self, *, writes: bool) -> Any:  # noqa: ANN401 -- as above
        token = self._pkcs11.lib(str(self._module)).get_token(token_label=self.token)
        pin = self._pin()
        if pin == self._refused:
            raise SettingsInvalid("the token refused this PIN before: not tried again", name="kek_pin")
        try:
            return token.open(rw=writes, user_pin=pin)
        except self._pkcs11.UserAlreadyLoggedIn:
            # Another session of this process is in; a login holds for all of them.
            return token.open(rw=writes)
        except (self._pkcs11.PinIncorrect, self._pkcs11.PinLenRange, self._pkcs11.PinInvalid):
            self._refused = pin
            raise SettingsInvalid("the token refuses the PIN", token=self.token, name="kek_pin") from None
        except self._pkcs11.PinLocked:
            raise SettingsInvalid("the token has locked its PIN", token=self.token, name="kek_pin") from None

    def _leave(self) -> None:
        session, self._session = self._session, None
        self._keys.clear()
        if session is not None:
            with suppress(self._pkcs11.PKCS11Error):
                session.close()

    def _params(self, nonce: bytes, associated: bytes) -> Any:  # noqa: ANN401 -- as above
        return self._pkcs11.GCMParams(nonce, associated, 8 * _TAG_BYTES)

    def _key(self, session: Any, key_id: str) -> Any:  # noqa: ANN401 -- as above
        if key_id not in self._keys:
            wanted = {**self._secret_keys(), self._pkcs11.Attribute.ID: bytes.fromhex(key_id)}
            found = list(session.get_objects(wanted))
            if len(found) != 1:
                raise self._pkcs11.NoSuchKey
            self._keys[key_id] = found[0]
        return self._keys[key_id]

    def _secret_keys(self) -> dict[Any, Any]:
        return {self._pkcs11.Attribute.CLASS: self._pkcs11.ObjectClass.SECRET_KEY}

    def _sought(self, wanted: dict[Any, Any], *, checked: bool = True) -> list[_Found]:
        return self.use(
            lambda session: [
                self._looked_at(key, checked=checked)
                for key in session.get_objects({**self._secret_keys(), **wanted})
            ]
        )

    def _looked_at(self, key: Any, *, checked: bool) -> _Found:  # noqa: ANN401 -- as above
        """Refuse a key that could leave the token, or was put there by somebody who knows its bytes."""
        name = self._pkcs11.Attribute
        found = _Found(bytes(key[name.ID]).hex(), str(key[name.LABEL]))
        if not checked:
            return found
        kept = all(key[one] for one in (name.PRIVATE, name.ALWAYS_SENSITIVE, name.NEVER_EXTRACTABLE))
        if key[name.KEY_TYPE] != self._pkcs11.KeyType.AES or key[name.VALUE_LEN] != KEY_BYTES:
            raise SettingsInvalid("the KEK in the token is not AES of 256 bits", label=found.label)
        if not kept or key[name.WRAP] or key[name.UNWRAP]:
            raise SettingsInvalid(
                "the KEK was not made to stay in its token: private, always sensitive, never extractable, and"
                " wrapping no keys of the token",
                label=found.label,
            )
        if len(found.key_id) != 2 * KEK_ID_BYTES:
            raise SettingsInvalid("the KEK in the token needs a CKA_ID of 8 bytes", label=found.label)
        return found

    def _generate(self, label: str, key_id: bytes) -> None:
        name, flag = self._pkcs11.Attribute, self._pkcs11.MechanismFlag
        self._session.generate_key(
            self._pkcs11.KeyType.AES,
            8 * KEY_BYTES,
            id=key_id,
            label=label,
            store=True,
            capabilities=flag.ENCRYPT | flag.DECRYPT,
            template={
                name.PRIVATE: True,
                name.SENSITIVE: True,
                name.EXTRACTABLE: False,
                name.MODIFIABLE: False,
                name.WRAP: False,
                name.UNWRAP: False,
                name.SIGN: False,
                name.VERIFY: False,
            },
        )

    def __repr__(self) -> str:
        return f"Hsm(token={self.token!r})"


class _Found(NamedTuple):
    key_id: str
    label: str


class Pkcs11Kek:
    """A KEK in a token. Its id is its CKA_ID, drawn by chance when it was made."""

    def __init__(self, hsm: Hsm, key_id: str, label: str, entropy: Callable[[int], bytes]) -> None:
        self.hsm: Final = hsm
        self.key_id: Final = key_id
        self.label: Final = label
        self._entropy: Final = entropy

    def wrap(self, key: bytes, associated: bytes) -> bytes:
        """Return nonce, ciphertext and tag: 28 bytes more than the key. Raises KeyUnavailable."""
        nonce = self._entropy(_NONCE_BYTES)
        return nonce + self.hsm.encrypt(self.key_id, nonce, key, associated)

    def unwrap(self, wrapped: bytes, associated: bytes) -> bytes:
        """Return the key. Raises KeyUnavailable: altered, moved, of another KEK, or the token is away."""
        if len(wrapped) != _WRAPPED_BYTES:
            raise KeyUnavailable("a wrapped key is not of its length")
        try:
            return self.hsm.decrypt(self.key_id, wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], associated)
        except KeyUnavailable:
            # Modules answer alike to a wrong tag and to their own end: ask what can only fail for the second.
            self.wrap(bytes(KEY_BYTES), associated)
            raise KeyUnavailable("a wrapped key does not open under this KEK", kek=self.key_id) from None

    def __repr__(self) -> str:
        return f"Pkcs11Kek(key_id={self.key_id!r})"


def library() -> Any:  # noqa: ANN401 -- a module, there only with the extra
    """Return the binding to PKCS#11. Raises SettingsInvalid without the extra."""
    try:
        import pkcs11  # noqa: PLC0415 -- an extra: whoever keeps no key in hardware needs it not
    except ImportError:
        raise SettingsInvalid("a key in hardware needs the extra `hsm`: install exchange[hsm]") from None
    return pkcs11
