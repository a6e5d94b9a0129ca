"""The command line's exit codes: good, not so, wrong call, not reachable."""

from __future__ import annotations

import sys

import pytest
import typer
from typer.testing import CliRunner

from exchange import errors
from exchange.cli import __main__ as root
from exchange.wiring.remedies import remedy_at_the_keyboard


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingsInvalid("a setting is unknown", setting="colour"), 2),
        (errors.RegisterInvalid("an entry lacks its citation"), 2),
        (errors.RequestInvalid("no purpose"), 2),
        (errors.StoreUnavailable("the store did not answer"), 3),
        (errors.Draining("the service is stopping"), 3),
        (errors.ProofInvalid("the root differs", place="checkpoint"), 1),
        (errors.LedgerDiffers("a leaf is missing", position="4"), 1),
        (errors.ForkRefused("the store was rolled back", signed="9"), 1),
        (errors.KeyUnavailable("there are events but no key database"), 1),
    ],
)
def test_a_named_error_is_a_sentence_its_remedy_and_a_code(
    error: errors.ExchangeError,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing = typer.Typer()

    @failing.command()
    def fail() -> None:
        raise error

    monkeypatch.setattr(root, "app", failing)
    monkeypatch.setattr(sys, "argv", ["exchange"])
    with pytest.raises(SystemExit) as ended:
        root.main()
    assert ended.value.code == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"{error}\n{remedy_at_the_keyboard(error)}\n"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.RequestInvalid("no such leaf"), "run the command again"),
        (errors.StoreUnavailable("the store did not answer"), "--data names the folder"),
        (errors.StoreFull("the disk is full"), "Free space"),
        (errors.KeyDestroyed("erased"), "Nothing can be done"),
        (errors.ExchangeError("a defect"), "with the command that was run"),
    ],
)
def test_a_remedy_at_the_keyboard_speaks_of_no_request(error: errors.ExchangeError, words: str) -> None:
    remedy = remedy_at_the_keyboard(error)
    assert words in remedy
    assert "request id" not in remedy


def test_an_unnamed_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = typer.Typer(pretty_exceptions_enable=False)

    @failing.command()
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(root, "app", failing)
    monkeypatch.setattr(sys, "argv", ["exchange"])
    with pytest.raises(ZeroDivisionError):
        root.main()


@pytest.mark.parametrize("arguments", [["nothing"], ["gate", "nothing"], ["audit", "verify"], ["--unknown"]])
def test_a_wrong_call_is_two(arguments: list[str]) -> None:
    assert CliRunner().invoke(root.app, arguments).exit_code == 2


def test_every_noun_tells_what_it_does() -> None:
    shown = CliRunner().invoke(root.app, ["--help"])
    assert shown.exit_code == 0
    for noun in ("serve", "demo", "gate", "audit", "store", "config", "doctor", "bench"):
        assert noun in shown.output
        assert CliRunner().invoke(root.app, [noun, "--help"]).exit_code == 0


def test_a_request_that_is_wrong_names_its_fields(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = typer.Typer()

    @failing.command()
    def fail() -> None:
        raise errors.RequestInvalid("no such leaf", {"INDEX": "0 to 8"})

    monkeypatch.setattr(root, "app", failing)
    monkeypatch.setattr(sys, "argv", ["exchange"])
    with pytest.raises(SystemExit) as ended:
        root.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == "INDEX: 0 to 8"
