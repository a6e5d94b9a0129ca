"""After an erasure: who has the store, the leaves, the log and even the identity key finds nobody again.

What he tries is the command that says least, a registration: all of it but the BSN and its request id is
known to him. The search over BSNs is a sample of the 90.9 million that are valid.
Source: GDPR 17, recital 26; UAVG 46.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import adapters.sdk.logs
from adapters.sdk.blinding import blind_with
from exchange.ledger.signers import request_hash
from exchange.logs import name_of_request
from exchange.pipeline.walk import Caller
from exchange.server.walks import content_of, unsalted_content_of
from exchange.v1 import identity_service_pb2 as identity_pb
from tests.server.story import Story
from tests.server.test_erasure import Erasure
from tests.server.town import CITY, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.server.town import Town

SAMPLE: Final = 200
ONE: Final = (1).to_bytes(32, "little")  # blinds nothing
RPC: Final = "RegisterResident"
PATH: Final = f"/exchange.v1.IdentityService/{RPC}"
UUID: Final = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Left:
    """What stays: hashes of commands by where they stand, and every id that stands anywhere in clear."""

    contents: set[bytes]
    requests: set[bytes]
    ids: set[str]
    log: str


def left_of(town: Town) -> Left:
    with sqlite3.connect(f"file:{town.settings.data / 'events.db'}?mode=ro", uri=True) as store:
        contents = {row[0] for row in store.execute("SELECT content FROM requests")}
    store.close()
    entries = town.core.reader.leaf_entries(0, town.core.reader.head()[0])
    leaves = [json.loads(entry) for entry in entries]  # as they stand in a pack
    written = [file.read_bytes() for file in town.settings.data.rglob("*") if file.is_file()]
    ids = {found.decode() for raw in written for found in UUID.findall(raw)}
    town.run(lambda: asyncio.sleep(0))  # a line is written behind its answer
    log = (town.settings.data / "exchange.log").read_text(encoding="utf-8")
    return Left(contents, {bytes.fromhex(leaf["rq"]) for leaf in leaves if "rq" in leaf}, ids, log)


def found(town: Town, left: Left, professional: str, bsns: Iterable[str], ids: Iterable[str]) -> set[str]:
    """Return which of these BSNs shows, and where: `content BSN` or `rq BSN`."""
    caller = Caller(CITY, "college:WMO", professional, "", "", two_factor=True, mutual_tls=True)
    shown, names = set(), list(ids)
    for bsn in bsns:
        pseudonym = town.core.identity.evaluate(CITY, blind_with(bsn.encode(), ONE)[0]).element
        said = identity_pb.RegisterResidentRequest(
            claim=INVESTIGATE, resident=pseudonym, birth_date="1980-02-29", capable=True
        )
        for name in names:
            said.request_id = name
            guesses = {form(RPC, caller, said) for form in (content_of, unsalted_content_of)}
            if guesses & left.contents:
                shown.add(f"content {bsn}")
            if request_hash(PATH, professional, said.SerializeToString()) in left.requests:
                shown.add(f"rq {bsn}")
    return shown


def test_after_an_erasure_no_bsn_is_found_from_what_stays(town: Town) -> None:
    bsn, request_id = next(town.bsns), str(uuid4())
    story = Story(town, bsn, request_id)
    ref = town.resident_of(story.pseudonym)
    Erasure(town, story).executed()
    assert town.core.keys.is_destroyed(ref)
    professional = f"w-{bsn[-5:]}"
    tried = [bsn, *islice(town.bsns, SAMPLE)]
    left = left_of(town)
    assert left.contents
    assert left.requests
    # The log has a name of the call that both sides can make; the id itself is nowhere.
    name = name_of_request(CITY, request_id)
    assert name == adapters.sdk.logs.name_of_request(CITY, request_id)
    assert f'"request":"{name}"' in left.log
    assert request_id not in left.ids
    in_log = {line["request"] for line in map(json.loads, left.log.splitlines()) if "request" in line}
    assert found(town, left, professional, tried, {"", *left.ids, *in_log}) == set()
    # And it would be found, and he alone: by who knows the id.
    assert found(town, left, professional, tried, [request_id]) == {f"content {bsn}", f"rq {bsn}"}
