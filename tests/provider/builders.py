"""Valid residents, notices and messages; a test names only what it is about."""

from __future__ import annotations

import dataclasses
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

from adapters.provider.codes import (
    AddressKind,
    Coded,
    Frequency,
    Gender,
    JwStopReason,
    Referrer,
    RequestOutcome,
    RequestReason,
    RequestRefusal,
    StopReason,
    Unit,
    WmoStopReason,
)
from adapters.provider.declarations import (
    Declaration,
    Performance,
    build_declaration_answer,
    write_declaration,
)
from adapters.provider.errors import Finding
from adapters.provider.mapping import write_assignments, write_starts, write_stops
from adapters.provider.records import (
    Assignment,
    AssignmentNotice,
    CareStart,
    CareStop,
    Contact,
    Envelope,
    PersonName,
    Product,
    Resident,
    StartNotice,
    StopNotice,
)
from adapters.provider.requests import (
    AskedProduct,
    AssignmentRequest,
    Changed,
    ChangeRequest,
    Referral,
    RequestAnswer,
    Size,
    Wanted,
    write_assignment_request,
    write_change_request,
    write_request_answer,
)
from adapters.provider.retour import RetourIdentity
from adapters.provider.schema import Law
from adapters.provider.xml import Message, Node
from adapters.sdk.bsn import Bsn

if TYPE_CHECKING:
    from collections.abc import Callable

BSN = "999900006"
SURNAME = "Zonderland"
TODAY = date(2026, 6, 1)
MUNICIPALITY = "0363"
PROVIDER = "65656055"


def resident(**changes: Any) -> Resident:  # noqa: ANN401 -- the fields of the record, whatever they are
    whole = Resident(
        bsn=Bsn(BSN),
        birth_date=date(1967, 8, 13),
        gender=Gender.FEMALE,
        name=PersonName(surname=SURNAME, prefix="van", given_names="Ans", initials="A"),
    )
    return dataclasses.replace(whole, **changes)


def envelope(law: Law = Law.WMO, *, to_provider: bool, identification: str = "A1") -> Envelope:
    sender, receiver = (MUNICIPALITY, PROVIDER) if to_provider else (PROVIDER, MUNICIPALITY)
    return Envelope(law, sender, receiver, identification, date(2026, 5, 20))


def contact(**changes: Any) -> Contact:  # noqa: ANN401 -- the fields of the record, whatever they are
    whole = Contact(
        kind=AddressKind.REGISTERED,
        house_number=12,
        postcode="1234AB",
        street="Dorpsstraat",
        place="Dwingeloo",
        country="NL",
    )
    return dataclasses.replace(whole, **changes)


def assignment(law: Law = Law.WMO, **changes: Any) -> Assignment:  # noqa: ANN401 -- the fields of the record
    whole = Assignment(
        number=101,
        product=Product("02", "02A03") if law is Law.WMO else Product("45", "45A04"),
        assigned_on=date(2026, 5, 19),
        assigned_at=time(12, 34, 56),
        starts_on=date(2026, 6, 1),
        ends_on=date(2027, 5, 31),
        volume=4,
        unit=Unit.HOUR,
        frequency=Frequency.PER_WEEK,
    )
    return dataclasses.replace(whole, **changes)


def assignment_notice(
    law: Law = Law.WMO, assignments: tuple[Assignment, ...] | None = None, identification: str = "A1"
) -> AssignmentNotice:
    return AssignmentNotice(
        envelope=envelope(law, to_provider=True, identification=identification),
        resident=resident(),
        contacts=(
            contact(),
            contact(kind=AddressKind.TEMPORARY, telephone="0591123456", email="a@example.test"),
        ),
        assignments=assignments if assignments is not None else (assignment(law),),
    )


def product(law: Law) -> Product:
    return assignment(law).product or Product("02")


def start_notice(law: Law = Law.WMO) -> StartNotice:
    start = CareStart(
        starts_on=date(2026, 5, 18),
        assignment_number=101,
        product=product(law),
        assignment_starts_on=date(2026, 5, 1),
    )
    other = dataclasses.replace(start, assignment_number=102)
    return StartNotice(envelope(law, to_provider=False), resident(), (start, other))


def stop_notice(law: Law = Law.WMO) -> StopNotice:
    reason: StopReason = WmoStopReason.AS_PLANNED if law is Law.WMO else JwStopReason.AS_PLANNED
    stop = CareStop(
        starts_on=date(2026, 4, 1),
        ends_on=date(2026, 5, 18),
        reason=reason,
        assignment_number=101,
        product=product(law),
        assignment_starts_on=date(2026, 4, 1),
    )
    other = dataclasses.replace(stop, assignment_number=102)
    return StopNotice(envelope(law, to_provider=False), resident(), (stop, other))


