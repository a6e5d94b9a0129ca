"""A signal ends the loop behind the pass that is under way, whenever it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.municipal.desk import Surroundings
from adapters.municipal.running import _Loop
from adapters.sdk.following import FollowingThread
from tests.provider.test_two_hands import Late, Waited

if TYPE_CHECKING:
    from tests.municipal.around import Adapter


def test_a_signal_right_behind_the_look_for_one_is_not_slept_through(adapter: Adapter) -> None:
    wake, service = Waited(), adapter.service
    loop = _Loop(adapter.config, service.desk.log, Surroundings(), (Late(wake), wake), lambda: None)
    # Nobody follows: nothing but the signal wakes it.
    loop._passes(service, FollowingThread(service.desk.exchange, service.cursor, wake), None)
    assert wake.over == [True]
