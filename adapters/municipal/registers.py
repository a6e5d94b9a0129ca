"""The Objects API, where the plan is kept beside its case, and the BRP.

Promises: an object has the uuid we gave it, so that the same again is known; a BSN goes to the BRP in a body.
Source: Objects API 2.7.0; BRP Personen 2.7.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.kit.outward import Outward, Refused, Unexpected
from adapters.municipal.persons import question

if TYPE_CHECKING:
    from collections.abc import Mapping

    from adapters.kit.outward import Turns
    from adapters.municipal.config import BrpApi, Config, ObjectsApi
    from adapters.sdk.bsn import Bsn

_CRS: Final = {"Accept-Crs": "EPSG:4326", "Content-Crs": "EPSG:4326"}
_GONE: Final = (404, 410)


class Objects:
    """The objects of one type."""

    def __init__(self, config: Config, api: ObjectsApi, turns: Turns | None = None) -> None:
        headers = {"Authorization": f"Token {api.key.text}", **_CRS}
        self._api: Final = Outward(
            "objects",
            api.url,
            lambda: headers,
            timeout_s=config.timeout_s,
            authorities=config.authorities,
            turns=turns,
        )
        self._type: Final = api.objecttype
        self._version: Final = api.version

    def keep(self, uuid: str, data: Mapping[str, object], today: str) -> str:
        """Keep the newest data of an object; return its url."""
        where = f"/objects/{uuid}"
        record = {"typeVersion": self._version, "data": data, "startAt": today}
        try:
            held = self._api.ask("GET", where).content
        except Refused as refused:
            if refused.status not in _GONE:
                raise
            told = {"uuid": uuid, "type": self._type, "record": record}
            return _url(self._api.ask("POST", "/objects", told).content)
        newest = held.get("record") if isinstance(held, dict) else None
        if not isinstance(newest, dict) or newest.get("data") != data:
            self._api.ask("PATCH", where, {"record": record})
        return _url(held)

    def forget(self, uuid: str) -> bool:
        """Take an object away with all its records; tell whether there was one."""
        try:
            self._api.ask("DELETE", f"/objects/{uuid}")
        except Refused as refused:
            if refused.status not in _GONE:
                raise
            return False
        return True


def _url(told: object) -> str:
    url = told.get("url") if isinstance(told, dict) else None
    if not isinstance(url, str):
        raise Unexpected("objects", "no_url")
    return url


class Brp:
    """The one question of BRP Personen that is asked here."""

    def __init__(self, config: Config, api: BrpApi, turns: Turns | None = None) -> None:
        headers = {"X-API-KEY": api.key.text}
        self._api: Final = Outward(
            "brp",
            api.url,
            lambda: headers,
            timeout_s=config.timeout_s,
            authorities=config.authorities,
            turns=turns,
        )

    def ask(self, bsn: Bsn, fields: tuple[str, ...]) -> object:
        """Return the answer about one person."""
        # The published file names the character set too.
        told = {"Content-Type": "application/json; charset=utf-8"}
        return self._api.ask("POST", "/personen", question(bsn, fields), headers=told).content
