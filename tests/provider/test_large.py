"""The largest file the standard allows, read in bounded memory; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from adapters.kit.outward import Outward
from adapters.provider.declarations import write_declaration
from adapters.provider.xml import MESSAGE_BYTES_MAX, emit
from adapters.sdk.bsn import Bsn
from tests.provider.around import BAD_BSN
from tests.provider.builders import BSN, MUNICIPALITY, PROVIDER, declaration, performance
from tests.provider.envelopes import envelope

if TYPE_CHECKING:
    from pathlib import Path

LINES = 29_500
MEGABYTES_MAX = 150
READING = """
import re, sys
from datetime import date
from pathlib import Path
from adapters.provider.rules import in_message_findings
from adapters.provider.xml import read
message = read(Path(sys.argv[1]).read_bytes())
assert in_message_findings(message, date(2026, 6, 1)) == ()
# getrusage would count the parent as it was when it forked; this begins anew with each program.
print(int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""

# The municipality's side, whose provider declares: at its door, then in its inbox, then at its judge.
TAKING = """
import re, sys, threading
from pathlib import Path
from adapters.provider.config import Side
from adapters.provider.http_door import Listening
from adapters.provider.transport import Ggk, Http
from adapters.sdk.logs import AdapterLog
from tests.provider.around import Adapter, Clock, config
from tests.provider.world import World
http = Http(port=0)
root, clock = Path(sys.argv[1]), Clock()
adapter = Adapter(root, Side.MUNICIPALITY, World(root / "world"), clock, ggk=Ggk(), http=http)
door = Listening(adapter.config, http, AdapterLog(adapter.out), threading.Event())
door.start()
print(door.url, flush=True)
for passes in range(2):
    # Once the message lies in the inbox as the door left it, once in its envelope as a file.
    assert sys.stdin.readline()
    adapter.service.work()
    highest = int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
    print(highest, len(list(adapter.config.archive.iterdir())), flush=True)
"""


def large() -> bytes:
    lines = tuple(performance(reference=f"P-{number}", number=number) for number in range(LINES))
    data = emit(write_declaration(declaration(clients=((Bsn(BSN), lines),))))
    assert MESSAGE_BYTES_MAX * 0.9 < len(data) <= MESSAGE_BYTES_MAX
    return data


@pytest.mark.slow
def test_the_largest_message_is_taken_over_http_and_by_file_in_bounded_memory(tmp_path: Path) -> None:
    # Judged whole; a BSN that is none makes the answer short.
    data = large().replace(BSN.encode(), BAD_BSN.encode())
    addressed: dict[str, Any] = {"sender": PROVIDER, "receiver": MUNICIPALITY, "function": "WMO323"}
    with subprocess.Popen(  # noqa: S603 -- our own interpreter and text
        [sys.executable, "-c", TAKING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as taking:
        assert taking.stdin is not None
        assert taking.stdout is not None
        url = taking.stdout.readline().strip()
        Outward("door", url, dict).post("", [envelope(data, soap=True, **addressed)], {})
        for number in (1, 2):
            taking.stdin.write("go on\n")
            taking.stdin.flush()
            highest, archived = map(int, taking.stdout.readline().split())
            assert archived == number
            assert highest < MEGABYTES_MAX
            (tmp_path / "m" / "inbox" / "a.xml").write_bytes(envelope(data, **addressed))


@pytest.mark.slow
def test_the_largest_file_is_read_and_judged_in_bounded_memory(tmp_path: Path) -> None:
    data = large()
    file = tmp_path / "large.xml"
    file.write_bytes(data)
    read = subprocess.run(  # noqa: S603 -- our own interpreter and text
        [sys.executable, "-c", READING, str(file)], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(read.stdout) < MEGABYTES_MAX
