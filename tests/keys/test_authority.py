"""The development authority: what it writes, whom it lets in, and what it refuses."""

from __future__ import annotations

import json
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from exchange.errors import SettingsInvalid
from exchange.keys.authority import ROOT_NAME, DevelopmentAuthority

if TYPE_CHECKING:
    from pathlib import Path

OIN = "00000001234567890000"
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def authority(tmp_path: Path) -> DevelopmentAuthority:
    return DevelopmentAuthority(tmp_path / "authority", now=lambda: NOON)


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_an_organisation_gets_every_file_it_needs(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    issued = authority.issue_organisation(OIN, "Gemeente Voorbeeld", tmp_path / "org")
    assert {path.name for path in issued.folder.iterdir()} == {
        "ca.pem",
        "client.pem",
        "client.key",
        "signing.key",
        "organisation.json",
    }
    found = certificate(issued.folder / "client.pem")
    (serial,) = found.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    assert serial.value == OIN
    assert issued.thumbprint == sha256(found.public_bytes(serialization.Encoding.DER)).hexdigest()
    assert json.loads((issued.folder / "organisation.json").read_text()) == {
        "oin": OIN,
        "name": "Gemeente Voorbeeld",
        "thumbprint": issued.thumbprint,
        "signing_key": issued.signing_public_key.hex(),
    }
    signing = serialization.load_pem_private_key((issued.folder / "signing.key").read_bytes(), None)
    assert isinstance(signing, Ed25519PrivateKey)
    assert signing.public_key().public_bytes_raw() == issued.signing_public_key


def test_private_keys_are_for_their_owner_only(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    folder = authority.issue_organisation(OIN, "A", tmp_path / "org").folder
    server = authority.issue_server(tmp_path / "server")
    root_key = tmp_path / "authority" / "root" / "ca.key"
    keys = [folder / "client.key", folder / "signing.key", server.key, root_key]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert {stat.S_IMODE(key.parent.stat().st_mode) for key in keys} == {0o700}


def test_the_client_certificate_is_one_for_clients(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    folder = authority.issue_organisation(OIN, "A", tmp_path / "org").folder
    verifier = PolicyBuilder().store(Store([certificate(folder / "ca.pem")])).time(NOON)
    found = certificate(folder / "client.pem")
    usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    with pytest.raises(x509.verification.VerificationError):
        verifier.build_server_verifier(x509.DNSName("localhost")).verify(found, [])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_server_certificate_holds_on_loopback(tmp_path: Path, host: str) -> None:
    server = DevelopmentAuthority(tmp_path / "authority").issue_server(tmp_path / "server")
    client = ssl.create_default_context(cafile=str(server.client_ca))
    accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    accepting.load_cert_chain(server.certificate, server.key)
    _shake_hands(client, accepting, host)


def _shake_hands(client: ssl.SSLContext, accepting: ssl.SSLContext, host: str) -> None:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=host)
    other = accepting.wrap_bio(to_server, to_client, server_side=True)
    done = {one: False, other: False}
    for _ in range(10):
        for end in (one, other):
            try:
                end.do_handshake()
                done[end] = True
            except ssl.SSLWantReadError:
                continue
    assert all(done.values())


def test_a_server_certificate_of_another_host_is_not_taken(tmp_path: Path) -> None:
    real = DevelopmentAuthority(tmp_path / "authority")
    server = real.issue_server(tmp_path / "server", ["exchange.test"])
    client = ssl.create_default_context(cadata=real.root_pem.decode())
    accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    accepting.load_cert_chain(server.certificate, server.key)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"[Hh]ostname mismatch"):
        _shake_hands(client, accepting, "localhost")


def test_the_root_says_development_and_stays(tmp_path: Path) -> None:
    first = DevelopmentAuthority(tmp_path).root_pem
    assert DevelopmentAuthority(tmp_path).root_pem == first
    assert "DEVELOPMENT" in ROOT_NAME
    assert ROOT_NAME in x509.load_pem_x509_certificate(first).subject.rfc4514_string()
    other = DevelopmentAuthority(tmp_path / "other").root_pem
    assert other != first


def test_two_processes_at_once_make_one_root(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)
    roots: list[bytes] = []

    def make() -> None:
        barrier.wait()
        roots.append(DevelopmentAuthority(tmp_path).root_pem)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(roots) == 4
    assert len(set(roots)) == 1


def test_validity_is_the_callers(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    folder = authority.issue_organisation(
        OIN, "A", tmp_path / "org", valid_from=NOON - timedelta(days=2), valid_for=timedelta(days=1)
    ).folder
    found = certificate(folder / "client.pem")
    assert found.not_valid_before_utc == NOON - timedelta(days=2)
    assert found.not_valid_after_utc == NOON - timedelta(days=1)


@pytest.mark.parametrize("oin", ["", "1234", "0000000123456789000x", "000000012345678900000", "\u0660" * 20])
def test_a_malformed_oin_is_refused(authority: DevelopmentAuthority, tmp_path: Path, oin: str) -> None:
    with pytest.raises(SettingsInvalid, match="twenty digits"):
        authority.issue_organisation(oin, "A", tmp_path / "org")
    assert not (tmp_path / "org").exists()


@pytest.mark.parametrize("name", ["", "a" * 201, "line\nbreak"])
def test_a_malformed_name_is_refused(authority: DevelopmentAuthority, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsInvalid, match="printable"):
        authority.issue_organisation(OIN, name, tmp_path / "org")


def test_a_long_name_is_whole_in_the_organisation_name(
    authority: DevelopmentAuthority, tmp_path: Path
) -> None:
    name = "Co\u00f6peratie " * 12
    folder = authority.issue_organisation(OIN, name, tmp_path / "org").folder
    (found,) = certificate(folder / "client.pem").subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert found.value == name


@pytest.mark.parametrize("hosts", [[], [""], ["gemeente-\u00e9\u00e9n.test"]])
def test_a_server_without_a_usable_host_is_refused(
    authority: DevelopmentAuthority, tmp_path: Path, hosts: list[str]
) -> None:
    with pytest.raises(SettingsInvalid, match="host"):
        authority.issue_server(tmp_path / "server", hosts)


def test_credentials_are_never_overwritten(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    folder = authority.issue_organisation(OIN, "A", tmp_path / "org").folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SettingsInvalid, match="already holds"):
        authority.issue_organisation(OIN, "A", folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["authority", "org"]


def test_an_empty_folder_is_filled(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    (tmp_path / "org").mkdir()
    folder = authority.issue_organisation(OIN, "A", tmp_path / "org").folder
    assert (folder / "client.pem").exists()


def test_a_spoilt_root_is_refused(tmp_path: Path) -> None:
    DevelopmentAuthority(tmp_path)
    (tmp_path / "root" / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        DevelopmentAuthority(tmp_path)


def test_a_root_with_the_key_of_another_is_refused(tmp_path: Path) -> None:
    DevelopmentAuthority(tmp_path / "one")
    DevelopmentAuthority(tmp_path / "two")
    stranger = (tmp_path / "two" / "root" / "ca.key").read_bytes()
    (tmp_path / "one" / "root" / "ca.key").write_bytes(stranger)
    with pytest.raises(SettingsInvalid, match="another key"):
        DevelopmentAuthority(tmp_path / "one")
