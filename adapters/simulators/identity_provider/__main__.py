"""`python -m adapters.simulators.identity_provider`: the provider until it is interrupted.

A line with BSNs, separated by spaces, comes on standard input: the residents of a story. So they stand in
no command line, which everybody on a machine can read.
"""

from __future__ import annotations

import argparse
import signal
import ssl
import sys
import threading
from pathlib import Path

from adapters.simulators.identity_provider.people import PEOPLE, resident
from adapters.simulators.identity_provider.whole import IdentityProvider


def main() -> None:
    """Say the issuer, and answer until SIGTERM, SIGINT or the end of standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--certificate", type=Path, help="PEM, with --key: then it speaks https.")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--secret-file", type=Path, required=True, help="Of the console, its one client.")
    told = parser.parse_args()
    tls = None
    if told.certificate is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(told.certificate, told.key)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    bsns = sys.stdin.readline().split()
    people = (*PEOPLE, *(resident(bsn, number) for number, bsn in enumerate(bsns, start=1)))
    secret = told.secret_file.read_text(encoding="utf-8").strip()
    provider = IdentityProvider(people, client_secret=secret, tls=tls, port=told.port).start()
    sys.stdout.write(f"{provider.issuer}\n")
    sys.stdout.flush()
    # Its leash: whoever started it holds the other end.
    threading.Thread(target=_hold, args=(ended,), daemon=True).start()
    ended.wait()
    provider.close()


def _hold(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
