"""`python -m adapters.simulators.identity_provider`: the provider until it is interrupted.

Each line on standard input is the BSN of a resident of a story, who can sign in from then on: so they stand
in no command line, which everybody on a machine can read. Its end is the end of the provider.
"""

from __future__ import annotations

import argparse
import signal
import ssl
import sys
import threading
from pathlib import Path

from adapters.simulators.identity_provider.people import PEOPLE, REPRESENTATIVES, resident
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
    secret = told.secret_file.read_text(encoding="utf-8").strip()
    provider = IdentityProvider(
        (*PEOPLE, *REPRESENTATIVES), client_secret=secret, tls=tls, port=told.port
    ).start()
    sys.stdout.write(f"{provider.issuer}\n")
    sys.stdout.flush()
    # Its leash too: whoever started it holds the other end.
    threading.Thread(target=_admit, args=(provider, ended), daemon=True).start()
    ended.wait()
    provider.close()


def _admit(provider: IdentityProvider, ended: threading.Event) -> None:
    for number, line in enumerate(sys.stdin, start=1):
        provider.admit(resident(line.strip(), number))
    ended.set()


if __name__ == "__main__":
    main()
