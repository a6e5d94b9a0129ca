"""`exchange identity party`: a process of its own, with a key that stays and a caller that is one."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exchange.errors import SecondPartyUnavailable
from exchange.keys import ristretto
from exchange.keys.authority import DevelopmentAuthority
from exchange.server.party.line import PartyLine
from tests.e2e.service import REPOSITORY, environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Shell

GOOD = ristretto.from_uniform(bytes(range(64)))
WAIT_S = 20


def test_its_key_is_made_once_and_a_wrong_caller_is_a_wrong_call(exchange: Shell, tmp_path: Path) -> None:
    first = exchange("identity", "party", "key", "--data", tmp_path / "party")
    assert (first.code, first.err) == (0, "")
    assert re.fullmatch(r"[0-9a-f]{64}\n", first.out)
    assert exchange("identity", "party", "key", "--data", tmp_path / "party") == first
    assert exchange("identity", "party", "key", "--data", tmp_path / "other").out != first.out
    files = ("--certificate", "c", "--key", "k", "--caller-authority", "a")
    wrong = exchange("identity", "party", "serve", "--data", tmp_path / "party", *files, "--caller", "me")
    assert (wrong.code, "64 hexadecimal" in wrong.err) == (2, True)
    unread = exchange("identity", "party", "serve", "--data", tmp_path / "p", *files, "--caller", "ab" * 32)
    assert (unread.code, "cannot be read" in unread.err) == (2, True)


def test_it_runs_answers_and_stops(exchange: Shell, tmp_path: Path) -> None:
    authority = DevelopmentAuthority(tmp_path / "authority")
    door = authority.issue_server(tmp_path / "door")
    mine = authority.issue_organisation("00000001003214345000", "Gemeente", tmp_path / "mine")
    public_key = bytes.fromhex(exchange("identity", "party", "key", "--data", tmp_path / "party").out)
    words = [sys.executable, "-m", "exchange", "identity", "party", "serve", "--data", tmp_path / "party"]
    words += ["--certificate", door.certificate, "--key", door.key, "--caller-authority", door.client_ca]
    words += ["--caller", mine.thumbprint, "--port", "0", "--elements-per-day", "2"]
    with subprocess.Popen(  # noqa: S603 -- our own program
        list(map(str, words)), stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment()
    ) as party:
        assert party.stderr is not None
        said = ""
        while "listens on" not in said:
            said = party.stderr.readline()
            assert said, "the second party ended"
        tls = ssl.create_default_context(cafile=str(door.client_ca))
        tls.load_cert_chain(mine.folder / "client.pem", mine.folder / "client.key")
        line = PartyLine("127.0.0.1", int(said.rpartition(":")[2]), tls, public_key)
        # The line checks the proof against the key that was printed before.
        assert len(line.evaluate((GOOD, GOOD)).elements) == 2
        party.send_signal(signal.SIGTERM)
        assert party.wait(WAIT_S) == 0
    with pytest.raises(SecondPartyUnavailable):
        line.evaluate((GOOD,))
    line.close()
