"""The official schemas as the judge of what we send and of what the simulator answers."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from pathlib import Path

FOLDERS = {
    "UWVWbDossierPersoonGSD": "UWVWbDossierPersoonGSD-v0200-b01",
    "GSDDossierReintegratie": "GSDDossierReintegratie-v0200-b04",
    "Bijstandsregelingen": "Bijstandsregelingen-v0500-b04",
    "UWVDossierInkomstenGSD": "UWVDossierInkomstenGSD-v0200-b02",
}


@cache
def official(standards: Path, service: str, message: str) -> etree.XMLSchema:
    """Return the schema of a service's `question` or `answer`."""
    folder = FOLDERS[service]
    version = folder.removeprefix(f"{service}-")
    name = {"question": "BodyAction.xsd", "answer": "BodyReaction.xsd"}[message]
    return etree.XMLSchema(file=str(standards / "suwinet" / folder / "Diensten" / service / version / name))


@cache
def official_fault(standards: Path) -> etree.XMLSchema:
    """Return the schema of what a fault of SOAP holds."""
    return etree.XMLSchema(
        file=str(standards / "suwinet" / FOLDERS["UWVDossierInkomstenGSD"] / "FWI" / "v0205" / "FWI.xsd")
    )
