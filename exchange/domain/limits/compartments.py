"""What a resident's seals keep from whom: worked out when one is set or lifted, only looked up when asked.

Promises: to look up what is kept from whom no seal names takes the same steps where nothing is sealed, one
thing, or everything; what is found is one object that is known by itself, so that whatever is remembered by
it costs as much to find however much it holds.
Source: GDPR 32; the gate's design section 5 (uniform absence).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, get_args, get_type_hints

from exchange.domain.limits.links import LINK, NO_LINKS, OFFICER, is_link
from exchange.domain.plan.correctable import SPOKEN_BESIDE, STATEMENT
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.plan.state import PlanState
from exchange.domain.values import RESIDENT_TASK

if TYPE_CHECKING:
    from exchange.domain.limits.seals import Seal

# What an element knows beside what the contract shows of it: no seal names these.
_NOT_SHOWN: Final = frozenset(
    {
        *("assign_date", "category", "earlier_care", "of_provider", "origin", "recorded"),
        *("requested_version", "corrected_version", "supports_unseen", "other_plan", "other_match"),
        *("written", "rewritten"),
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
# Leaves that elements got since there are seals: where every leaf there was is sealed, these are.
_ADDED_SINCE: Final[Mapping[str, frozenset[str]]] = {
    "conversations": frozenset(("conversations.present",)),
    "situations": frozenset(
        (
            *("situations.earlier_scores", "situations.earlier_judge_dates", "situations.source"),
            "situations.own_network",
        )
    ),
    "goals": frozenset(("goals.state", "goals.state_date", "goals.carried_by")),
    "supports": frozenset(("supports.refuse_reason",)),
    "agreements": frozenset(("agreements.spoken_by", "agreements.waits")),
    "answers": frozenset(("answers.without_parents",)),
}
# The word by which a seal names that somebody is a member of a household: it hides all of it, or nothing.
MEMBERSHIP: Final = "membership"
MEMBERSHIP_LEAVES: Final = frozenset(
    {
        *("membership.membership_id", "membership.plan_id", "membership.case_id", "membership.role"),
        *("membership.start_time", "membership.director_oin", "membership.director_task"),
        *("membership.director_professional", "household_goals.goal_id", "household_goals.membership_ids"),
        "household_goals.agreed_membership_ids",
    }
)
_FUNDING_LEAVES: Final = (
    *("funding_id", "support_id", "cost_cents", "sources", "amounts_cents"),
    *("start_date", "end_date"),
)
# Who does not see the goals does not see either that something serves goals he does not see, nor how far they
# are reached; who does not see a support does not see its money; what is kept now is kept of before.
_NAMED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "goals.goal_id": (
        "supports.goal_ids",
        "trajectories.goal_ids",
        "evaluations.goal_ids",
        "evaluations.scores",
    ),
    "supports.support_id": tuple(f"funding.{leaf}" for leaf in _FUNDING_LEAVES),
    "situations.score": ("situations.earlier_scores",),
    "situations.judge_date": ("situations.earlier_judge_dates",),
    "contributions.contribution_id": ("matches.about_id",),
    "wishes.wish_id": ("matches.about_id",),
    "trajectories.step": ("trajectories.earlier_steps",),
    "trajectories.since_date": ("trajectories.earlier_dates",),
    # That a child's yes counts alone says that it said yes. Who is not told that a yes waits is told none.
    "agreements.outcome": ("agreements.waits", "answers.without_parents"),
    "agreements.waits": ("agreements.outcome", "answers.without_parents"),
    "answers.answer": ("answers.without_parents",),
}
# What the resident says beside an element may repeat any of its words: it is sealed with the first of them,
# also by a seal from before there were statements.
_STATEMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    name: (f"{name}.{STATEMENT}",) for name in sorted(SPOKEN_BESIDE)
}

# Sets of sealed leaves, and of collections, that are one object each.
SETS_KEPT_MAX: Final = 1_024


@lru_cache(maxsize=SETS_KEPT_MAX)
def _one(names: frozenset[str]) -> frozenset[str]:
    """Return the one set of these names: what is remembered by it is found without comparing names."""
    return names


def sealed_with(path: str) -> tuple[str, ...]:
    """Return a sealed path with what is sealed because it is."""
    return (path, *_NAMED_BY.get(path, ()), *_STATEMENTS.get(path.partition(".")[0], ()))


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What is kept from somebody: leaf paths, links (`<oin>/<task>`), collections of which every leaf is."""

    paths: frozenset[str]
    links: frozenset[str]
    collections: frozenset[str]

    @classmethod
    def of(cls, seals: Iterable["Seal"], links: frozenset[str]) -> "Kept":
        """Return what these seals keep, and these links."""
        paths = frozenset(
            path
            for seal in seals
            for sealed in seal.paths
            if not is_link(sealed)
            for path in sealed_with(sealed)
        )
        whole = frozenset(
            name
            for name, leaves in LEAVES_OF.items()
            if leaves - _ADDED_SINCE.get(name, frozenset()) <= paths
        )
        paths = paths.union(*(LEAVES_OF[name] for name in whole))
        if MEMBERSHIP in paths:
            return cls(_one(paths | MEMBERSHIP_LEAVES), links, _one(whole | {MEMBERSHIP}))
        return cls(_one(paths), links, _one(whole))


