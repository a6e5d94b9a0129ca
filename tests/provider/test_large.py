"""The largest file the standard allows, read in bounded memory; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from adapters.kit.outward import Outward
from adapters.provider.declarations import write_declaration
from adapters.provider.parsing import MESSAGE_BYTES_MAX
from adapters.provider.xml import emit
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

# The municipality's side, whose provider declares: at its door, or as a file in its inbox.
TAKING = """
import re, sys, threading
from pathlib import Path
from adapters.provider.config import Side
from adapters.provider.http_door import Listening
from adapters.provider.transport import Ggk, Http
from adapters.sdk.logs import AdapterLog
from tests.provider.around import Adapter, Clock
from tests.provider.world import World
http = Http(port=0)
root, clock = Path(sys.argv[1]), Clock()
adapter = Adapter(root, Side.MUNICIPALITY, World(root / "world"), clock, ggk=Ggk(), http=http)
door = Listening(adapter.config, http, AdapterLog(adapter.out), threading.Event())
door.start()
print(door.url, flush=True)
assert sys.stdin.readline()
adapter.service.work()
print(int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
print(len(list(adapter.config.archive.iterdir())))
"""


@pytest.fixture(scope="module")
def large() -> bytes:
    lines = tuple(performance(reference=f"P-{number}", number=number) for number in range(LINES))
    data = emit(write_declaration(declaration(clients=((Bsn(BSN), lines),))))
    assert MESSAGE_BYTES_MAX * 0.9 < len(data) <= MESSAGE_BYTES_MAX
    return data


@pytest.mark.slow
@pytest.mark.parametrize("by", ["http", "file"])
def test_the_largest_message_is_taken_over_http_and_by_file_in_bounded_memory(
    tmp_path: Path, large: bytes, by: str
) -> None:
    # Judged whole; a BSN that is none makes the answer short.
    data = large.replace(BSN.encode(), BAD_BSN.encode())
    addressed: dict[str, Any] = {"sender": PROVIDER, "receiver": MUNICIPALITY, "function": "WMO323"}
    whole = envelope(data, soap=True, **addressed)
    words = [sys.executable, "-c", TAKING, str(tmp_path)]
    with subprocess.Popen(  # noqa: S603 -- our own interpreter and text
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as taking:
        assert taking.stdout is not None
        url = taking.stdout.readline().strip()
        if by == "http":
            Outward("door", url, dict, timeout_s=60.0).post("", [whole], {})
        else:
            (tmp_path / "m" / "inbox" / "a.xml").write_bytes(whole)
        said, _ = taking.communicate("go on\n")
    highest, archived = map(int, said.split())
    assert archived == 1
    assert highest < MEGABYTES_MAX


@pytest.mark.slow
def test_the_largest_file_is_read_and_judged_in_bounded_memory(tmp_path: Path, large: bytes) -> None:
    file = tmp_path / "large.xml"
    file.write_bytes(large)
    read = subprocess.run(  # noqa: S603 -- our own interpreter and text
        [sys.executable, "-c", READING, str(file)], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(read.stdout) < MEGABYTES_MAX
