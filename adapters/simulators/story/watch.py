"""The officer keeps watch: looks nothing explains, names by two, a sample nobody steers, and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.access import labelled
from adapters.sdk.calls import claim
from adapters.sdk.streams import STREAM_LOG, STREAM_PACK
from adapters.simulators.story.stage import AUDIT, StoryBroken
from exchange.v1 import audit_service_pb2 as audit
from exchange.v1 import lookup_review_service_pb2 as review
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

CHANGES: Final = claim(Purpose.PURPOSE_TOEZICHT, "LOOKUPS-39")
READS: Final = claim(Purpose.PURPOSE_TOEZICHT, "LOOKUPS-READ-39")
REASON: Final = "Raadplegingen zonder zaak, taak of verwijzing in een taak met weinig medewerkers."
SAMPLE: Final = 20
KIB: Final = 1024


def what_nothing_explains(told: Telling, plan: Plan) -> None:
    """Count first, without people; then ask for names, which one person cannot do alone."""
    told.chapter("The officer keeps watch")
    officer = plan.municipality.as_("fg-1", "fg", "privacy-officer")
    month = plan.script.today.strftime("%Y-%m")
    cells = officer.lookups.list_lookup_cells(
        claim=AUDIT, fields=labelled(review.ListLookupCellsResponse.DESCRIPTOR), month=month
    ).cells
    looks, unexplained = (sum(getattr(one, name) for one in cells) for name in ("accesses", "unexplained"))
    if not looks:
        raise StoryBroken("nobody was seen to look")
    told.step(
        "lookups",
        f"Of {looks} looks this month {looks - unexplained} are explained by a case, a task, a referral or "
        f"by standing in; {unexplained} by nothing that is known here. Counted without anybody's name.",
        "PERMIT",
    )
    _names_by_two(told, plan, max(cells, key=lambda one: one.unexplained), month)
    _taken_along(told, plan)


def _names_by_two(told: Telling, plan: Plan, cell: review.LookupCell, month: str) -> None:
    officer = plan.municipality.as_("fg-1", "fg", "privacy-officer")
    of: dict[str, Any] = {"of_organisation": cell.organisation, "of_task": cell.task, "month": month}
    asked = officer.lookups.request_names(claim=CHANGES, reason=REASON, **of)
    told.keep(plan.municipality, asked)

    def read() -> review.ListUnexplainedResponse:
        fields = labelled(review.ListUnexplainedResponse.DESCRIPTOR)
        return officer.lookups.list_unexplained(claim=AUDIT, fields=fields, **of)

    told.broken(
        "names-alone", "Whose looks are they? The officer alone does not get names.", read, "RULE_BROKEN"
    )
    keeper = plan.municipality.as_("beheer-7", "beheer", "beheerder")
    waiting = keeper.lookups.list_names_requests(claim=READS, of_organisation=cell.organisation, month=month)
    if [one.names_request_id for one in waiting.requests] != [asked.names_request_id]:
        raise StoryBroken("the second person sees something else than what was asked")
    agreed = keeper.lookups.approve_names(claim=CHANGES, names_request_id=asked.names_request_id, **of)
    told.keep(plan.municipality, agreed)
    names = {one.professional for one in read().lookups}
    told.step(
        "names-by-two",
        f"A second person reads why, and agrees: for two weeks the officer may read the names behind one "
        f"task: {len(names)}. That he read them is on record as well.",
        "PERMIT",
    )
    told.broken(
        "sample-early",
        "And which looks are looked into, besides? Those the log's own root draws, once the month is over: "
        "not before, and by nobody's choice.",
        lambda: officer.lookups.draw_sample(
            claim=CHANGES, of_organisation=cell.organisation, month=month, sample_size=SAMPLE
        ),
        "RULE_BROKEN",
    )


def _taken_along(told: Telling, plan: Plan) -> None:
    """Take the log and the pack along as streams; that it was done is for the officer's next list."""
    officer = plan.municipality.as_("fg-1", "fg", "privacy-officer")
    log = audit.StreamLogRequest(claim=AUDIT, fields=["lines"], form=audit.LOG_FORM_LOGBOEK_DATAVERWERKINGEN)
    pack = audit.StreamPackRequest(claim=AUDIT, fields=["content"])
    lines = [line for part in officer.open_export(STREAM_LOG, log) for line in part.lines]
    content = b"".join(part.content for part in officer.open_export(STREAM_PACK, pack))
    fields = ["decisions.disclosure.action", "decisions.disclosure.task"]
    listed = officer.audit.list_decisions(claim=AUDIT, fields=fields, newest_first=True, page_size=10)
    taken = [one.disclosure.action for one in listed.decisions if one.disclosure.task == "fg"]
    if not lines or not content or taken.count("EXPORT") != len(("log", "pack")):
        raise StoryBroken("what the officer took along does not stand in his list")
    told.step(
        "taken-along",
        f"The officer saves the log in the form of Logboek Dataverwerkingen, {len(lines)} lines, and the "
        f"audit pack, {len(content) // KIB} KiB, over the line. Both stand in the next list: taking along "
        f"is a decision too.",
        "PERMIT",
    )
