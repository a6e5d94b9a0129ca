"""What a case says of a life domain reaches the plan: once for each thing it says, with its source.

Promises: only what a person of the municipality described and scored in the case is told, as it stands there;
what was told is not told again, and what was refused is not asked again before the case says something else;
this adapter writes none of these properties, so that nothing goes round.
Source: adapters/municipal/README.md (table); Wmo 2015 2.3.2; Jeugdwet 2.3.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from adapters.municipal.desk import SITUATION
from adapters.municipal.errors import ForAPerson
from adapters.municipal.limits import DENIED
from adapters.municipal.mapping import situation_of
from adapters.sdk.errors import Denied

if TYPE_CHECKING:
    from adapters.municipal.desk import Desk
    from adapters.municipal.records import Situation

LOOKED: Final = "situations of"


class Situations:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk

    def tell(self, url: str) -> None:
        """Tell the plan what its case says. Raises ForAPerson, OutwardError and the SDK's errors."""
        desk = self._desk
        link = desk.links.of_case(url)
        if link is None or link.closed or not link.plan_id:
            return
        zaak = desk.cases.zaak(url)
        zaaktype = None if zaak is None or zaak.closed else desk.cases.type_at(zaak.zaaktype)
        if zaak is None or zaaktype is None:
            return
        held = desk.cases.properties(zaak)
        left: ForAPerson | None = None
        for domain, (description, score) in desk.config.situations.items():
            texts = (held.get(zaaktype.properties[name], ("", ""))[1] for name in (description, score))
            try:
                found = situation_of(domain, *texts)
                if found is not None:
                    self._tell(link.plan_id, found, desk.refusals.again(f"{SITUATION} {url}"))
            except ForAPerson as person:
                # The other life domains are told all the same.
                left = left or person
        if left is not None:
            raise left
        desk.links.has_told(link.plan_id, LOOKED, zaak.changed)

    def _tell(self, plan_id: str, situation: Situation, again: str) -> None:
        desk, port = self._desk, self._desk.exchange.situations
        mark = mark_of(situation)
        what, refused = f"situation {situation.domain}", f"refused {situation.domain}"
        if mark in (desk.links.told(plan_id, what), desk.links.told(plan_id, refused)):
            return
        try:
            stands = port.standing(plan_id, situation.domain)
            if not stands.is_of(situation):
                if not stands.free:
                    raise ForAPerson("situation_of_a_person")
                day = desk.links.plan_to_tell(plan_id, f"judged {mark}", desk.today.isoformat())
                asked = f"situation {plan_id} {situation.domain} {mark} {day} {[*stands.seen.part_versions]}"
                port.describe(desk.journal.request_id(asked + again), plan_id, situation, day, stands.seen)
                desk.log.info("situation_told")
        except Denied as denied:
            if f"denied {','.join(denied.rules)}" != DENIED:
                desk.links.has_told(plan_id, refused, mark)
            raise
        desk.links.has_told(plan_id, what, mark)


def mark_of(situation: Situation) -> str:
    """Return a mark of what a case says that says nothing of it: it never leaves the journal."""
    said = f"{situation.domain}\n{situation.score}\n{situation.description}"
    return sha256(said.encode()).hexdigest()[:16]
