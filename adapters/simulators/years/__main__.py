"""`python -m adapters.simulators.years`: tells a household's three years, one JSON line a step.

Promises: exit 0 when every step ended as told, 1 when one did not. Moves the clock in `--clock`, forward
only, and writes nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.sdk.errors import SdkError
from adapters.simulators.story.__main__ import made_up_bsns
from adapters.simulators.story.stage import Organisation, Script, StoryBroken, Telling
from adapters.simulators.years import asking, first_year, household, later_years, neighbours
from adapters.simulators.years.clock import ClockSetBack, StoryClock
from adapters.simulators.years.family import Family, Member
from adapters.simulators.years.overview import Overview

if TYPE_CHECKING:
    from datetime import date

YEAR: timedelta = timedelta(days=365)


def main() -> int:
    """Tell the story."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--clock", required=True, type=Path)
    words = parser.parse_args()
    clock = StoryClock(words.clock)
    script = Script(words.target, words.work, "", clock.now().date(), clock.seconds)
    municipality, village = Organisation(script, "municipality"), Organisation(script, "village")
    elsje = Member("Elsje", made_up_bsns(1)[0], _years_before(clock.now().date(), 78))
    family, told = family_of(clock, municipality), Telling()
    try:
        tell(told, family)
        neighbours.two_neighbours(told, family, village, elsje)
        told.chapter("Three years later")
        later_years.then_and_now(told, family)
    except (StoryBroken, SdkError, ClockSetBack) as error:
        sys.stderr.write(f"the story stopped: {type(error).__name__}: {error}\n")
        return 1
    finally:
        municipality.close()
        village.close()
    end = {"end": True, "bsns": [one.bsn.reveal() for one in (*family.members, elsje)]}
    sys.stdout.write(json.dumps(end) + "\n")
    return 0


def family_of(clock: StoryClock, municipality: Organisation) -> Family:
    """Make up three people: the son turns 16 in the last month of the story."""
    start = clock.now().date()
    bsns = made_up_bsns(3)
    return Family(
        clock,
        municipality,
        noor=Member("Noor", bsns[0], _years_before(start, 37)),
        bas=Member("Bas", bsns[1], _years_before(start, 41)),
        sem=Member("Sem", bsns[2], _years_before(start + 3 * YEAR - timedelta(days=40), 16)),
    )


def _years_before(day: date, years: int) -> date:
    return day.replace(year=day.year - years, day=min(day.day, 28))


def tell(told: Telling, family: Family) -> None:
    """Tell all of it."""
    clock, start = family.clock, family.clock.now()
    first_year.three_files(told, family)
    asking.register_notice(told, family)
    household.one_household(told, family)
    first_year.noors_plan(told, family)
    later_years.on_the_ladder(told, family)
    clock.forward_to(start + YEAR + timedelta(days=1))
    told.chapter(f"{clock.now().year}: a year on")
    household.a_year_is_over(told, family)
    later_years.an_old_extract(told, family)
    household.what_sem_tells(told, family)
    overview = Overview(family)
    with overview.follows():
        later_years.looked_back(told, family, 2, "Kleinere stappen.")
        overview.has_written_down(1)
    later_years.one_step_up(told, family, 3, 8)
    told.step("years-first-look", "They look back together: 2 of 5. Smaller steps.", "PERMIT")
    later_years.a_yes_for_ninety_days(told, family)
    clock.forward_to(start + 2 * YEAR)
    told.chapter(f"{clock.now().year}: the second year over")
    later_years.looked_back(told, family, 4, "Zo doorgaan.")
    later_years.one_step_up(told, family, 4, 16)
    told.step("years-second-look", "4 of 5, and sixteen hours a week in the kitchen.", "PERMIT")
    overview.comes_back(told)
    clock.forward_to(start + 3 * YEAR - timedelta(days=60))
    told.chapter(f"{clock.now().year}: the third year")
    later_years.sem_is_sixteen(told, family)
    later_years.reached(told, family)


if __name__ == "__main__":
    sys.exit(main())
