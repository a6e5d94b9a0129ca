"""Who of several colleges says something about one of them: that body, the municipality, never a third."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.domain.resident import RESIDENT
from exchange.domain.values import Author
from tests.domain.builders import CONSULENT, MUNICIPALITY, RESIDENT_REGISTERED, given
from tests.domain.test_limits import (
    ANNOUNCE,
    ANNOUNCED,
    CARE,
    LIFT_IT,
    OBJECTED,
    REJECT,
    REJECTED,
    RESTRICTED,
    RESTRICTION_LIFTED,
    UPHELD,
    UPHOLD,
)

BODY = "00000001007777777000"
OF_BODY = f"{BODY}/college:PW"
MANDATED_BODY = Author(BODY, "college:PW", "m-1")
THIRD_BODY = Author("00000001008888888000", "college:PW", "d-1")


@pytest.mark.parametrize(
    ("author", "recipient", "decides"),
    [
        (CONSULENT, OF_BODY, True),
        (MANDATED_BODY, OF_BODY, True),
        (replace(MANDATED_BODY, task="college:WMO"), OF_BODY, True),
        (THIRD_BODY, OF_BODY, False),
        (replace(CONSULENT, operator=False), OF_BODY, False),
        (MANDATED_BODY, f"{MUNICIPALITY}/college:WMO", False),
        (THIRD_BODY, CARE, True),
        (THIRD_BODY, f"{BODY}/college-andere-gemeente:PW", True),
        (THIRD_BODY, "", True),
    ],
)
def test_about_one_body_of_the_college_that_body_decides_or_the_municipality(
    author: Author,
    recipient: str,
    decides: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    objected, restricted = replace(OBJECTED, recipient=recipient), replace(RESTRICTED, recipient=recipient)
    for history, command, event in [
        ((objected,), UPHOLD, UPHELD),
        ((objected,), REJECT, REJECTED),
        ((restricted,), ANNOUNCE, ANNOUNCED),
        ((restricted, ANNOUNCED), LIFT_IT, RESTRICTION_LIFTED),
    ]:
        spoken = given(RESIDENT, RESIDENT_REGISTERED, *history).when(replace(command, author=author))
        if decides:
            spoken.then(event)
        else:
            spoken.refused("NOT_THE_COLLEGE")
