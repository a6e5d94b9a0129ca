"""A generated year of lookups in two regions, with snooping planted in it, for measuring their review.

Promises: the same seed gives the same year; who made it says of each access whether it was planted and as
what, and no rule of the review looks at that. What is lawful is as untidy as it is in a municipality: leave
that is registered late or never, files opened at the wrong desk, team talks, a lead who checks files, intakes
that come to nothing, closing a file long after the case ended, evening work. None of these numbers is a
measurement of a real municipality.
Source: the kinds of misuse that Dutch supervisors report (a neighbour, a former partner, a known person);
exchange/decisions/0133-what-explains-a-lookup.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from exchange.projections.lookups.accesses import DAY, JUSTIFIED, MINUTE, NO_EMERGENCY, UNREVIEWED, Act, Tie
from exchange.projections.lookups.rules import CASE, REFERRAL, RIGHTS, STAND_IN
from exchange.projections.obligations import microseconds
from exchange.projections.workdays import ZONE, is_workday

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_One = TypeVar("_One")

YEAR: Final = 2025
DAYS: Final = 365
REGIONS: Final = ("00000001003214345000", "00000001002200648000")
PROVIDERS: Final = ("00000003271543200000", "00000003271543300000")
# Of every hundred professionals of a region.
OF_A_HUNDRED: Final = {"college:WMO": 40, "college:JW": 25, "college:PW": 20, "wmo-aanbieder": 15}
ACCESSES_PER_RESIDENT: Final = 50
ACCESSES_PER_PROFESSIONAL: Final = 3_333
# So much of all accesses is planted; how it is divided over the kinds stands with each of them.
PLANTED: Final = 0.003
LAWFUL: Final = ""
NEIGHBOUR: Final = "neighbour, once"
EX_PARTNER: Final = "former partner, again and again"
KNOWN_PERSON: Final = "known person, by many"
NIGHT: Final = "browsing at night"
AFTER_END: Final = "after the end of the case"
LET_IN: Final = "let himself in by a report"
OWN_CASE: Final = "a resident of his own, for no reason"
EMERGENCY: Final = "an emergency that was none"
OF_PLANTED: Final = {
    NEIGHBOUR: 0.25,
    EX_PARTNER: 0.22,
    KNOWN_PERSON: 0.10,
    NIGHT: 0.13,
    AFTER_END: 0.12,
    LET_IN: 0.08,
    OWN_CASE: 0.08,
    EMERGENCY: 0.02,
}
# Of the weeks in which somebody stands in, how many are registered at all, and how many of all in time.
REGISTERED: Final = 0.85
IN_TIME: Final = 0.6
_MASK: Final = (1 << 64) - 1


class Draws:
    """Numbers that look drawn and are the same for the same seed (SplitMix64, Steele and others 2014)."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def unit(self) -> float:
        """Return a number from 0, below 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53)

    def chance(self, odds: float) -> bool:
        """Tell whether something happens this time."""
        return self.unit() < odds

    def between(self, least: int, most: int) -> int:
        """Return a whole number, both ends included."""
        return least + int(self.unit() * (most - least + 1))

    def pick(self, some: Sequence[_One]) -> _One:
        """Return one of them."""
        return some[int(self.unit() * len(some))]

    def spread(self, mean: float) -> float:
        """Return a length of that mean: most are shorter, some far longer."""
        return -mean * math.log(1 - self.unit())


class Person(NamedTuple):
    """One professional."""

    organisation: str
    task: str
    professional: str


class Lookup(NamedTuple):
    """One access as it will be recorded, and what only its maker knows."""

    at: int
    person: Person
    resident: str
    emergency: str
    planted: str


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody works for a resident from one day to another, counted from the first of the year."""

    person: Person
    resident: str
    first: int
    last: int
    quiet: bool  # an intake that came to nothing: looked at, and nothing recorded


@dataclass(slots=True)
class Year:
    """What was made."""

    accesses: list[Lookup] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)


