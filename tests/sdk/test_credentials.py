"""Credentials: what belongs together is loaded, everything else is named and refused."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import CertificateExpired, CredentialsInvalid
from tests.sdk.conftest import OIN

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.keys.authority import DevelopmentAuthority

OTHER = "00000009876543210000"


@pytest.fixture
def folder(organisation: Path, tmp_path: Path) -> Path:
    shutil.copytree(organisation, tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def other(authority: DevelopmentAuthority, tmp_path: Path) -> Path:
    return authority.issue_organisation(OTHER, "Zorg", tmp_path / "other").folder


def test_what_was_issued_is_loaded(authority: DevelopmentAuthority, tmp_path: Path) -> None:
    issued = authority.issue_organisation(OIN, "Gemeente Voorbeeld", tmp_path / "org")
    found = Credentials.load(issued.folder)
    assert (found.oin, found.name) == (OIN, "Gemeente Voorbeeld")
    assert found.thumbprint.hex() == issued.thumbprint
    assert found.signing_key.public_key().public_bytes_raw() == issued.signing_public_key


def test_no_repr_shows_a_key(folder: Path) -> None:
    shown = repr(Credentials.load(folder))
    assert "PRIVATE" not in shown
    assert "Ed25519" not in shown


@pytest.mark.parametrize("name", ["ca.pem", "client.pem", "client.key", "signing.key", "organisation.json"])
@pytest.mark.parametrize("content", [None, b"", b"no such thing", b"x" * 70_000])
def test_a_file_absent_or_spoilt_is_named(folder: Path, name: str, content: bytes | None) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(CredentialsInvalid, match=name):
        Credentials.load(folder)


@pytest.mark.parametrize("name", ["client.key", "signing.key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_open_to_others_is_refused(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    with pytest.raises(CredentialsInvalid, match=f"{name} is open to others"):
        Credentials.load(folder)


def test_a_folder_for_a_file_is_refused(folder: Path) -> None:
    (folder / "client.key").unlink()
    (folder / "client.key").mkdir()
    with pytest.raises(CredentialsInvalid, match="regular file"):
        Credentials.load(folder)


def test_a_certificate_of_another_organisation_is_refused(folder: Path, other: Path) -> None:
    shutil.copy(other / "client.pem", folder / "client.pem")
    with pytest.raises(CredentialsInvalid, match="another organisation"):
        Credentials.load(folder)


def test_a_key_of_another_certificate_is_refused(folder: Path, other: Path) -> None:
    shutil.copy(other / "client.key", folder / "client.key")
    with pytest.raises(CredentialsInvalid, match="not the key of"):
        Credentials.load(folder)


def test_a_signing_key_of_another_kind_is_refused(folder: Path) -> None:
    shutil.copy(folder / "client.key", folder / "signing.key")
    with pytest.raises(CredentialsInvalid, match="Ed25519"):
        Credentials.load(folder)


def test_a_key_with_a_password_is_refused(folder: Path) -> None:
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    (folder / "client.key").write_bytes(locked)
    with pytest.raises(CredentialsInvalid, match="without password"):
        Credentials.load(folder)


@pytest.mark.parametrize(
    "about", ["[]", '"text"', "{}", '{"oin": "123", "name": "A"}', '{"oin": 5, "name": "A"}', "\udcff"]
)
def test_an_organisation_file_of_another_shape_is_refused(folder: Path, about: str) -> None:
    (folder / "organisation.json").write_text(about, errors="surrogateescape")
    with pytest.raises(CredentialsInvalid, match=r"organisation\.json"):
        Credentials.load(folder)


def test_validity_is_judged_on_its_very_edges(folder: Path) -> None:
    found = Credentials.load(folder)
    begins, ends = found.valid_from.timestamp(), found.valid_until.timestamp()
    found.require_valid(begins)
    found.require_valid(ends)
    with pytest.raises(CertificateExpired, match="clock"):
        found.require_valid(begins - 1)
    with pytest.raises(CertificateExpired, match="expired"):
        found.require_valid(ends + 1)
