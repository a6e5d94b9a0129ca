"""Which leaves the resident's own key does not find: those of what is kept from the resident's side.

Promises: what a scan with the resident's key finds tells of no seal, of no investigation of Veilig Thuis, and
of nothing recorded where a whole collection, or the link with who recorded it, is sealed to the resident at
that moment. Such a leaf carries a pseudonym under a second key of the same resident: it is proven, counted
and erased like every other. What was recorded before a seal was set stays countable: the ledger takes nothing
back.
Source: GDPR 15, 32; Wmo 2015 5.2.6 and 5.3.1; the gate's design section 5 (uniform absence); the design of
the ledger, section 2.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.limits.compartments import MEMBERSHIP
from exchange.domain.limits.seals import CompartmentSealed, SealLifted, SealProposed
from exchange.domain.obligations import COMMAND, EVALUATE, SAFETY_TASK, SEAL_BASIS, Asked, Duty, is_about_seal
from exchange.domain.plan import PlanCorrected
from exchange.domain.plan.received import ElementsReceived
from exchange.domain.rights.corrections import RightsRectified
from exchange.domain.rights.recipients import RightsRecipientTold
from exchange.domain.rights.restricting import RestrictionConfirmed, RestrictionRecipientTold

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.domain.kernel import Event
    from exchange.domain.limits.compartments import Kept
    from exchange.store.codec import Meta

OF_SEALS: Final = (SealProposed, CompartmentSealed, SealLifted)
# Of a restriction: that who got something for an investigation was told of it, and answered.
OF_RESTRICTION: Final = (RestrictionRecipientTold, RestrictionConfirmed)
# These name what they change.
NAMING: Final = (PlanCorrected, ElementsReceived, RightsRectified, RightsRecipientTold)
DEFERRING: Final = frozenset({Duty.DEFER_NOTICE_4W, Duty.NO_NOTICE_TO_SUSPECT})
SUBSCRIBE: Final = "SUBSCRIBE"
VERSION_SUFFIX: Final = ".v"
OF_MEMBERSHIPS: Final = f"{MEMBERSHIP}."
WORDS_CACHED_MAX: Final = 4_096
# The collection of a plan that an event changes, by its topic without the version.
COLLECTION_OF: Final[Mapping[str, str]] = {
    "plan.report_received": "reports",
    "plan.conversation_recorded": "conversations",
    "plan.situation_described": "situations",
    "plan.goal_set": "goals",
    "plan.lens_assessed": "lens_assessments",
    "plan.rule_conflict_recorded": "rule_conflicts",
    "plan.rule_conflict_resolved": "rule_conflicts",
    "plan.support_requested": "supports",
    "plan.support_assigned": "supports",
    "plan.support_started": "supports",
    "plan.support_stopped": "supports",
    "plan.support_refused": "supports",
    "plan.support_changed": "supports",
    "plan.funding_set": "funding",
    "plan.goal_marked": "goals",
    "plan.evaluation_planned": "evaluations",
    "plan.evaluation_held": "evaluations",
    "plan.trajectory_started": "trajectories",
    "plan.trajectory_moved": "trajectories",
    "plan.agreed": "agreements",
    "plan.agreed_on_conditions": "agreements",
    "plan.disagreed": "agreements",
    "plan.agreement_answered": "answers",
    "plan.provider_preferred": "preferences",
    "plan.provider_invited": "preferences",
    "plan.signal_received": "signals",
    "plan.contribution_offered": "contributions",
    "plan.contribution_withdrawn": "contributions",
    "plan.wish_opened": "wishes",
    "plan.wish_closed": "wishes",
    "plan.match_proposed": "matches",
    "plan.match_answered": "matches",
    "plan.match_ended": "matches",
}


def is_kept_apart(event: Event, meta: Meta, kept: Kept) -> bool:
    """Tell whether the leaf of an event carries the second pseudonym.

    `kept` is what was kept from the resident in person before the walk; as many steps where that is nothing.
    """
    if isinstance(event, OF_SEALS) or (isinstance(event, OF_RESTRICTION) and event.apart):
        return True
    if isinstance(event, DisclosureDecided) and _tells_of_seals(event, kept):
        return True
    if isinstance(event, NAMING) and not kept.collections.isdisjoint(changed_by(event)):
        return True
    told = _told_by(
        event.TOPIC,
        getattr(event, "oin", ""),
        getattr(event, "organisation", ""),
        getattr(event, "task", ""),
        meta.organisation,
        meta.task,
        meta.purpose,
        meta.legal_basis,
    )
    # Looked at in any case, in what holds nothing too.
    behind = not kept.links.isdisjoint(told.links)
    changes = not kept.collections.isdisjoint(told.collections)
    return told.always or behind or changes


class _Told(NamedTuple):
    """What a leaf tells: that it is of what is always kept apart, whose links, and what it changes."""

    always: bool
    links: frozenset[str]
    collections: frozenset[str]


# On the walk for every event, and always the same few words; nothing in it is of a seal.
@lru_cache(maxsize=WORDS_CACHED_MAX)
def _told_by(  # noqa: PLR0917 -- one argument for each word that counts
    topic: str,
    named_oin: str,
    named_organisation: str,
    named_task: str,
    organisation: str,
    task: str,
    purpose: str,
    legal_basis: str,
) -> _Told:
    """Return what the kind of an event, who records it and whom it names tell of it."""
    # Who joins the case for Veilig Thuis is let in by somebody else.
    always = tells_apart(task, purpose, legal_basis) or named_task == SAFETY_TASK
    # Who records it, and whom it brings in.
    named = (named_oin, named_organisation)
    links = frozenset({f"{organisation}/{task}", *(f"{oin}/{named_task}" for oin in named)})
    return _Told(always, links, _changed(topic))


def _tells_of_seals(decided: DisclosureDecided, kept: Kept) -> bool:
    """Tell whether a decision says more of it than who asked for what."""
    changes = not kept.collections.isdisjoint(changed_by(decided))
    return not DEFERRING.isdisjoint(decided.obligations) or _tries_to_seal(decided) or changes


def _tries_to_seal(decided: DisclosureDecided) -> bool:
    if decided.action not in {COMMAND, EVALUATE}:
        return False
    asked = Asked(decided.task, decided.purpose, decided.legal_basis, decided.action)
    return is_about_seal(asked, [name.partition("[")[0] for name in (*decided.released, *decided.withheld)])


# On the walk for every event, and always the same few words.
@lru_cache(maxsize=WORDS_CACHED_MAX)
def tells_apart(task: str, purpose: str, legal_basis: str) -> bool:
    """Tell whether the very words of a walk tell of a seal or of an investigation."""
    asked = Asked(task, purpose, legal_basis)
    return asked.names_safety or legal_basis.partition("@")[0] == SEAL_BASIS


def changed_by(event: Event) -> frozenset[str]:
    """Return the collections an event changes, or of whose change it was decided; else none."""
    if isinstance(event, DisclosureDecided):
        # What was asked by name is told as what is not there; a change that was delivered cannot be.
        names = (*event.released, *event.withheld) if event.action == SUBSCRIBE else ()
        return frozenset(name.partition(".")[0] for name in names if "." in name)
    if isinstance(event, PlanCorrected | ElementsReceived):
        return frozenset({event.collection})
    if isinstance(event, RightsRectified | RightsRecipientTold):
        # That something behind a seal was corrected tells that it is there.
        return frozenset(path.partition(".")[0] for path in event.paths)
    return _changed(event.TOPIC)


def _changed(topic: str) -> frozenset[str]:
    if topic.startswith(OF_MEMBERSHIPS):
        return frozenset({MEMBERSHIP})
    found = COLLECTION_OF.get(topic.rpartition(VERSION_SUFFIX)[0], "")
    return frozenset({found} - {""})
