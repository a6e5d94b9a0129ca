"""What the resident says of the plan: yes, yes on conditions, or no; and what the college says to that.

Promises: only the resident's side speaks; the newest word counts; a yes is to what was shown, and to nothing
that was not; a yes on conditions is a yes once a college says that they are met, and not before; of a child
of twelve to fifteen who can decide, both the child and who has authority say yes, or a college says why the
child's is enough; how a no was handled is told by who handled it, in words of his own, once.
Source: protos/exchange/v1/plan_service.proto; the domain's design section 2 (P9); Jeugdwet 4.1.3(2)-(4) and
7.3.4(1)-(2); exchange/decisions/0202-a-child-and-its-parent-both-agree.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.mandate import refuse_but_operators_college
from exchange.domain.plan.commands import AgreeToPlan
from exchange.domain.plan.decide import open_plan, refuse_full
from exchange.domain.plan.elements import Agreement, Answer
from exchange.domain.plan.events import (
    PlanAgreed,
    PlanAgreedOnConditions,
    PlanDisagreed,
    PlanEvent,
    plan_words,
)
from exchange.domain.plan.lenses import lenses_missing, refuse_open_conflicts
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.words import AgreementSpeaker, WithoutParents
from exchange.domain.shape import FINE, member_fault, refuse_faults, text_fault
from exchange.domain.values import RESIDENT_TASK, AgreementOutcome, origin_of
from exchange.errors import RuleBroken

# A no says why or how it was handled, and conditions say what is asked.
_WITH_WORDS: Final = frozenset({AgreementOutcome.DISAGREED, AgreementOutcome.AGREED_ON_CONDITIONS})


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAgreement(AuthoredCommand):
    """Answer the resident's newest word, said of the plan at a version: whether its conditions are met.

    To a no there is nothing to meet: the answer says how it was handled. `without_parents` says why a child's
    yes that waits counts without its parents'; then the word that is answered is the child's newest.
    """

    plan_version: int
    met: bool
    answer: str
    without_parents: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementAnswered(PlanEvent):
    """A college answered the resident's word."""

    TOPIC: ClassVar[str] = "plan.agreement_answered.v2"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("answer", "without_parents")
    plan_version: int
    met: bool
    answer: str
    without_parents: str
    at: datetime


def agree_to_plan(command: AgreeToPlan, state: PlanState | None) -> Events:
    """Decide on the resident's word about the plan as it stands."""
    plan = open_plan(state)
    author = command.author
    if not author.is_residents_side:
        raise RuleBroken("only the resident's side says yes or no to a plan", rule="NOT_RESIDENTS_SIDE")
    agrees = command.outcome == AgreementOutcome.AGREED
    refuse_faults(
        {
            "outcome": member_fault(AgreementOutcome, command.outcome),
            "remarks": text_fault(command.remarks, required=command.outcome in _WITH_WORDS),
        }
    )
    refuse_full(plan, "agreements")
    # A no is heard whoever says it.
    if command.outcome == AgreementOutcome.DISAGREED:
        disagreed = PlanDisagreed(
            resident=plan.resident,
            plan_id=plan.plan_id,
            organisation=author.oin,
            task=author.task,
            plan_version=plan.version,
            remarks=command.remarks,
            at=command.now,
        )
        return (disagreed,)
    if command.for_another and author.task == RESIDENT_TASK:
        raise RuleBroken("who represents the resident says yes to this plan", rule="NOT_TO_DECIDE")
    _refuse_unready(plan, minor=command.minor)
    kind = PlanAgreed if agrees else PlanAgreedOnConditions
    agreed = kind(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        plan_version=plan.version,
        remarks=command.remarks,
        at=command.now,
        supports_unseen=plan.kept_from("supports") is not None and not plan.supports,
        waits=command.asks_both and not _other_agrees(plan, speaker_of(author.task)),
    )
    return (agreed,)