def request(law: Law = Law.WMO, **changes: Any) -> AssignmentRequest:  # noqa: ANN401 -- the fields of the record
    whole = AssignmentRequest(
        envelope=envelope(law, to_provider=False),
        resident=resident(),
        products=tuple(
            AskedProduct(
                reference=reference,
                wanted=Wanted(
                    starts_on=starts_on,
                    ends_on=starts_on + timedelta(days=364),
                    product=product(law),
                    size=Size(4, Unit.HOUR, Frequency.PER_WEEK),
                ),
                referral=Referral(Referrer.FAMILY_DOCTOR, name="Doctor"),
                decision_number=7,
                decision_from=date(2026, 6, 1),
                framework_contract=True,
                comment="Ask",
            )
            for reference, starts_on in (("R-1", date(2026, 6, 1)), ("R-2", date(2027, 6, 1)))
        ),
        guardian_known=None if law is Law.WMO else False,
        comment="All",
    )
    return dataclasses.replace(whole, **changes)


def change_request(law: Law = Law.WMO, **changes: Any) -> ChangeRequest:  # noqa: ANN401 -- the fields of the record
    size = Size(8, Unit.HOUR, Frequency.PER_WEEK)
    whole = ChangeRequest(
        envelope=envelope(law, to_provider=False),
        bsn=Bsn(BSN),
        reference="R-3",
        reason=RequestReason.CARE_PLAN,
        unchanged=(102,),
        changed=(Changed(101, Wanted(date(2026, 6, 8), date(2027, 5, 31), size=size)),),
        added=(
            Wanted(
                date(2026, 7, 1), date(2026, 12, 31), Product(product(law).category), Size(budget_cents=100)
            ),
        ),
    )
    return dataclasses.replace(whole, **changes)


def request_answer(law: Law = Law.WMO, **changes: Any) -> RequestAnswer:  # noqa: ANN401 -- the fields of the record
    refusal = RequestRefusal.BUDGET if law is Law.WMO else RequestRefusal.RESIDENCE
    whole = RequestAnswer(
        envelope(law, to_provider=True),
        "R-1",
        RequestOutcome.REJECTED,
        refusal,
        None if law is Law.WMO else "0384",
    )
    return dataclasses.replace(whole, **changes)


def performance(law: Law = Law.WMO, **changes: Any) -> Performance:  # noqa: ANN401 -- the fields of the record
    whole = Performance(
        reference="P-1",
        number=101,
        product=product(law),
        first=date(2026, 4, 1),
        last=date(2026, 4, 30),
        volume=5,
        unit=Unit.HOUR,
        rate_cents=1500,
        cents=7500,
    )
    return dataclasses.replace(whole, **changes)


def declaration(law: Law = Law.WMO, **changes: Any) -> Declaration:  # noqa: ANN401 -- the fields of the record
    whole = Declaration(
        envelope=envelope(law, to_provider=False),
        number="DN001",
        first=date(2026, 4, 1),
        last=date(2026, 4, 30),
        signed_on=date(2026, 5, 19),
        clients=(
            (Bsn(BSN), (performance(law),)),
            (Bsn("111222333"), (performance(law, reference="P-2", number=102),)),
        ),
    )
    return dataclasses.replace(whole, **changes)


def declaration_answer(law: Law = Law.WMO) -> Message:
    """Refuse the first line of two."""
    path = "/Bericht/Declaratie/Clienten/Client[1]/Prestaties/Prestatie"
    findings = (Finding("TR338", path, "9338"),)
    return build_declaration_answer(message("323", law), findings, RetourIdentity("R1", date(2026, 6, 1)))


MAKERS: dict[str, Callable[[Law], Message]] = {
    "301": lambda law: write_assignments(assignment_notice(law)),
    "305": lambda law: write_starts(start_notice(law)),
    "307": lambda law: write_stops(stop_notice(law)),
    "315": lambda law: write_assignment_request(request(law)),
    "317": lambda law: write_change_request(change_request(law)),
    "319": lambda law: write_request_answer(request_answer(law)),
    "323": lambda law: write_declaration(declaration(law)),
    "325": declaration_answer,
}


def message(number: str, law: Law = Law.WMO) -> Message:
    return MAKERS[number](law)


def put(whole: Message, path: str, text: str | None) -> Message:
    """Set the text at `Client/Contact[2]/Soort`, making it where it is absent; None takes it away."""
    root = _put(whole, whole.root, "Bericht", path.split("/"), text)
    return Message(whole.law, whole.number, root)


def _put(whole: Message, node: Node, kind: str, steps: list[str], text: str | None) -> Node:
    name, _, number = steps[0].removesuffix("]").partition("[")
    wanted = int(number or "1")
    rules = whole.schema.classes[kind]
    rule = next(rule for rule in rules if rule.name == name)
    children: list[Node] = []
    for each in rules:
        same = [child for child in node.children if child.name == each.name]
        if each.name == name:
            while len(same) < wanted and (text is not None or len(steps) > 1):
                same.append(Node(name))
            if len(steps) > 1:
                same[wanted - 1] = _put(whole, same[wanted - 1], rule.kind, steps[1:], text)
            elif text is None:
                same = same[: wanted - 1] + same[wanted:]
            else:
                same[wanted - 1] = Node(name, text)
        children += same
    return Node(node.name, node.text, tuple(children))


def codes_of(kind: type[Coded]) -> set[str]:
    return {member.code for member in kind}
