"""What executes a request: an answer the log holds, a copy by its hash, an erasure that was carried out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from exchange.domain.resident import ResidentState
from exchange.domain.rights.answering import execute_request
from exchange.domain.rights.portability import NotPortable, why_not
from exchange.domain.rights.request import (
    RIGHTS_REQUEST,
)
from exchange.domain.rights.words import Right
from exchange.errors import RuleBroken
from tests.domain.test_rights import EXECUTE, GRANT, after, faults


@pytest.mark.parametrize("right", [Right.ACCESS, Right.PORTABILITY])
def test_an_answer_given_here_is_one_the_log_holds(right: Right) -> None:
    asked = after(GRANT, right=right)
    # A copy that was taken along is known by its hash.
    done = replace(EXECUTE, sha256="ab" * 32 if right == Right.PORTABILITY else "")
    assert execute_request(done, asked, None, answered=True)
    with pytest.raises(RuleBroken) as refused:
        execute_request(done, asked, None, answered=False)
    assert refused.value.metadata["rule"] == "NOT_DONE"
    # A letter is in no log, and has no hash.
    assert execute_request(replace(EXECUTE, how="letter"), asked, None, answered=False)


@pytest.mark.parametrize(
    ("right", "how", "sha256", "fine"),
    [
        (Right.PORTABILITY, "portal", "ab" * 32, True),
        (Right.PORTABILITY, "portal", "", False),
        (Right.PORTABILITY, "portal", "ab" * 31, False),
        (Right.PORTABILITY, "portal", "AB" * 32, False),
        (Right.PORTABILITY, "letter", "", True),
        (Right.PORTABILITY, "letter", "ab" * 32, False),
        (Right.ACCESS, "portal", "ab" * 32, False),
        (Right.ACCESS, "portal", "", True),
    ],
)
def test_a_copy_is_known_by_its_hash_and_nothing_else_is(
    right: Right, how: str, sha256: str, *, fine: bool
) -> None:
    done = replace(EXECUTE, how=how, sha256=sha256)
    if fine:
        assert RIGHTS_REQUEST.decide(done, after(GRANT, right=right))
    else:
        assert faults(done, after(GRANT, right=right)) == {"sha256"}


@pytest.mark.parametrize(
    ("task", "gdpr6", "gdpr9", "why"),
    [
        ("betrokkene", "6(1)(a)", (), None),
        ("betrokkene", "6(1)(b)", (), None),
        ("wettelijk-vertegenwoordiger", "6(1)(a)", (), None),
        ("betrokkene", "6(1)(c)", ("9(2)(a)",), None),
        ("betrokkene", "6(1)(c)", ("9(2)(h)",), NotPortable.PUBLIC_TASK),
        ("betrokkene", "6(1)(e)", (), NotPortable.PUBLIC_TASK),
        ("betrokkene", "", (), NotPortable.PUBLIC_TASK),
        ("college:WMO", "6(1)(a)", (), NotPortable.RECORDED_BY_OTHERS),
        ("mantelzorger", "6(1)(b)", (), NotPortable.RECORDED_BY_OTHERS),
    ],
)
def test_what_is_portable_and_why_the_rest_is_not(
    task: str, gdpr6: str, gdpr9: tuple[str, ...], why: NotPortable | None
) -> None:
    assert why_not(task, gdpr6, gdpr9) == why


@pytest.mark.parametrize("right", [Right.ERASURE, Right.DESTRUCTION_WMO, Right.DESTRUCTION_JEUGDWET])
def test_a_request_to_erase_is_executed_by_an_erasure_that_was_carried_out(right: Right) -> None:
    asked = after(GRANT, right=right)
    known = ResidentState("r-1", date(1980, 1, 1), capable=True)
    with pytest.raises(RuleBroken) as refused:
        execute_request(EXECUTE, asked, known, answered=False)
    assert refused.value.metadata["rule"] == "NOT_DONE"
    done = replace(known, erased=("other", EXECUTE.reference))
    assert execute_request(EXECUTE, asked, done, answered=False)
