"""`python -m adapters.simulators.story`: tells the story against a running service, one JSON line a step.

Promises: exit 0 when every step ended as told, 1 when one did not. Writes below `--work` only.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.sdk.bsn import Bsn, BsnRefused
from adapters.sdk.errors import SdkError
from adapters.simulators import leash
from adapters.simulators.story import (
    delivery,
    doors,
    from_a_case,
    insight,
    intake,
    known,
    leaving,
    limits,
    moving,
    on_behalf,
    past,
    proof,
    rights,
    sharing,
    watch,
    whole,
)
from adapters.simulators.story.case_system import CaseSystem
from adapters.simulators.story.stage import Organisation, Script, StoryBroken, Telling
from adapters.simulators.story.systems import Systems


def main() -> int:
    """Tell the story."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--log-vkey", required=True)
    parser.add_argument("--country", required=True, type=Path, help="file that says where the front is")
    words = parser.parse_args()
    leash.hold()
    today = datetime.now(ZoneInfo("Europe/Amsterdam")).date()
    script = Script(words.target, words.work, words.log_vkey, today)
    told = Telling()
    # Who stays, who comes by way of the case system, who leaves, and a child.
    bsns = made_up_bsns(4)
    municipality, provider = Organisation(script, "municipality"), Organisation(script, "provider")
    plan, another = (intake.Plan(script, municipality, provider, bsn) for bsn in bsns[:2])
    try:
        kept = tell(told, plan, another, bsns[2:], words.country)
    except (StoryBroken, SdkError) as error:
        sys.stderr.write(f"the story stopped: {type(error).__name__}: {error}\n")
        return 1
    finally:
        municipality.close()
        provider.close()
    end = {
        "end": True,
        "bsns": [bsn.reveal() for bsn in bsns],
        "receipts": [str(file) for file in kept],
    }
    sys.stdout.write(json.dumps(end) + "\n")
    return 0


def tell(
    told: Telling, plan: intake.Plan, another: intake.Plan, others: list[Bsn], country: Path
) -> list[Path]:
    """Tell all of it; return the receipts."""
    leaver, child = others
    beside = Systems()
    try:
        _with_other_systems(told, plan, another, beside)
        moving.somebody_moves(told, another, country)
    finally:
        beside.stop()
    denied = limits.an_objection(told, plan)
    doors.a_yes_by_phone(told, plan)
    doors.a_mandate_ends(told, plan)
    limits.a_seal_nobody_sees(told, plan)
    on_behalf.a_parent_acts(told, plan, child)
    sharing.the_resident_looks(told, plan)
    sharing.the_resident_asks_everything(told, plan)
    sharing.the_officer_audits(told, plan)
    watch.what_nothing_explains(told, plan)
    limits.told_three_times(told, plan, denied)
    limits.before_a_policy_changes(told, plan)
    insight.what_helps(told, plan)
    leaving.somebody_leaves(told, plan, leaver)
    return proof.receipts(told, plan)


def _with_other_systems(told: Telling, plan: intake.Plan, another: intake.Plan, beside: Systems) -> None:
    """Tell what other systems take part in; they start while the first of it is told."""
    suwinet = known.Suwinet(beside, plan)
    cases = CaseSystem(beside, plan.script.work / "case_system", {another.bsn: from_a_case.BORN})
    intake.organisations_join(told, plan)
    intake.a_report_at_one_desk(told, plan)
    for system in (suwinet, cases):
        system.adapter_starts(plan)
    whole.a_signal_of_arrears(told, plan)
    intake.two_pairs_of_glasses(told, plan)
    intake.nothing_without_the_resident(told, plan)
    delivery.the_message(told, plan, beside)
    leaving.the_bsn_in_an_envelope(told, plan)
    delivery.the_provider_reads(told, plan)
    delivery.care_starts(told, plan)
    whole.the_plan_goes_on(told, plan)
    past.then_and_now(told, plan)
    rights.put_right(told, plan)
    rights.in_her_own_words(told, plan)
    sharing.work_and_income_reads(told, plan)
    known.not_asked_again(told, plan, suwinet)
    sharing.consent_and_withdrawal(told, plan)
    sharing.emergency(told, plan)
    limits.a_real_emergency(told, plan)
    delivery.care_stops(told, plan)
    from_a_case.a_case_becomes_a_plan(told, another, cases)
    from_a_case.what_was_delivered(told, another)


def made_up_bsns(count: int) -> list[Bsn]:
    """Return so many different random numbers that pass the 11-proof; of the range set aside for tests."""
    found: dict[str, Bsn] = {}
    while len(found) < count:
        try:
            bsn = Bsn(f"9999{secrets.randbelow(100_000):05d}")
        except BsnRefused:
            continue
        found[bsn.reveal()] = bsn
    return list(found.values())


if __name__ == "__main__":
    sys.exit(main())
