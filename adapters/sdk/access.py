"""The whole answer on access (GDPR 15), gathered by the calls that give its parts, each judged and recorded.

`gather(client, claim, case_id, plan_id)`. Promises: every labelled field of every part is asked, and what was
not given is named; pages are read to the end, the covered leaves of all pages joined. What is recorded by the
gathering itself is not in it: ask again for that.
Source: GDPR 15(1), 15(3); protos/exchange/v1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.errors import Denied
from exchange.v1 import consent_service_pb2 as consent
from exchange.v1 import disclosure_service_pb2 as disclosure
from exchange.v1 import options_pb2
from exchange.v1 import representation_service_pb2 as representation
from exchange.v1 import resident_rights_service_pb2 as rights
from exchange.v1.plan_pb2 import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.descriptor import Descriptor

    from adapters.sdk.client import ExchangeClient
    from exchange.v1.common_pb2 import Claim

_OURS: Final = "exchange.v1."
FIELDS_MAX: Final = 100  # of one question, as the contract's rule says


@dataclass(slots=True)
class Access:
    """Everything that may be shown; `withheld` are the paths that were not, by part."""

    answer: rights.GetAccessAnswerResponse
    plan: Plan
    consents: list[consent.Consent] = field(default_factory=list)
    representatives: list[representation.Representative] = field(default_factory=list)
    disclosures: list[disclosure.Disclosure] = field(default_factory=list)
    requests: list[rights.RightsRequest] = field(default_factory=list)
    withheld: dict[str, tuple[str, ...]] = field(default_factory=dict)


def gather(client: ExchangeClient, claim: Claim, case_id: str, plan_id: str) -> Access:
    """Return the answer. Raises ExchangeRefused where the resident's side may not see any of a part."""
    asked: dict[str, Any] = {"claim": claim, "case_id": case_id}
    answer = _answer(client, asked)
    plan, withheld = _plan(client, {"claim": claim, "plan_id": plan_id, "allow_partial": True})
    found = Access(answer, plan, withheld={"plan": withheld})
    parts: tuple[tuple[str, Callable[..., Any], Any, bool], ...] = (
        ("consents", client.consent.list_consents, consent.ListConsentsResponse, True),
        (
            "representatives",
            client.representation.list_representatives,
            representation.ListRepresentativesResponse,
            True,
        ),
        ("disclosures", client.disclosure.list_disclosures, disclosure.ListDisclosuresResponse, True),
        ("requests", client.rights.list_rights_requests, rights.ListRightsRequestsResponse, False),
    )
    for name, ask, kind, partial in parts:
        question = asked | {"fields": labelled(kind.DESCRIPTOR)}
        if partial:
            question["allow_partial"] = True
        for page in _pages(ask, question):
            getattr(found, name).extend(getattr(page, name))
            found.withheld[name] = tuple(getattr(page, "withheld_fields", ()))
    return found


def _plan(client: ExchangeClient, asked: dict[str, Any]) -> tuple[Plan, tuple[str, ...]]:
    """Read the plan in questions of whole collections: it has more fields than one question may name."""
    plan, withheld = Plan(), list[str]()
    questions = _questions(labelled(Plan.DESCRIPTOR))
    refused = []
    for fields in questions:
        try:
            given = client.plan.get_plan(fields=fields, **asked)
        except Denied as denied:
            # A part of which nothing may be seen is withheld; a plan of which nothing may be is refused.
            refused.append(denied)
            withheld += fields
            continue
        plan.MergeFrom(given.plan)
        withheld += given.withheld_fields
    if len(refused) == len(questions):
        raise refused[0]
    return plan, tuple(withheld)


def _questions(paths: list[str]) -> list[list[str]]:
    """Divide paths over questions, never a collection over two: its elements are told in one order each."""
    questions: list[list[str]] = [[]]
    for _, group in groupby(paths, key=lambda path: path.partition(".")[0]):
        collection = list(group)
        if len(questions[-1]) + len(collection) > FIELDS_MAX:
            questions.append([])
        questions[-1] += collection
    return questions


def labelled(descriptor: Descriptor) -> list[str]:
    """Return the leaf paths of an answer that can be asked: those with a privacy label."""
    return list(_leaves(descriptor))


def _leaves(descriptor: Descriptor) -> Iterator[str]:
    for one in descriptor.fields:
        inner = one.message_type
        if inner is not None and inner.full_name.startswith(_OURS):
            yield from (f"{one.name}.{path}" for path in _leaves(inner))
        elif one.GetOptions().HasExtension(options_pb2.privacy):
            yield one.name


def _answer(client: ExchangeClient, asked: dict[str, Any]) -> rights.GetAccessAnswerResponse:
    fields = labelled(rights.GetAccessAnswerResponse.DESCRIPTOR)
    first, *rest = _pages(client.rights.get_access_answer, asked | {"fields": fields})
    answer: rights.GetAccessAnswerResponse = first
    for page in rest:
        answer.covered.leaf_indexes.extend(page.covered.leaf_indexes)
    return answer


def _pages(ask: Callable[..., Any], question: dict[str, Any]) -> Iterator[Any]:
    token = ""
    while True:
        paged = question | ({"page_token": token} if token else {})
        answer = ask(**paged)
        yield answer
        token = getattr(answer, "next_page_token", "")
        if not token:
            return
