"""Who is who around Suwinet, and the files each needs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from adapters.work_income.services import SERVICES
from adapters.work_income.soap import Addressing
from adapters.work_income.wsse import SigningIdentity, Trusted

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.simulators.suwinet.papers import Authority, Paper

BSN = "999990019"
OTHER_BSN = "111222333"
CITY_OIN = "00000001003214345000"
SUWI_OIN = "00000004003214345001"
NOW = datetime.now(UTC)
ABOUT = Addressing("urn:uuid:1", "https://localhost:1/x", CITY_OIN, SUWI_OIN)


def identity(paper: Paper) -> SigningIdentity:
    return SigningIdentity(paper.certificate, paper.key)


def trusted(authority: Authority, oin: str = SUWI_OIN) -> Trusted:
    return Trusted(oin, (authority.paper.certificate,))


def write_line(folder: Path, authority: Authority, paper: Paper) -> Path:
    """Write the folder of credentials for Suwinet."""
    paper.write(folder, "signing")
    paper.write(folder, "tls")
    (folder / "ca.pem").write_bytes(authority.paper.certificate_pem)
    return folder


def endpoints(address: str) -> dict[str, str]:
    return {name: f"{address}/{name}" for name in SERVICES}
