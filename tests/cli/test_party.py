"""`exchange identity party`: a process of its own, with a key that stays and a caller that is one."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess
import sys
import urllib.request
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from deploy.local.processes import free_ports
from exchange.errors import QuotaExceeded, SecondPartyUnavailable
from exchange.keys import ristretto
from exchange.keys.authority import DevelopmentAuthority
from exchange.keys.identity import IdentityKeys
from exchange.keys.keystore import KeyStore
from exchange.keys.links import LinkStore
from exchange.server.party.line import PartyLine
from exchange.wiring.core import key_file
from exchange.wiring.holding import held
from exchange.wiring.kek import open_kek
from tests.e2e.service import REPOSITORY, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.settings import Settings
    from tests.cli.conftest import Shell

GOOD = ristretto.from_uniform(bytes(range(64)))
OIN = "00000003271543200000"
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


def words_of(authority: DevelopmentAuthority, folder: Path, *more: object) -> list[str]:
    """What runs the second party, in folders made once."""
    door = authority.issue_server(folder / "door")
    mine = authority.issue_organisation("00000001003214345000", "Gemeente", folder / "mine")
    words = [sys.executable, "-m", "exchange", "identity", "party", "serve", "--data", folder / "party"]
    words += ["--certificate", door.certificate, "--key", door.key, "--caller-authority", door.client_ca]
    return [str(word) for word in (*words, "--caller", mine.thumbprint, "--port", "0", *more)]


@contextmanager
def running(words: list[str]) -> Iterator[int]:
    """The second party as a process; yields its port."""
    with subprocess.Popen(  # noqa: S603 -- our own program
        words, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment()
    ) as party:
        assert party.stderr is not None
        said = ""
        while "listens on" not in said:
            said = party.stderr.readline()
            assert said, "the second party ended"
        yield int(said.rpartition(":")[2])
        party.send_signal(signal.SIGTERM)
        assert party.wait(WAIT_S) == 0


def test_it_runs_answers_and_stops(exchange: Shell, tmp_path: Path) -> None:
    (told,) = free_ports(1)
    words = words_of(DevelopmentAuthority(tmp_path / "authority"), tmp_path, "--elements-per-day", "2")
    words += ["--metrics-port", str(told)]
    public_key = bytes.fromhex(exchange("identity", "party", "key", "--data", tmp_path / "party").out)
    tls = ssl.create_default_context(cafile=str(tmp_path / "door" / "ca.pem"))
    tls.load_cert_chain(tmp_path / "mine" / "client.pem", tmp_path / "mine" / "client.key")
    with running(words) as port:
        line = PartyLine("127.0.0.1", port, tls, public_key)
        # The line checks the proof against the key that was printed before.
        assert len(line.evaluate((GOOD, GOOD)).elements) == 2
        with pytest.raises(QuotaExceeded):
            line.evaluate((GOOD,))
        with urllib.request.urlopen(f"http://127.0.0.1:{told}/metrics", timeout=WAIT_S) as answer:
            numbers = answer.read().decode()
        for outcome, count in (("EVALUATED", 1), ("OVER_QUOTA", 1), ("FAILED", 0), ("REFUSED", 0)):
            assert (
                f'exchange_answers_total{{outcome="{outcome}",process="second_party"}} {count}.0' in numbers
            )
        assert re.search(r"^exchange_certificate_end_seconds [1-9]", numbers, re.MULTILINE)
    with pytest.raises(SecondPartyUnavailable):
        line.evaluate((GOOD,))
    line.close()


def test_both_halves_are_renewed_by_command(exchange: Shell, shard: Settings, tmp_path: Path) -> None:
    words = words_of(DevelopmentAuthority(tmp_path / "authority"), tmp_path)
    party = ("--data", tmp_path / "party")
    former = exchange("identity", "party", "key", *party).out.strip()
    unbegun = exchange("identity", "party", "finish", *party, "--links", "0")
    assert (unbegun.code != 0, "no renewal of this half" in unbegun.err) == (True, True)
    nowhere = exchange("identity", "party", "renew", "--data", tmp_path / "none", "--links", "3")
    assert (nowhere.code, "no second party has a key" in nowhere.err) == (2, True)
    begun = exchange("identity", "party", "renew", *party, "--links", "3")
    following = begun.out.strip()
    assert (begun.code, "Serve again" in begun.err, following != former) == (0, True, True)
    with held(tmp_path / "party"):
        busy = exchange("identity", "party", "renew", *party, "--links", "3")
    assert (busy.code, busy.out) == (2, "")
    config = tmp_path / "shard.toml"
    with running(words) as port:
        config.write_text(
            f'data = "{shard.data}"\nidentity_second_party = "127.0.0.1:{port}"\n'
            f'identity_second_party_key = "{former}"\n'
            f'identity_second_party_authority = "{tmp_path}/door/ca.pem"\n'
            f'identity_line_certificate = "{tmp_path}/mine/client.pem"\n'
            f'identity_line_key = "{tmp_path}/mine/client.key"\n'
        )
        with closing(KeyStore(key_file(shard), open_kek(shard))) as keys:
            links = LinkStore(key_file(shard), open_kek(shard))
            own = IdentityKeys(keys.service_secret("identity"))
        links.bind_second_party(bytes.fromhex(former))
        links.link(own.root(OIN, own.evaluate(OIN, GOOD).element), "r-1")
        links.close()
        rotate = ("identity", "rotate", "--config", config, "--yes", "--second-party-key")
        wrong = exchange(*rotate, "ab")
        assert (wrong.code, "64 hexadecimal" in wrong.err) == (2, True)
        done = exchange(*rotate, following)
    assert (done.code, done.err) == (0, "")
    assert "finish --links 1" in done.out
    assert "generation 2; 1 links" in done.out
    short = exchange("identity", "party", "finish", *party, "--links", "2")
    assert (short.code != 0, "fewer links" in short.err) == (True, True)
    assert exchange("identity", "party", "finish", *party, "--links", "1").out.strip() == following
    assert exchange("identity", "party", "key", *party).out.strip() == following