def made_year(accesses: int, seed: int = 1) -> Year:
    """Return a year of so many accesses, in the order of their moments."""
    return _Maker(accesses, Draws(seed)).make()


class _Maker:
    def __init__(self, accesses: int, draws: Draws) -> None:
        self.wanted, self.draws, self.year = accesses, draws, Year()
        self.midnights = [
            microseconds(datetime.combine(_day(number), datetime.min.time(), ZONE)) for number in range(DAYS)
        ]
        self.workdays = [number for number in range(DAYS) if is_workday(_day(number))]
        self.teams = [self._teams(region) for region in range(len(REGIONS))]
        self.team_of = {one: team for teams in self.teams for team in teams for one in team}
        per_region = max(20, accesses // ACCESSES_PER_RESIDENT // len(REGIONS))
        self.residents = [[f"r{region}-{n}" for n in range(per_region)] for region in range(len(REGIONS))]
        self.parts: list[Part] = []
        self.leave: dict[Person, frozenset[int]] = {}
        self.covers: dict[tuple[Part, int], bool] = {}

    def _teams(self, region: int) -> list[list[Person]]:
        size = max(20, self.wanted // ACCESSES_PER_PROFESSIONAL // len(REGIONS))
        teams = []
        for task, count_of in OF_A_HUNDRED.items():
            oin = PROVIDERS[region] if task == "wmo-aanbieder" else REGIONS[region]
            count = max(3, size * count_of // 100)
            teams.append([Person(oin, task, f"{task}-{region}-{n}") for n in range(count)])
        return teams

    def make(self) -> Year:
        for region, teams in enumerate(self.teams):
            for person in (one for team in teams for one in team):
                self.leave[person] = frozenset(self.draws.between(0, 51) for _ in range(5))
            for resident in self.residents[region]:
                self._cases(teams, resident)
        planted = round(self.wanted * PLANTED)
        for kind, plant in self._plants().items():
            until = len(self.year.accesses) + round(planted * OF_PLANTED[kind])
            while len(self.year.accesses) < until:
                plant()
        self._checks()
        self._requests()
        while len(self.year.accesses) < self.wanted:
            self._session(self.draws.pick(self.parts))
        self.year.accesses.sort(key=lambda one: one.at)
        return self.year

    # --- who works for whom -----------------------------------------------------------------------------

    def _cases(self, teams: list[list[Person]], resident: str) -> None:
        draws = self.draws
        for team in teams:
            if not draws.chance(0.3):
                continue
            person = draws.pick(team)
            first = draws.between(-300, DAYS - 10)
            last = first + 14 + int(draws.spread(220))
            if last < 0:
                continue
            own = person.task.startswith("college:") and draws.chance(0.4)
            quiet = own and draws.chance(0.1)
            part = Part(person, resident, first, min(last, first + 25) if quiet else last, quiet)
            self.parts.append(part)
            self._tie(part, own=own, joined=self._referred(part) if person.task == "wmo-aanbieder" else first)

    def _referred(self, part: Part) -> int:
        """Send a provider the case, sometimes to another desk; return the day on which he is let in."""
        draws = self.draws
        if draws.chance(0.3):
            task = "jeugdhulpaanbieder" if draws.chance(0.05) else part.person.task
            at = self._moment(part.first)
            self.year.ties.append(Tie(REFERRAL, part.resident, part.person.organisation, task, "", at, at))
            return part.first + draws.between(3, 14)
        return part.first

    def _tie(self, part: Part, *, own: bool, joined: int) -> None:
        end = self._moment(part.last) if part.last < DAYS else None
        self.year.ties.append(Tie(CASE, part.resident, *part.person, self._moment(joined), end, own))

    # --- what is lawful ---------------------------------------------------------------------------------

    def _session(self, part: Part) -> None:
        """Let somebody work on a file for some minutes, on one of the days of his part."""
        draws = self.draws
        day = draws.between(max(part.first, 0), min(part.last, DAYS - 1))
        if not is_workday(_day(day)) and not draws.chance(0.03):
            return
        person = part.person
        if day // 7 in self.leave[person]:
            if draws.chance(0.5):
                return
            person = self._cover(part, day // 7)
        elif draws.chance(0.01):
            # At the wrong desk: somebody opens the file of another with such a name.
            self._look(self._office(day), draws.pick(self._team_of(person)), part.resident)
            return
        elif draws.chance(0.0015):
            self._team_talk(part, day)
            return
        elif draws.chance(0.004) and part.last < DAYS - 60:
            # A file is closed some time after the case.
            day = part.last + draws.between(1, 40)
        at = self._evening(day) if draws.chance(0.06) else self._office(day)
        for _ in range(draws.between(1, 5)):
            self._look(at, person, part.resident)
            at += draws.between(1, 6) * MINUTE
        if not part.quiet and draws.chance(0.35):
            self.year.acts.append(Act(part.resident, *person, at))

    def _cover(self, part: Part, week: int) -> Person:
        """Return who stands in for a week: registered in time, late, or never."""
        team = self._team_of(part.person)
        others = [one for one in team if one != part.person and week not in self.leave[one]] or team
        # The same colleague all week, whichever file.
        colleague = others[hash_of(part.person.professional, week) % len(others)]
        if (part, week) not in self.covers:
            self.covers[part, week] = True
            said = self.draws.unit()
            if said < REGISTERED:
                late = 0 if said < IN_TIME else self.draws.between(1, 6)
                start, end = self._moment(week * 7 + late), self._moment(week * 7 + 7)
                own = self.draws.chance(0.2)
                tie = Tie(STAND_IN, part.resident, *colleague, start, end, own, part.person.professional)
                self.year.ties.append(tie)
        return colleague

    def _team_talk(self, part: Part, day: int) -> None:
        at = self._office(day)
        for _ in range(self.draws.between(4, 10)):
            self._look(at, self.draws.pick(self._team_of(part.person)), part.resident)
            at += MINUTE

    def _checks(self) -> None:
        """Let the lead of each team look through files once a month, one after another."""
        size = max(2, self.wanted // 40_000)
        for region, teams in enumerate(self.teams):
            for lead in (team[0] for team in teams):
                for month in range(12):
                    at = self._office(self.draws.pick(self.workdays[month * 20 : month * 20 + 20]))
                    for _ in range(size):
                        self._look(at, lead, self.draws.pick(self.residents[region]))
                        at += 2 * MINUTE

    def _requests(self) -> None:
        """Let requests by right be handled by who is not on the case."""
        for _ in range(max(2, self.wanted // 3_000)):
            region = self.draws.between(0, len(REGIONS) - 1)
            person, resident = self.draws.pick(self.teams[region][0]), self.draws.pick(self.residents[region])
            first = self.draws.between(0, DAYS - 31)
            last = first + self.draws.between(3, 30)
            tie = Tie(RIGHTS, resident, *person, self._moment(first), self._moment(last))
            self.year.ties.append(tie)
            for _ in range(self.draws.between(1, 4)):
                self._look(self._office(self.draws.between(first + 1, last)), person, resident)
        for _ in range(max(2, self.wanted // 5_000)):
            self._emergency(JUSTIFIED if self.draws.chance(0.9) else UNREVIEWED, LAWFUL)

    # --- what is planted --------------------------------------------------------------------------------

    def _plants(self) -> dict[str, Callable[[], None]]:
        return {
            NEIGHBOUR: self._neighbour,
            EX_PARTNER: self._ex_partner,
            KNOWN_PERSON: self._known_person,
            NIGHT: self._night,
            AFTER_END: self._after_end,
            LET_IN: self._let_in,
            OWN_CASE: self._own_case,
            EMERGENCY: lambda: self._emergency("not_justified", EMERGENCY),
        }

    def _anybody(self) -> tuple[int, Person, str]:
        region = self.draws.between(0, len(REGIONS) - 1)
        person = self.draws.pick(self.draws.pick(self.teams[region]))
        return region, person, self.draws.pick(self.residents[region])

    def _any_moment(self) -> int:
        day = self.draws.pick(self.workdays)
        return self._evening(day) if self.draws.chance(0.2) else self._office(day)

    def _neighbour(self) -> None:
        _, person, resident = self._anybody()
        self._look(self._any_moment(), person, resident, NEIGHBOUR)

    def _ex_partner(self) -> None:
        _, person, resident = self._anybody()
        for _ in range(self.draws.between(5, 25)):
            self._look(self._any_moment(), person, resident, EX_PARTNER)

    def _known_person(self) -> None:
        region, _, resident = self._anybody()
        day = self.draws.between(0, DAYS - 6)
        for _ in range(self.draws.between(6, 40)):
            person = self.draws.pick(self.draws.pick(self.teams[region]))
            self._look(self._office(day + self.draws.between(0, 5)), person, resident, KNOWN_PERSON)

    def _night(self) -> None:
        region, person, _ = self._anybody()
        at = self.midnights[self.draws.between(0, DAYS - 2)] + self.draws.between(22 * 60, 28 * 60) * MINUTE
        for _ in range(self.draws.between(4, 15)):
            self._look(at, person, self.draws.pick(self.residents[region]), NIGHT)
            at += self.draws.between(1, 8) * MINUTE

    def _after_end(self) -> None:
        part = self.draws.pick(self.parts)
        if part.last > DAYS - 40:
            return
        for _ in range(self.draws.between(1, 4)):
            day = min(part.last + self.draws.between(5, 200), DAYS - 1)
            if day >= 0:
                self._look(self._office(day), part.person, part.resident, AFTER_END)

    def _let_in(self) -> None:
        _, person, resident = self._anybody()
        first = self.draws.between(0, DAYS - 30)
        self._tie(Part(person, resident, first, first + 25, quiet=True), own=True, joined=first)
        for _ in range(self.draws.between(1, 4)):
            self._look(self._office(first + self.draws.between(1, 20)), person, resident, LET_IN)
        if self.draws.chance(0.25):
            # One in four covers himself with something that looks like work.
            at = self._office(first + self.draws.between(1, 20))
            self.year.acts.append(Act(resident, *person, at))

    def _own_case(self) -> None:
        part = self.draws.pick(self.parts)
        day = self.draws.between(max(part.first, 0), min(part.last, DAYS - 1))
        self._look(self._office(day), part.person, part.resident, OWN_CASE)

    def _emergency(self, found: str, planted: str) -> None:
        _, person, resident = self._anybody()
        self._look(self._any_moment(), person, resident, planted, found)

    # --- moments ----------------------------------------------------------------------------------------

    def _look(
        self, at: int, person: Person, resident: str, planted: str = LAWFUL, emergency: str = NO_EMERGENCY
    ) -> None:
        if self.midnights[0] <= at < self.midnights[0] + DAYS * DAY:
            self.year.accesses.append(Lookup(at, person, resident, emergency, planted))

    def _moment(self, day: int) -> int:
        return self.midnights[0] + day * DAY + 8 * 60 * MINUTE

    def _office(self, day: int) -> int:
        """Return a moment in office hours, in the Netherlands, on a day."""
        return self.midnights[min(day, DAYS - 1)] + self.draws.between(7 * 60 + 30, 18 * 60) * MINUTE

    def _evening(self, day: int) -> int:
        return self.midnights[min(day, DAYS - 1)] + self.draws.between(19 * 60, 22 * 60 + 30) * MINUTE

    def _team_of(self, person: Person) -> list[Person]:
        return self.team_of[person]


def hash_of(word: str, number: int) -> int:
    """Return a number that is the same in every process."""
    return sum(word.encode()) * 31 + number * 7


def _day(number: int) -> date:
    return date(YEAR, 1, 1) + timedelta(days=number)
