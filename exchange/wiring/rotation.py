"""A new identity key: every link re-keyed, the former key destroyed, while the service stands still.

Promises: one transaction, so that whatever ends it leaves the former key with the former links, whole; done
again it goes on with the same new key, and with a second party behind the last link it took over. Pseudonyms
of before are refused by name from then on.
Source: LEDGER design section 6; NIST SP 800-57 part 1 section 5.3 (cryptoperiods).
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.errors import SettingsInvalid
from exchange.keys.identity import IdentityKeys, secret_name
from exchange.keys.keystore import KeyStore
from exchange.keys.link_renewal import take_over
from exchange.keys.links import LinkStore
from exchange.wiring.holding import private_files
from exchange.wiring.kek import open_kek
from exchange.wiring.parties import second_party_of
from exchange.wiring.places import held_keys, key_place, refuse_no_keys
from exchange.wiring.standing_still import standing_still

if TYPE_CHECKING:
    from exchange.settings import Settings


@dataclass(frozen=True, slots=True)
class Rotated:
    """Which generation holds now, and how many links were taken to it."""

    generation: int
    links: int


def rotate_identity(settings: Settings) -> Rotated:
    """Make the next generation. Raises SettingsInvalid, DataFolderInUse, KeyUnavailable, StoreFull."""
    with private_files(), ExitStack() as opened:
        keys, links = _open(settings, opened)
        generation = links.generation()
        count = links.rekey(_own_step(keys, generation), secret_name(generation))
        return Rotated(generation + 1, count)


def rotate_both_halves(settings: Settings, following: bytes) -> Rotated:
    """Make the next generation of both halves; `following` is the public key of the second party's next one.

    The settings still name its former key. Done again after it was done, it tells what stands. Raises as
    `rotate_identity`; SettingsInvalid where the key is whole or `following` is the key that holds already;
    SecondPartyUnavailable, SecondPartyRefused: then what was taken over is kept, and the former key holds.
    """
    former = bytes.fromhex(settings.identity_second_party_key)
    if not former or former == following:
        what = "is the key the settings name already" if former else "is for a key that lies with two parties"
        raise SettingsInvalid(f"the second party's next key {what}", name="second_party_key")
    with private_files(), ExitStack() as opened:
        keys, links = _open(settings, opened)
        generation = links.generation()
        if links.second_party() == following:
            return Rotated(generation, links.count())
        line = second_party_of(settings, links)
        assert line is not None, "the settings name a second party"
        opened.callback(line.close)
        # Another next key, or another generation, begins anew.
        target = generation.to_bytes(4, "big") + following
        take_over(links, target, _own_step(keys, generation), lambda blinded: line.step(blinded, following))
        count = links.put_renewed(target, following, secret_name(generation))
        return Rotated(generation + 1, count)


def _own_step(keys: KeyStore, generation: int) -> bytes:
    former, following = (
        IdentityKeys(keys.service_secret(secret_name(each)), each) for each in (generation, generation + 1)
    )
    return former.step_to(following)


def identity_public_key(settings: Settings, oin: str) -> tuple[int, bytes]:
    """Return the generation and an organisation's public key, to be given to it out of band."""
    with ExitStack() as opened:
        keys, links = _open(settings, opened, hold=False)
        generation = links.generation()
        identity = IdentityKeys(keys.service_secret(secret_name(generation)), generation)
        return generation, identity.public_key(oin)


def _open(settings: Settings, opened: ExitStack, *, hold: bool = True) -> tuple[KeyStore, LinkStore]:
    refuse_no_keys(settings)
    if hold:
        opened.enter_context(standing_still(settings))
        opened.enter_context(held_keys(settings, alone=True))
    kek = open_kek(settings)
    keys = opened.enter_context(closing(KeyStore(key_place(settings), kek)))
    return keys, opened.enter_context(closing(LinkStore(key_place(settings), kek)))
