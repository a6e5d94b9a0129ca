"""A deliberately bad adapter: the laid-out one with one thing wrong with it, by name.

`python bad_adapter.py FAULT run --config FILE`, with the folder of the laid-out adapter `notes` on the path.
"""

from __future__ import annotations

import importlib
import sys
import time
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import grpc

from adapters.sdk import patience
from adapters.sdk.calls import PlanCalls, claim
from adapters.sdk.errors import Denied, Unreachable
from adapters.sdk.patience import Patience
from exchange.v1.common_pb2 import Purpose
from exchange.v1.plan_service_pb2 import RecordConversationRequest

if TYPE_CHECKING:
    from collections.abc import Callable


def _room(name: str) -> Any:  # noqa: ANN401 -- laid out by the test: no module of this repository
    return importlib.import_module(f"notes.{name}")


folders, journal, limits, link, mapping, service = map(
    _room, ("folders", "journal", "limits", "link", "mapping", "service")
)
SLOW_S = 2.0


def does_nothing() -> None:
    service.Service._note = lambda _self, _name: None


def claims_another_ground() -> None:
    # A basis of disclosure, on which nobody looks up whose resident somebody is.
    link.OWN = claim(Purpose.PURPOSE_WMO_LEVERING, "WMO-5.2.1-2a", "Nodig om de hulp te geven")


def forgets_inputs() -> None:
    def receive(_self: Any, note_id: str, _content: bytes) -> Any:  # noqa: ANN401 -- of the laid-out adapter
        return journal.Kept(note_id, str(uuid4()), None, None, "open", same=True)

    journal.Journal.receive = receive


def forgets_events() -> None:
    def tell(self: Any, position: int, *told: Any) -> None:  # noqa: ANN401 -- of the laid-out adapter
        self._database.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", (position, *told))

    journal.Journal.tell = tell
    journal.Journal.cursor = property(lambda _self: 0)


def another_id() -> None:
    _around_record(lambda order: _changed(order, request_id=str(uuid4())))
    link.ExchangeClient.__init__.__kwdefaults__["patience"] = Patience(attempts_max=1)


def asks_on() -> None:
    record = link.SdkLink.record

    def recording(self: Any, order: Any) -> None:  # noqa: ANN401 -- of the laid-out adapter
        try:
            record(self, order)
        except Denied as denied:
            raise Unreachable(denied.refusal) from denied

    find = link.SdkLink.find

    def finding(self: Any, bsn: Any) -> Any:  # noqa: ANN401 -- of the laid-out adapter
        try:
            return find(self, bsn)
        except Denied as denied:
            raise Unreachable(denied.refusal) from denied

    link.SdkLink.record, link.SdkLink.find = recording, finding
    service.WAIT_MOST_S = 1.0


def drops_bad_ones() -> None:
    def reject(self: Any, name: str, _reason: str) -> str:  # noqa: ANN401 -- of the laid-out adapter
        (self._inbox / name).unlink()
        return name

    folders.Folders.reject = reject


def gives_up() -> None:
    def pause(_self: Any, _error: Any) -> None:  # noqa: ANN401 -- of the laid-out adapter
        sys.exit(1)

    service.Service._pause = pause


def writes_too_late() -> None:
    another_id()
    record = link.SdkLink.record

    def slowly(self: Any, order: Any) -> None:  # noqa: ANN401 -- of the laid-out adapter
        record(self, order)
        # The moment between the effect and the journal, made long enough to be hit.
        time.sleep(SLOW_S)

    link.SdkLink.record = slowly


def goes_on_restricted() -> None:
    limits.Limits._restrict = lambda _self: None


def keeps_it_in_reach() -> None:
    folders.Folders.set_aside = lambda _self, _names: None


def leaves_it_wrong() -> None:
    limits.Limits._rectify = lambda _self: None


def never_purges() -> None:
    service.Service._purge = lambda _self: None


def confirms_only() -> None:
    service.Service._forget = lambda _self, _asked: True


def lets_it_out() -> None:
    find = link.SdkLink.find

    def telling(self: Any, bsn: Any) -> Any:  # noqa: ANN401 -- of the laid-out adapter
        hidden = b64encode(bsn.reveal().encode()).decode()
        why = claim(Purpose.PURPOSE_WMO_ONDERZOEK, "WMO-2.3.2", f"Nodig voor {hidden}")
        plan_id, version = find(self, bsn)
        self._client.plan.get_plan(claim=why, plan_id=plan_id, fields=["version"])
        return plan_id, version

    link.SdkLink.find = telling


def prints_it() -> None:
    _around_reading(
        lambda note: sys.stderr.write(f"taken: {note.bsn.reveal()[:3]}.{note.bsn.reveal()[3:]}\n")
    )


def keeps_it_aside() -> None:
    _around_reading(lambda note: Path("seen").write_bytes(note.bsn.reveal().encode()))


def names_a_file_by_it() -> None:
    _around_reading(lambda note: Path(f"seen-{note.bsn.reveal()}").touch())


def signs_not_all() -> None:
    record = link.SdkLink.record

    def unsigned_too(self: Any, order: Any) -> None:  # noqa: ANN401 -- of the laid-out adapter
        # First, so that it was sent when the effect of the other is seen.
        line, channel = self._client._connection.current
        rpc = vars(PlanCalls)["record_conversation"]
        request = RecordConversationRequest(request_id=order.request_id).SerializeToString()
        metadata = line.metadata(rpc, self._client._person)
        # Refused, as it should be.
        with suppress(grpc.RpcError):
            channel.unary_unary(rpc.path)(request, timeout=5, metadata=metadata)
        record(self, order)

    link.SdkLink.record = unsigned_too


def waits_for_ever() -> None:
    patience.Attempts.left_s = lambda _self: None  # type: ignore[method-assign, assignment, return-value] # that is what is wrong with it


FAULTS: dict[str, Callable[[], None]] = {
    name.replace("_", "-"): fault
    for name, fault in list(globals().items())
    if callable(fault) and getattr(fault, "__module__", "") == __name__ and not name.startswith("_")
}


def _around_record(change: Callable[[Any], Any]) -> None:
    record = link.SdkLink.record
    link.SdkLink.record = lambda self, order: record(self, change(order))


def _changed(order: Any, **changes: str) -> Any:  # noqa: ANN401 -- of the laid-out adapter
    return link.Order(**({name: getattr(order, name) for name in order.__slots__} | changes))


def _around_reading(more: Callable[[Any], object]) -> None:
    read = mapping.read_note

    def reading(data: bytes) -> Any:  # noqa: ANN401 -- of the laid-out adapter
        note = read(data)
        more(note)
        return note

    service.read_note = reading


if __name__ == "__main__":
    FAULTS[sys.argv.pop(1)]()
    importlib.import_module("notes.__main__").main()
