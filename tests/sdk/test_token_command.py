"""`exchange-adapter token`: what it prints is what the exchange takes, and it says what is wrong."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import jwt
import pytest
import typer
from typer.testing import CliRunner

from adapters.sdk.credentials import Credentials
from adapters.sdk.envelope_command import envelope_key
from adapters.sdk.token_command import token
from exchange.keys.authority import DevelopmentAuthority
from exchange.keys.envelope_key import is_signed_by

if TYPE_CHECKING:
    from pathlib import Path

OIN = "00000001003214345000"
PERSON = ["--task", "college:WMO", "--professional", "wt-014", "--role", "regisseur"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("organisation")
    DevelopmentAuthority(folder / "authority").issue_organisation(OIN, "Gemeente Voorbeeld", folder / "keys")
    return folder / "keys"


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command("token")(token)
    return app


def test_it_prints_a_token_of_this_person_and_nothing_else(app: typer.Typer, folder: Path) -> None:
    done = CliRunner().invoke(app, ["--credentials", str(folder), *PERSON])
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()
    public = Credentials.load(folder).signing_key.public_key()
    said = jwt.decode(line, public, algorithms=["EdDSA"], audience="exchange.v1", issuer=OIN)
    assert (said["sub"], said["task"], said["role"], said["acr"]) == (
        "wt-014",
        "college:WMO",
        "regisseur",
        "2fa",
    )
    assert said["exp"] - said["iat"] == 300
    assert "resident" not in said


@pytest.mark.parametrize("professional", ["", "Jan de Vries", "x" * 61])
def test_a_name_is_no_professional(app: typer.Typer, folder: Path, professional: str) -> None:
    words = ["--task", "college:WMO", "--professional", professional, "--role", "regisseur"]
    done = CliRunner().invoke(app, ["--credentials", str(folder), *words])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "opaque id" in done.stderr


def test_a_folder_without_credentials_is_named(app: typer.Typer, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--credentials", str(tmp_path), *PERSON])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "ca.pem cannot be opened" in done.stderr


def test_a_key_that_others_can_read_signs_nothing(app: typer.Typer, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "keys")
    (tmp_path / "keys" / "signing.key").chmod(0o644)
    done = CliRunner().invoke(app, ["--credentials", str(tmp_path / "keys"), *PERSON])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "signing.key is open to others" in done.stderr


def test_an_expired_certificate_gets_no_token(app: typer.Typer, tmp_path: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=9)
    DevelopmentAuthority(tmp_path / "authority").issue_organisation(
        OIN, "Gemeente Voorbeeld", tmp_path / "keys", valid_from=long_ago, valid_for=timedelta(days=1)
    )
    done = CliRunner().invoke(app, ["--credentials", str(tmp_path / "keys"), *PERSON])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "expired" in done.stderr


def test_an_envelope_key_is_made_signed_and_printed_without_its_secret(folder: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command("envelope-key")(envelope_key)
    words = ["--credentials", str(folder), "--keys", str(tmp_path / "keys")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    public, signature, signer = (
        bytes.fromhex(told[name]) for name in ("envelope_key", "key_signature", "signing_key")
    )
    assert told["oin"] == OIN
    assert is_signed_by(signer, signature, OIN, public)
    (file,) = (tmp_path / "keys").iterdir()
    assert file.read_bytes().hex() not in done.stdout
    assert json.loads(CliRunner().invoke(app, words).stdout)["envelope_key"] != told["envelope_key"]
    assert len(list((tmp_path / "keys").iterdir())) == 2
