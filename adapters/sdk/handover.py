"""Takes a plan over from another municipality's exchange into one's own, part by part, from any point on.

Promises: holds nothing between two steps: who starts anew after a crash of either side, or of his own, goes
on where it stopped, and nothing is there twice. Ids of requests are drawn from the organisation's own signing
key, so that a repeated step is the same request and gets the first answer. The identity is checked on the
giving side before anything is asked; each side's receipt is verified under its policy before the other
side is given it. What a resident took back or what is kept does not go along, and is named.
Source: protos/exchange/v1/handover_service.proto; RFC 8032 (the same message, the same signature).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from adapters.sdk.envelopes import Binding, Fault, open_bsn
from adapters.sdk.errors import Conflict, EnvelopeRefused, LedgerRefused, Refusal, RuleBroken
from adapters.sdk.openings import proven_first
from adapters.sdk.proofs import ProofRefused
from exchange.v1.identity_service_pb2 import NO_CASE_REASON_FIND_CASE
from exchange.v1.plan_pb2 import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from adapters.sdk.bsn import Bsn
    from adapters.sdk.client import ExchangeClient
    from adapters.sdk.credentials import Credentials
    from adapters.sdk.envelope_keys import EnvelopeKeys
    from adapters.sdk.residents import Pseudonyms
    from adapters.sdk.trust import Trust
    from exchange.v1.common_pb2 import Claim, LifeDomain, Receipt

BEGIN_AGAIN_MAX: Final = 5
CHANGED: Final = "PLAN_CHANGED"
_TAG: Final = b"exchange-handover-request-v1\x00"
_ASKED: Final = (
    *("state", "other_oin", "sender_oin", "case_id", "plan_id", "plan_version", "collections"),
    *("received_parts", "digest", "withheld_fields", "other_entry", "other_proof"),
)
_WHOM: Final = ("resident", "envelope")


def leaves_of(collection: str) -> tuple[str, ...]:
    """Return the plan's own id and all leaf paths of one collection, to ask a part with."""
    inside = Plan.DESCRIPTOR.fields_by_name[collection].message_type
    assert inside is not None, "a collection is a list of elements"
    return ("plan_id", *(f"{collection}.{field.name}" for field in inside.fields))


