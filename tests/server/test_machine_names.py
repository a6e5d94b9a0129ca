"""Names for machines are stored in the clear: none may be a BSN; numbers of others may look like one."""

from __future__ import annotations

import pytest

from exchange.errors import RequestInvalid
from exchange.server.contract.formats import BSN_FOUND, FINE, FORMATS
from exchange.server.contract.validation import Validator
from exchange.v1.case_service_pb2 import JoinProfessionalRequest
from exchange.v1.plan_service_pb2 import AssignSupportRequest

LOOKS_LIKE_ONE = "999900006"


@pytest.mark.parametrize(
    "value",
    [
        LOOKS_LIKE_ONE,
        f"wt-{LOOKS_LIKE_ONE}",
        "9999.00.006",
        f"{LOOKS_LIKE_ONE}/x",
        "999_900_006",
        f"0{LOOKS_LIKE_ONE}",
        "999--_900:@/006",
    ],
)
def test_a_machine_name_with_a_bsn_in_it_is_refused(value: str) -> None:
    assert FORMATS["token"](value) == BSN_FOUND


@pytest.mark.parametrize("value", ["wt-014", "999900007", "00000001003214345000/college:WMO", "9999000061"])
def test_other_names_do(value: str) -> None:
    assert FORMATS["token"](value) == FINE


def test_an_assignment_number_may_pass_the_proof_by_chance() -> None:
    assert FORMATS["number"](LOOKS_LIKE_ONE) == FINE
    assert FORMATS["number"]("12a") != FINE
    assert FORMATS["cursor"](f"eyJ{LOOKS_LIKE_ONE}x") == FINE
    assert FORMATS["cursor"]("not a token") != FINE


def faults_of(request: JoinProfessionalRequest | AssignSupportRequest) -> dict[str, str]:
    with pytest.raises(RequestInvalid) as refused:
        Validator().check(request)
    return refused.value.fields


def test_the_contract_says_which_is_which() -> None:
    assert faults_of(JoinProfessionalRequest(professional=LOOKS_LIKE_ONE))["professional"] == BSN_FOUND
    assert "assignment_number" not in faults_of(AssignSupportRequest(assignment_number=LOOKS_LIKE_ONE))


def test_a_proof_of_another_log_is_a_proof_and_no_words() -> None:
    digest = "A" * 43 + "="
    proof = (
        f"c2sp.org/tlog-proof@v1\nindex 3\n{digest}\n\nexchange.example/1\n4\n{digest}\n\n"
        "\N{EM DASH} exchange.example/1 AAAA\n"
    )
    assert FORMATS["proof"](proof) == FINE
    for spoilt in (
        proof + "Bel mij.\n",
        proof.replace("index 3", "index drie"),
        "",
        proof.replace(digest, "", 1),
    ):
        assert FORMATS["proof"](spoilt) != FINE
