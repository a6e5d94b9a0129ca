"""The provider the resident prefers: named, and asked to the case.

Promises: nobody is asked to the case whom the resident did not prefer, and each once; who is asked gets what
the basis of a provider opens, and nothing by being asked.
Source: the domain's design section 2 (P4); protos/exchange/v1/plan_service.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.decide import open_plan, refuse_full
from exchange.domain.plan.elements import Preference
from exchange.domain.plan.events import PlanEvent, plan_words
from exchange.domain.plan.state import PlanState
from exchange.domain.shape import FINE, oin_fault, refuse_faults, token_fault
from exchange.domain.values import TASKS_OF_PROVIDERS, origin_of
from exchange.errors import RuleBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferProvider(AuthoredCommand):
    """Record which provider the resident prefers, by organisation and task."""

    preference_id: str
    provider_oin: str
    provider_task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteProvider(AuthoredCommand):
    """Ask a preferred provider to the case."""

    preference_id: str
    provider_oin: str
    provider_task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPreferred(PlanEvent):
    """The resident prefers a provider."""

    TOPIC: ClassVar[str] = "plan.provider_preferred.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("provider_oin", "provider_task")
    preference_id: str
    provider_oin: str
    provider_task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInvited(PlanEvent):
    """A preferred provider was asked to the case."""

    TOPIC: ClassVar[str] = "plan.provider_invited.v1"
    preference_id: str


def prefer_provider(command: PreferProvider, state: PlanState | None) -> Events:
    """Decide on a provider the resident prefers: his own word, or a college's record of it."""
    plan = open_plan(state)
    author = command.author
    delivers = command.provider_task in TASKS_OF_PROVIDERS
    refuse_faults(
        {
            "preference_id": token_fault(command.preference_id),
            "provider_oin": oin_fault(command.provider_oin),
            "provider_task": FINE if delivers else "must be a task in which support is delivered",
        }
    )
    if not (author.is_residents_side or author.is_college):
        raise RuleBroken("a preference is the resident's, or recorded by a college", rule="NOT_THE_COLLEGE")
    own = origin_of(author.task, author.oin)
    named = (command.provider_oin, command.provider_task, own)
    if any((one.provider_oin, one.provider_task, one.origin) == named for one in plan.preferences):
        raise RuleBroken("this desk has recorded this preference", rule="PREFERENCE_KNOWN")
    refuse_full(plan, "preferences")
    preferred = ProviderPreferred(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        preference_id=command.preference_id,
        provider_oin=command.provider_oin,
        provider_task=command.provider_task,
    )
    return (preferred,)


def invite_provider(command: InviteProvider, state: PlanState | None) -> Events:
    """Decide on asking a preferred provider to the case."""
    plan = open_plan(state)
    if not command.author.is_college:
        raise RuleBroken("a college asks a provider to the case", rule="NOT_THE_COLLEGE")
    preference = next((one for one in plan.preferences if one.preference_id == command.preference_id), None)
    named = (command.provider_oin, command.provider_task)
    if preference is None or (preference.provider_oin, preference.provider_task) != named:
        raise RuleBroken("the resident has not named this provider", rule="NOT_PREFERRED")
    if preference.invited:
        raise RuleBroken("this provider was asked already", rule="INVITED")
    invited = ProviderInvited(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        preference_id=command.preference_id,
    )
    return (invited,)


def _provider_preferred(state: PlanState, event: ProviderPreferred) -> PlanState:
    preference = Preference(
        preference_id=event.preference_id,
        provider_oin=event.provider_oin,
        provider_task=event.provider_task,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, preferences=(*state.preferences, preference))


def _provider_invited(state: PlanState, event: ProviderInvited) -> PlanState:
    preferences = tuple(
        with_changes(one, invited=True) if one.preference_id == event.preference_id else one
        for one in state.preferences
    )
    return with_changes(state, version=state.version + 1, preferences=preferences)


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType(
    {PreferProvider: prefer_provider, InviteProvider: invite_provider}
)
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {ProviderPreferred: _provider_preferred, ProviderInvited: _provider_invited}
)