def speaker_of(task: str) -> AgreementSpeaker:
    """Return who speaks in a task of the resident's side."""
    return AgreementSpeaker.RESIDENT if task == RESIDENT_TASK else AgreementSpeaker.REPRESENTATIVE


def _other_agrees(plan: PlanState, speaker: AgreementSpeaker) -> bool:
    """Tell whether the newest word of the other of a child and its parent is a yes to every support."""
    words = [one for one in _own(plan) if one.spoken_by not in {speaker, ""} and not one.supports_unseen]
    if not words:
        return False
    newest = words[-1]
    met = newest.outcome == AgreementOutcome.AGREED_ON_CONDITIONS and _is_met(plan, newest)
    shown = all(one.chosen_version <= newest.plan_version for one in plan.supports)
    return shown and (met or newest.outcome == AgreementOutcome.AGREED)


def _own(plan: PlanState) -> list[Agreement]:
    """Return what was said of this plan: what another municipality handed over is of no version of it."""
    return [one for one in plan.agreements if one.plan_version]


def _is_met(plan: PlanState, word: Agreement) -> bool:
    return any(one.met and one.plan_version == word.plan_version for one in plan.answers)


def _refuse_unready(plan: PlanState, *, minor: bool) -> None:
    if not plan.pursued:
        raise RuleBroken("a plan without a goal is not agreed with", rule="NO_GOAL")
    if missing := lenses_missing(plan, minor=minor):
        raise RuleBroken(
            "with needs under more than one law each of those lenses is used or waived first",
            rule="TWO_LENSES",
            missing=",".join(missing),
        )
    refuse_open_conflicts(plan)


def answer_agreement(command: AnswerAgreement, state: PlanState | None) -> Events:
    """Decide on a college's answer to the resident's newest word."""
    plan = open_plan(state)
    author = command.author
    newest = _answered_word(plan, command)
    refused = newest is not None and newest.outcome == AgreementOutcome.DISAGREED
    refuse_faults(
        {
            "answer": text_fault(command.answer),
            "without_parents": FINE
            if not command.without_parents
            else member_fault(WithoutParents, command.without_parents),
            "met": "must be left out: a no has no conditions" if command.met and refused else FINE,
        }
    )
    # It makes a yes to all of the plan, whatever law a part of it is of: that goes beyond a mandate.
    refuse_but_operators_college(author)
    if newest is None or newest.plan_version != command.plan_version:
        raise RuleBroken("the newest word is about another version", rule="WORD_UNKNOWN")
    if command.without_parents:
        _refuse_not_alone(plan, newest, command)
    elif newest.outcome == AgreementOutcome.AGREED:
        raise RuleBroken("a yes without conditions asks for no answer", rule="NOTHING_ASKED")
    before = [one for one in plan.answers if one.plan_version == command.plan_version]
    # That conditions are met says nothing yet of a child's yes without its parents'.
    if any(one.without_parents or not command.without_parents for one in before):
        raise RuleBroken("this word was answered already", rule="ANSWERED")
    refuse_full(plan, "answers")
    answered = AgreementAnswered(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        plan_version=command.plan_version,
        met=command.met,
        answer=command.answer,
        without_parents=command.without_parents,
        at=command.now,
    )
    return (answered,)


def _answered_word(plan: PlanState, command: AnswerAgreement) -> Agreement | None:
    """Return the newest word; of the child, where it is to count alone.

    Where that waits, the newest of the other one is answered too: its conditions may be what is waited for.
    """
    words = _own(plan)[::-1]
    if command.without_parents:
        words = [one for one in words if one.spoken_by == AgreementSpeaker.RESIDENT]
    elif words and words[0].waits:
        others = (one for one in words if one.spoken_by != words[0].spoken_by)
        other = next(others, words[0])
        return other if other.plan_version == command.plan_version else words[0]
    return words[0] if words else None


