"""The largest file the standard allows, read in bounded memory; measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from adapters.provider.declarations import write_declaration
from adapters.provider.xml import MESSAGE_BYTES_MAX, emit
from adapters.sdk.bsn import Bsn
from tests.provider.builders import BSN, declaration, performance

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


@pytest.mark.slow
def test_the_largest_file_is_read_and_judged_in_bounded_memory(tmp_path: Path) -> None:
    lines = tuple(performance(reference=f"P-{number}", number=number) for number in range(LINES))
    data = emit(write_declaration(declaration(clients=((Bsn(BSN), lines),))))
    assert MESSAGE_BYTES_MAX * 0.9 < len(data) <= MESSAGE_BYTES_MAX
    file = tmp_path / "large.xml"
    file.write_bytes(data)
    read = subprocess.run(  # noqa: S603 -- our own interpreter and text
        [sys.executable, "-c", READING, str(file)], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(read.stdout) < MEGABYTES_MAX
