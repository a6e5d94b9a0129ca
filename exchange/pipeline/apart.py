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

from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Final, get_args, get_type_hints

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.limits.links import LINK, is_link
from exchange.domain.limits.seals import CompartmentSealed, SealLifted, SealProposed
from exchange.domain.obligations import COMMAND, EVALUATE, SAFETY_TASK, SEAL_BASIS, Asked, Duty, is_about_seal
from exchange.domain.plan import PlanState
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.values import RESIDENT_TASK
from exchange.pipeline.sealed import DECOYS, NAMED_BY, hidden_collections

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.domain.kernel import Event
    from exchange.domain.limits.seals import Seal
    from exchange.store.codec import Meta

# What an element knows beside what the contract shows of it: no seal names these.
_NOT_SHOWN: Final = frozenset(
    {
        *("assign_date", "category", "earlier_care", "of_provider", "origin", "recorded"),
        *("requested_version", "supports_unseen"),
    }
)
_ELEMENTS: Final = get_type_hints(PlanState)
# By collection of the plan, the path of every leaf that a seal can name.
LEAVES_OF: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(
        f"{name}.{leaf.name}" for leaf in fields(get_args(_ELEMENTS[name])[0]) if leaf.name not in _NOT_SHOWN
    )
    for name in COLLECTIONS
}
OF_SEALS: Final = (SealProposed, CompartmentSealed, SealLifted)
DEFERRING: Final = frozenset({Duty.DEFER_NOTICE_4W, Duty.NO_NOTICE_TO_SUSPECT})
SUBSCRIBE: Final = "SUBSCRIBE"
VERSION_SUFFIX: Final = ".v"
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
}


def is_kept_apart(event: Event, meta: Meta, seals: Sequence[Seal]) -> bool:
    """Tell whether the leaf of an event carries the second pseudonym; `seals` stood before the walk."""
    if tells_apart(meta.task, meta.purpose, meta.legal_basis) or isinstance(event, OF_SEALS):
        return True
    # Who joins the case for Veilig Thuis is let in by somebody else.
    if getattr(event, "task", "") == SAFETY_TASK:
        return True
    if isinstance(event, DisclosureDecided) and (
        not DEFERRING.isdisjoint(event.obligations) or _tries_to_seal(event)
    ):
        return True
    # As many steps where nothing is sealed: decoys hide nothing.
    links, hidden = _kept(tuple(seals) or DECOYS)
    return _is_behind(event, meta, links) or not changed_by(event).isdisjoint(hidden)


@lru_cache(maxsize=WORDS_CACHED_MAX)
def _kept(seals: tuple[Seal, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the links and the collections that are kept from the resident in person."""
    return _links(seals), _hidden(seals)


def _is_behind(event: Event, meta: Meta, links: frozenset[str]) -> bool:
    """Tell whether an event is of a recipient whose link is sealed to the resident, or brings it in."""
    named = f"{getattr(event, 'oin', '')}/{getattr(event, 'task', '')}"
    return not links.isdisjoint({f"{meta.organisation}/{meta.task}", named})


def _links(seals: Sequence[Seal]) -> frozenset[str]:
    """Return the recipients whose link with the case is sealed to the resident in person."""
    return frozenset(
        word.removeprefix(LINK)
        for seal in seals
        if not any(_is_resident(reader) for reader in seal.readers)
        for word in seal.paths
        if is_link(word)
    )


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
    found = COLLECTION_OF.get(event.TOPIC.rpartition(VERSION_SUFFIX)[0], "")
    return frozenset({found} - {""})


def _hidden(seals: Sequence[Seal]) -> frozenset[str]:
    """Return the collections of which every leaf is sealed to the resident in person."""
    paths = frozenset(
        path
        for seal in seals
        if not any(_is_resident(reader) for reader in seal.readers)
        for sealed in seal.paths
        for path in (sealed, *NAMED_BY.get(sealed, ()))
    )
    return hidden_collections(LEAVES_OF, paths)


def _is_resident(reader: str) -> bool:
    _, _, rest = reader.partition("/")
    return rest.partition("/")[0] == RESIDENT_TASK
