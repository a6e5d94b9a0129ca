"""`exchange export`: what was answered, as a document for people or a file for computers.

Promises: `access`, `disclosures` and `receipts` read one file that was gathered through the gate, and no
store or key; `month` and `register` read the store's files, or an answer of the exchange, and hold no person.
The same content gives the same bytes. Nothing that is there is written over, and what is written is the
writer's own to read.
Source: GDPR 15, 20, 30(1), 39(1)(b); exchange/decisions/0136-documents-of-plain-values.md.
"""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from exchange.cli.new_file import write_new
from exchange.documents.access import access_document
from exchange.documents.activities import read_record, record_csv, record_document
from exchange.documents.disclosures import (
    disclosures_csv,
    disclosures_json,
    disclosures_jsonl,
    receipts_json_ld,
)
from exchange.documents.gathered import GATHERED_BYTES_MAX, Gathered, read_gathered
from exchange.documents.month import month_csv, month_document, read_summary
from exchange.documents.typeset import pdf_of
from exchange.settings import load_settings
from exchange.wiring.exporting import month_summary, processing_record
from exchange.wiring.holding import private_files

app = typer.Typer(no_args_is_help=True, help="Documents and files of what was answered.")
MONTH: Final = re.compile(r"(2[0-9]{3})-(0[1-9]|1[0-2])", re.ASCII)


class Language(StrEnum):
    """In which language people read it."""

    NL = "nl"
    EN = "en"


class Form(StrEnum):
    """As what it is written."""

    PDF = "pdf"
    CSV = "csv"
    JSON = "json"


class Rows(StrEnum):
    """As what a list is written."""

    CSV = "csv"
    JSON = "json"
    JSONL = "jsonl"


def _month(value: str) -> str:
    if value and not MONTH.fullmatch(value):
        raise typer.BadParameter("must be a month such as 2026-10")
    return value


_File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="What was gathered for one.")
]
_Out = Annotated[Path | None, typer.Option(help="File to write, refused where it exists; else printed.")]
_Language = Annotated[Language, typer.Option(help="nl or en; of a PDF.")]
_Form = Annotated[Form, typer.Option(help="pdf, csv or json.")]
_Answer = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, readable=True, help="An answer to read, and no store."),
]
_Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the service.")]


@app.callback()
def export() -> None:
    """Write documents and files of what was answered."""


@app.command()
def access(file: _File, *, language: _Language = Language.NL, out: _Out = None) -> None:
    """Write the answer to an access request (GDPR 15) as tagged PDF/UA."""
    _write(pdf_of(access_document(_gathered(file), language)), out)


@app.command()
def disclosures(
    file: _File,
    *,
    form: Annotated[Rows, typer.Option(help="csv, json or jsonl.")] = Rows.CSV,
    out: _Out = None,
) -> None:
    """Write who looked, one row for each decision."""
    of_form = {Rows.CSV: disclosures_csv, Rows.JSON: disclosures_json, Rows.JSONL: disclosures_jsonl}
    _write(of_form[form](_gathered(file)), out)


@app.command()
def receipts(file: _File, *, out: _Out = None) -> None:
    """Write all receipts of consents as one JSON-LD file (ISO/IEC TS 27560)."""
    _write(receipts_json_ld(_gathered(file)), out)


@app.command()
def month(
    *,
    of: Annotated[str, typer.Option("--month", callback=_month, help="A month such as 2026-10.")] = "",
    answer: _Answer = None,
    form: _Form = Form.PDF,
    language: _Language = Language.NL,
    out: _Out = None,
    config: _Config = None,
    data: _Data = None,
) -> None:
    """Write the officer's report of a month: counts of decisions and duties, and how the ledger stands."""
    if bool(of) is (answer is not None):
        raise typer.BadParameter("name a month or an answer, one of them", param_hint="--month")
    if answer is not None:
        found = read_summary(_bytes(answer))
    else:
        year, _, number = of.partition("-")
        found = month_summary(load_settings(config, data=data), int(year), int(number))
    if form is Form.PDF:
        _write(pdf_of(month_document(found, language)), out)
    else:
        _write(month_csv(found) if form is Form.CSV else _json(found), out)


@app.command()
def register(
    *,
    answer: _Answer = None,
    form: _Form = Form.PDF,
    language: _Language = Language.NL,
    out: _Out = None,
    config: _Config = None,
    data: _Data = None,
) -> None:
    """Write the record of processing activities (GDPR 30(1))."""
    found = (
        processing_record(load_settings(config, data=data)) if answer is None else read_record(_bytes(answer))
    )
    if form is Form.PDF:
        _write(pdf_of(record_document(found, language)), out)
    else:
        _write(record_csv(found) if form is Form.CSV else _json(found), out)


def _gathered(file: Path) -> Gathered:
    return read_gathered(_bytes(file))


def _bytes(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(GATHERED_BYTES_MAX + 1)


def _json(found: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"


def _write(made: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.buffer.write(made)
        return
    # Of a resident it is all there is of him, on a machine where others work too.
    with private_files():
        write_new(out, made)
    typer.echo(f"{out.name}: {len(made)} bytes")