def _refuse_not_alone(plan: PlanState, word: Agreement, command: AnswerAgreement) -> None:
    if not word.waits or word.outcome == AgreementOutcome.DISAGREED:
        raise RuleBroken("this word does not wait for another's", rule="NOTHING_WAITS")
    met = command.met or _is_met(plan, word)
    if word.outcome == AgreementOutcome.AGREED_ON_CONDITIONS and not met:
        raise RuleBroken("a yes on conditions counts once they are met", rule="NOT_MET")
    before = [one for one in _own(plan) if one.plan_version < word.plan_version]
    refusals = [one for one in before if one.spoken_by == AgreementSpeaker.REPRESENTATIVE]
    persists = bool(refusals) and refusals[-1].outcome == AgreementOutcome.DISAGREED
    if command.without_parents == WithoutParents.CHILD_PERSISTS and not persists:
        raise RuleBroken("the child says yes again after its parent said no", rule="NOT_REFUSED")


def agreed_version(agreements: Iterable[Agreement], answers: Iterable[Answer]) -> int:
    """Return the version the resident's newest yes covers; 0 where there is none, or a no came after it.

    A yes is to what was shown: one of somebody who was shown no supports neither covers a support, nor undoes
    a yes that did. A yes on conditions says nothing until it is answered that they are met; one that waits
    for another's, until it is answered that it counts without. Of such a yes no parent's no takes anything,
    whatever that parent said meanwhile. What was said of another municipality's plan is of no version here.
    """
    met, alone = set[int](), set[int]()
    for one in answers:
        met |= {one.plan_version} if one.met else set()
        alone |= {one.plan_version} if one.without_parents else set()
    agreed = agreed_alone = 0
    for word in agreements:
        if not word.plan_version:
            continue
        if word.outcome == AgreementOutcome.DISAGREED:
            if word.spoken_by != AgreementSpeaker.REPRESENTATIVE:
                agreed_alone = 0
            agreed = agreed_alone
        elif (
            not word.supports_unseen
            and (word.outcome == AgreementOutcome.AGREED or word.plan_version in met)
            and (not word.waits or word.plan_version in alone)
        ):
            agreed = word.plan_version
            agreed_alone = agreed if agreed in alone else agreed_alone
    return agreed


_OUTCOMES: Final[Mapping[type[Event], AgreementOutcome]] = MappingProxyType(
    {
        PlanAgreed: AgreementOutcome.AGREED,
        PlanAgreedOnConditions: AgreementOutcome.AGREED_ON_CONDITIONS,
        PlanDisagreed: AgreementOutcome.DISAGREED,
    }
)


def _said(state: PlanState, event: PlanAgreed | PlanAgreedOnConditions | PlanDisagreed) -> PlanState:
    agreement = Agreement(
        outcome=_OUTCOMES[type(event)],
        remarks=event.remarks,
        plan_version=event.plan_version,
        say_time=event.at,
        supports_unseen=not isinstance(event, PlanDisagreed) and event.supports_unseen,
        waits=not isinstance(event, PlanDisagreed) and event.waits,
        spoken_by=speaker_of(event.task),
        origin=origin_of(event.task, event.organisation),
    )
    agreements = (*state.agreements, agreement)
    return with_changes(
        state,
        version=state.version + 1,
        agreed_version=agreed_version(agreements, state.answers),
        agreements=agreements,
    )


def _answered(state: PlanState, event: AgreementAnswered) -> PlanState:
    answer = Answer(
        plan_version=event.plan_version,
        met=event.met,
        answer=event.answer,
        answer_time=event.at,
        without_parents=event.without_parents,
        origin=origin_of(event.task, event.organisation),
    )
    answers = (*state.answers, answer)
    return with_changes(
        state,
        version=state.version + 1,
        agreed_version=agreed_version(state.agreements, answers),
        answers=answers,
    )


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType(
    {AgreeToPlan: agree_to_plan, AnswerAgreement: answer_agreement}
)
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {
        PlanAgreed: _said,
        PlanAgreedOnConditions: _said,
        PlanDisagreed: _said,
        AgreementAnswered: _answered,
    }
)