NOTHING_KEPT: Final = Kept(frozenset(), NO_LINKS, frozenset())


class _Who(NamedTuple):
    """By which of his names the seals know somebody: empty where by none."""

    recipient: str
    person: str
    role: str
    sees_links: bool


@dataclass(frozen=True, slots=True, eq=False)
class Compartments:
    """The seals of one resident. Beside them, by who it is, what is kept: all that was asked for before.

    `named` are recipients and persons that a seal lets read, or whose link it hides; `in_person` is kept from
    the resident, whoever speaks for him.
    """

    seals: tuple["Seal", ...]
    named: frozenset[str]
    roles: frozenset[str]
    in_person: Kept
    known: dict[_Who, Kept] = field(default_factory=dict)

    @classmethod
    def of(cls, seals: tuple["Seal", ...]) -> "Compartments":
        """Work out what these seals keep from whom they do not name."""
        his = [seal for seal in seals if not any(map(_is_resident, seal.readers))]
        found = cls(
            seals,
            frozenset(name for seal in seals for name in (*seal.readers, *_links_of((seal,)))),
            frozenset(role for seal in seals for role in seal.reader_roles),
            Kept.of(his, _links_of(his)),
        )
        for sees_links in (False, True):
            who = _Who("", "", "", sees_links)
            found.known[who] = found._worked_out(who)
        return found

    def kept_from(self, recipient: str, professional: str, role: str = "") -> Kept:
        """Return what is kept from one person in a task (`<oin>/<task>`) and in a role on the case.

        A role opens paths that older seals opened to it, and no link.
        """
        person = f"{recipient}/{professional}"
        who = _Who(
            recipient if recipient in self.named else "",
            person if person in self.named else "",
            role if role in self.roles else "",
            recipient.partition("/")[2] == OFFICER,
        )
        kept = self.known.get(who)
        if kept is None:
            kept = self.known[who] = self._worked_out(who)
        return kept

    def _worked_out(self, who: _Who) -> Kept:
        names = {who.recipient, who.person}
        unnamed = [seal for seal in self.seals if names.isdisjoint(seal.readers)]
        closed = [seal for seal in unnamed if not (who.role and who.role in seal.reader_roles)]
        links = NO_LINKS if who.sees_links else _links_of(unnamed) - {who.recipient}
        return Kept.of(closed, links)


def _links_of(seals: Iterable["Seal"]) -> frozenset[str]:
    return frozenset(word.removeprefix(LINK) for seal in seals for word in seal.paths if is_link(word))


def _is_resident(reader: str) -> bool:
    _, _, rest = reader.partition("/")
    return rest.partition("/")[0] == RESIDENT_TASK


NO_SEALS: Final = Compartments.of(())
