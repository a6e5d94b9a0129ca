"""One decision whole: who asked what and why, by which rules it was judged, what became of it, and its proof.

Promises: what is not known any more is said to be so, and nothing is guessed; judged again only when asked,
which is recorded; the proof is shown with the leaf itself, so that the reader's own browser checks it.
Source: GDPR 5(2), 38(4), 39(1)(b); c2sp.org/tlog-proof@v1.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.console.decision_rows import AUDIT, purpose_of
from exchange.console.duties import NAMES, ways_of
from exchange.console.language import later
from exchange.console.page import Page
from exchange.console.pages.ledger import log_key_of
from exchange.console.pages.today import duty_row
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import OFFICER
from exchange.documents.words import words_of
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1 import ledger_service_pb2 as ledger

if TYPE_CHECKING:
    from starlette.responses import Response

    from exchange.console.page import Look

PLACE: Final = "/beslissing/{decision_id}"
# Where somebody chose it out of, mostly.
LISTED: Final = "/raadplegingen"
_is_id = re.compile(r"[A-Za-z0-9:._@+-]{1,60}", re.ASCII).fullmatch
_NONE: Final = later("Er is geen beslissing met dit nummer, of zij is niet van uw organisatie.")
_GONE: Final = later("Van deze beslissing is geen plaats bekend: zij kan niet opnieuw worden beoordeeld.")
DISCLOSURE: Final = (
    *(
        "decision_id",
        "decide_time",
        "organisation",
        "task",
        "professional",
        "purpose",
        "legal_basis",
        "action",
    ),
    *("outcome", "rules", "explanation", "leaf_index", "abort_time"),
)
BASIS: Final = (
    *("citation", "title", "consent_id", "consent_version", "facts_position", "policy_hash"),
    *("requester_explanation", "position", "leaf_entry"),
)
DUTY: Final = (
    *("decision_id", "duty", "organisation", "task", "professional", "resident_pseudonym", "decide_time"),
    *("due_time", "execute_time", "outcome", "executed_by"),
)
FIELDS: Final = [
    *(f"decision.disclosure.{name}" for name in DISCLOSURE),
    *("decision.resident_pseudonym", "decision.officer_explanation"),
    *(f"judged_basis.{name}" for name in BASIS),
    *(f"rules.{name}" for name in ("rule", "outcome", "citation", "cause")),
    *(f"judged_fields.{name}" for name in ("name", "category", "released", "rules")),
    *(f"obligations.{name}" for name in DUTY),
]
AGAIN: Final = [
    *(f"counts.{name}" for name in pb.ReplayCounts.DESCRIPTOR.fields_by_name),
    *(f"differences.{name}" for name in ("found", "outcome_then", "outcome_now", "rules_then", "rules_now")),
    *(f"differences.{name}" for name in ("basis_then", "basis_now", "rules_version")),
]
# In this order: the first that counts something says what became of the one decision.
SAYS: Final = {
    "differs": (
        "bad",
        later("Komt anders uit, met dezelfde regels en hetzelfde register. Laat dit uitzoeken."),
    ),
    "command_differs": ("bad", later("De grondslag van deze opdracht hield geen stand.")),
    "other_rules_differ": (
        "warn",
        later("Genomen onder eerdere regels; met de regels van nu komt zij anders uit."),
    ),
    "other_rules": ("good", later("Genomen onder eerdere regels; met de regels van nu komt hetzelfde uit.")),
    "policy_unknown": ("warn", later("Het register waaronder is besloten, is hier nooit vastgelegd.")),
    "words_erased": ("warn", later("De gegevens zijn gewist: er is niets meer om te beoordelen.")),
    "no_register": ("warn", later("Van voor het register werd vastgelegd: niet opnieuw te beoordelen.")),
    "unreadable": ("warn", later("Van een vorm die deze versie niet kent: niet opnieuw te beoordelen.")),
    "command_same": ("good", later("De grondslag van deze opdracht houdt stand.")),
    "same": (
        "good",
        later("Opnieuw beoordeeld met dezelfde feiten en regels: er komt precies hetzelfde uit."),
    ),
}
RULE_WORDS: Final = {
    pb.RULE_OUTCOME_WITHHELD: ("bad", later("hield tegen")),
    pb.RULE_OUTCOME_PASSED: ("good", later("geen bezwaar")),
    pb.RULE_OUTCOME_NOT_ASKED: ("", later("niet aan de orde")),
    pb.RULE_OUTCOME_UNSPECIFIED: ("", later("niet meer bekend")),
}
DUTY_WORDS: Final = {
    pb.DUTY_OUTCOME_EXECUTED: later("gedaan"),
    pb.DUTY_OUTCOME_NOT_NEEDED: later("niet nodig"),
    pb.DUTY_OUTCOME_JUSTIFIED: later("terecht bevonden"),
    pb.DUTY_OUTCOME_NOT_JUSTIFIED: later("niet terecht bevonden"),
    pb.DUTY_OUTCOME_OBJECTION_RECORDED: later("bezwaar vastgelegd"),
    pb.DUTY_OUTCOME_NOT_AN_OBJECTION: later("was geen bezwaar"),
}


class Again(NamedTuple):
    """What came of judging once more; `mark` is how it is shown."""

    mark: str
    says: str
    difference: pb.ReplayDifference | None


class Proven(NamedTuple):
    """The proof of the leaf; `trouble` where none came."""

    text: str = ""
    missing: tuple[str, ...] = ()
    quorum: bool = False
    trouble: str = ""


async def show(look: Look) -> Response:
    """Show a decision."""
    return await _shown(look, await _ask(look), None)


async def judge_again(look: Look) -> Response:
    """Show a decision with what comes of judging it once more."""
    found = await _ask(look)
    position = found.judged_basis.position
    if not position:
        raise Refused("NO_POSITION", _GONE, HTTPStatus.CONFLICT)
    request = pb.ReplayDecisionsRequest(
        claim=AUDIT, fields=AGAIN, from_position=position, to_position=position
    )
    answer = await look.ask(request, pb.ReplayDecisionsResponse)
    name = next((one for one in SAYS if getattr(answer.counts, one)), "unreadable")
    mark, says = SAYS[name]
    return await _shown(look, found, Again(mark, says, next(iter(answer.differences), None)))


async def _ask(look: Look) -> pb.GetDecisionResponse:
    number = look.request.path_params["decision_id"]
    if not _is_id(number):
        raise Refused("NO_DECISION", _NONE, HTTPStatus.NOT_FOUND)
    request = pb.GetDecisionRequest(claim=AUDIT, fields=FIELDS, of_decision_id=number)
    answer = await look.ask(request, pb.GetDecisionResponse)
    if not answer.decision.disclosure.decision_id:
        raise Refused("NO_DECISION", _NONE, HTTPStatus.NOT_FOUND)
    return answer


async def _shown(look: Look, found: pb.GetDecisionResponse, again: Again | None) -> Response:
    told = found.decision.disclosure
    proof = await _proof(look, told.leaf_index)
    spoke = [one for one in found.rules if one.outcome == pb.RULE_OUTCOME_WITHHELD]
    rows = [duty_row(one, look.now) for one in found.obligations]
    return look.page(
        "decision.html",
        found=found,
        told=told,
        purpose=purpose_of(told.purpose),
        spoke=spoke,
        others=[one for one in found.rules if one.outcome != pb.RULE_OUTCOME_WITHHELD],
        rule_words=RULE_WORDS,
        duty_words=DUTY_WORDS,
        names=NAMES,
        rows=rows,
        ways={row.told.duty: ways_of(row.told.duty) for row in rows},
        ids={(row.told.decision_id, row.told.duty): look.fresh_id() for row in rows},
        again=again,
        proven=proof,
        proof=proof.text,
        entry=found.judged_basis.leaf_entry,
        key=log_key_of(proof.text, look.shown.log_keys()),
        words=words_of(look.words.language),
    )


async def _proof(look: Look, leaf: int) -> Proven:
    """Return the proof of a leaf; where none comes, the rest of the page stands."""
    try:
        answer = await look.ask(ledger.GetReceiptRequest(leaf_index=leaf), ledger.GetReceiptResponse)
    except AnswerRefused as refused:
        return Proven(trouble=refused.reason)
    return Proven(answer.tlog_proof, tuple(answer.missing_witnesses), answer.quorum)


ROUTES: Final = (
    Page(PLACE, show, (OFFICER,), behind=LISTED),
    Page(PLACE, judge_again, (OFFICER,), methods=("POST",), behind=LISTED),
)