@dataclass(frozen=True, slots=True)
class Claims:
    """On what ground each kind of step is asked."""

    leaves: Claim  # giving side: what leaves, on the resident's consent
    records: Claim  # giving side: that it arrived, on the same consent
    checks: Claim  # giving side: whether the BSN is of this resident
    own: Claim  # receiving side: what the new college records


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What the new municipality knows of whom it takes over, from its own sources."""

    birth_date: str
    capable: bool
    life_domains: Sequence[LifeDomain.ValueType]
    own_words: str
    desk: str


@dataclass(frozen=True, slots=True)
class Shard:
    """One of the two exchanges: a client of it, the pseudonyms there, and whom to trust about its log."""

    client: ExchangeClient
    pseudonyms: Pseudonyms
    trust: Trust


class TakenOver(NamedTuple):
    """A plan that came along: where it is now, the digest both sides recorded, what was left behind."""

    case_id: str
    plan_id: str
    digest: str
    withheld: tuple[str, ...]


class Handover:
    """Takes one handover over. `attempt` is raised by a person after a refusal was taken away."""

    def __init__(
        self,
        giving: Shard,
        receiving: Shard,
        credentials: Credentials,
        claims: Claims,
        keys: EnvelopeKeys,
        *,
        task: str,
        attempt: int = 0,
        step: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._giving: Final = giving
        self._receiving: Final = receiving
        self._credentials: Final = credentials
        self._claims: Final = claims
        self._keys: Final = keys
        self._task: Final = task
        self._attempt: Final = attempt
        self._step: Final = step

    def take_over(self, handover_id: str, newcomer: Newcomer) -> TakenOver:
        """Do what is left to do; raises the SDK's errors, after which the same call goes on.

        Conflict where the giver's plan never held still.
        """
        bsn, sender = self._whom(handover_id)
        case_id, plan_id = self._place(handover_id, bsn, newcomer)
        for _again in range(BEGIN_AGAIN_MAX):
            try:
                self._give(handover_id, sender, plan_id)
                completed = self._complete(handover_id)
            except RuleBroken as refused:
                if refused.refusal.rule != CHANGED:
                    raise
                continue
            return self._close(handover_id, case_id, plan_id, completed)
        raise Conflict(Refusal("", "the plan changed each time while it was handed over"))

    def _id(self, handover_id: str, *step: object) -> str:
        """Return the id of a step's request: the same each time, and chance to whoever has not the key."""
        said = "\n".join(map(str, (handover_id, self._attempt, *step))).encode()
        drawn = sha256(self._credentials.signing_key.sign(_TAG + said)).digest()[:16]
        return str(UUID(bytes=drawn, version=4))

    def _whom(self, handover_id: str) -> tuple[Bsn, str]:
        """Open the envelope, and check on the giving side whose BSN is in it."""
        side = self._giving.client
        self._step("get")
        told = side.handover.get_handover(
            claim=self._claims.leaves,
            handover_id=handover_id,
            fields=("state", "sender_oin", "case_id", *_WHOM),
        )
        if told.state == "cancelled":
            raise RuleBroken(Refusal("RULE_BROKEN", "this handover was cancelled", rule="HANDOVER_CANCELLED"))
        purpose = self._claims.leaves.purpose
        binding = Binding(told.sender_oin, self._credentials.oin, self._task, told.case_id, purpose)
        bsn = open_bsn(told.envelope, self._keys, binding)
        self._step("check")
        (mine,) = self._giving.pseudonyms.of(
            side.identity, self._claims.checks, [bsn], reason=NO_CASE_REASON_FIND_CASE
        )
        if mine != told.resident:
            raise EnvelopeRefused(
                "the BSN in this envelope is of somebody else than the handover is about",
                Fault.OTHER_RESIDENT,
            )
        return bsn, told.sender_oin

    def _place(self, handover_id: str, bsn: Bsn, newcomer: Newcomer) -> tuple[str, str]:
        """Register the resident here, under this side's own pseudonym, with a case and a plan."""
        side, claim = self._receiving.client, self._claims.own
        self._step("blind")
        (resident,) = self._receiving.pseudonyms.of(side.identity, claim, [bsn])
        self._step("register")
        side.identity.register_resident(
            request_id=self._id(handover_id, "register"),
            claim=claim,
            resident=resident,
            birth_date=newcomer.birth_date,
            capable=newcomer.capable,
        )
        self._step("report")
        opened = side.case.receive_report(
            request_id=self._id(handover_id, "report"),
            claim=claim,
            resident=resident,
            life_domains=newcomer.life_domains,
            own_words=newcomer.own_words,
            desk=newcomer.desk,
        )
        return opened.case_id, opened.plan_id

    def _give(self, handover_id: str, sender: str, plan_id: str) -> None:
        """Accept, and pull every part that the giving side does not know to be here."""
        side = self._giving.client.handover
        told = side.get_handover(claim=self._claims.leaves, handover_id=handover_id, fields=_ASKED)
        if told.state == "completed":
            return
        self._step("accept")
        plan = side.accept_handover(claim=self._claims.records, handover_id=handover_id, plan_id=told.plan_id)
        self._step("take up")
        self._receiving.client.handover.take_up_handover(
            request_id=self._id(handover_id, "take up", plan.plan_version),
            claim=self._claims.own,
            handover_id=handover_id,
            plan_id=plan_id,
            giver_oin=sender,
            plan_version=plan.plan_version,
            collections=plan.collections,
        )
        confirmed: set[int] = set()
        if told.plan_version == plan.plan_version:
            confirmed = {int(one.partition(" ")[0]) for one in told.received_parts}
        for number, collection in enumerate(plan.collections, 1):
            if number not in confirmed:
                self._part(handover_id, told.plan_id, number, collection)

    def _part(self, handover_id: str, plan_id: str, number: int, collection: str) -> None:
        side = self._giving.client.handover
        self._step(f"part {number}")
        part = side.get_handover_part(
            claim=self._claims.leaves,
            handover_id=handover_id,
            plan_id=plan_id,
            number=number,
            fields=leaves_of(collection),
            allow_partial=True,
        )
        self._step(f"receive {number}")
        self._receiving.client.handover.receive_part(
            claim=self._claims.own,
            handover_id=handover_id,
            number=number,
            sha256=part.sha256,
            part=part.part,
            withheld_fields=part.withheld_fields,
        )
        self._step(f"confirm {number}")
        side.confirm_part(
            claim=self._claims.records,
            handover_id=handover_id,
            number=number,
            sha256=part.sha256,
            part_token=part.part_token,
            withheld_fields=part.withheld_fields,
        )

    def _complete(self, handover_id: str) -> Receipt:
        """Complete the giving side; the same request each time, so that its receipt can be had again."""
        self._step("complete")
        answer = self._giving.client.handover.complete_handover(
            request_id=self._id(handover_id, "complete"), claim=self._claims.records, handover_id=handover_id
        )
        return answer.receipt

    def _close(self, handover_id: str, case_id: str, plan_id: str, completed: Receipt) -> TakenOver:
        """Finish the receiving side beside the giver's receipt, and give the giver ours."""
        side = self._receiving.client.handover
        told = side.get_handover(claim=self._claims.own, handover_id=handover_id, fields=_ASKED)
        entry, proof = told.other_entry, told.other_proof
        if told.state != "completed":
            self._step("prove")
            entry, proof = completed.leaf_entry, _proven(self._giving, completed)
        self._step("finish")
        if told.state != "completed":
            # The giver has closed, and the resident may have taken his consent back since: asked last of all.
            self._giving.client.handover.get_handover(
                claim=self._claims.leaves, handover_id=handover_id, fields=("state",)
            )
        # With the proof it was finished with, if it was: then it is the same request, with the same answer.
        finished = side.finish_handover(
            request_id=self._id(handover_id, "finish", sha256(proof.encode()).hexdigest()),
            claim=self._claims.own,
            handover_id=handover_id,
            giver_entry=entry,
            giver_proof=proof,
        )
        self._step("prove ours")
        ours = _proven(self._receiving, finished.receipt)
        self._step("keep")
        self._giving.client.handover.keep_receipt(
            claim=self._claims.records,
            handover_id=handover_id,
            receiver_entry=finished.receipt.leaf_entry,
            receiver_proof=ours,
        )
        told = side.get_handover(claim=self._claims.own, handover_id=handover_id, fields=_ASKED)
        return TakenOver(case_id, plan_id, told.digest, tuple(told.withheld_fields))


def _proven(side: Shard, receipt: Receipt) -> str:
    """Return the proof of a receipt, verified under the policy about its log. Raises LedgerRefused."""
    quorum = side.trust.quorum is not None
    proof = side.client.ledger.get_receipt(leaf_index=receipt.leaf_index, await_quorum=quorum).tlog_proof
    try:
        index = side.trust.verify_receipt(receipt.leaf_entry, proof)
        if index < receipt.leaf_index:
            # A log of a later year: its leaves are numbered on from the years before.
            origin = side.trust.verify_log(proof.partition("\n\n")[2]).checkpoint.origin
            index += proven_first(side.client.ledger, side.trust, origin)
    except ProofRefused as refused:
        raise LedgerRefused(f"the receipt of leaf {receipt.leaf_index} does not hold: {refused}") from None
    if index != receipt.leaf_index:
        raise LedgerRefused(f"the entry promised at index {receipt.leaf_index} is shown at {index}")
    return proof
