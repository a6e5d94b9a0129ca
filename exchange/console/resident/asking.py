"""What a resident asks on his own ground: his case, his plan, lists read to their end.

Promises: each question is his own right of access or his own word, judged and recorded as any; where there is
no case of his, it says nothing but that. An answer comes in the JSON form of the contract.
Source: GDPR 15; protos/exchange/v1.
"""

from __future__ import annotations

from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from exchange.console.language import later
from exchange.console.refusals import AnswerRefused, Refused
from exchange.console.roles import RESIDENT
from exchange.v1 import case_service_pb2 as case_pb
from exchange.v1 import options_pb2
from exchange.v1 import plan_service_pb2 as plan_pb
from exchange.v1.common_pb2 import PURPOSE_INZAGE, PURPOSE_KLACHT_BEZWAAR, Claim

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from google.protobuf.descriptor import Descriptor

    from exchange.console.page import Look

ACCESS: Final = Claim(purpose=PURPOSE_INZAGE, legal_basis="SUBJECT-15")
WORD: Final = Claim(purpose=PURPOSE_INZAGE, legal_basis="RESIDENT-WORD")
ASK: Final = Claim(purpose=PURPOSE_INZAGE, legal_basis="RIGHTS-12-RESIDENT")
OBJECT: Final = Claim(purpose=PURPOSE_KLACHT_BEZWAAR, legal_basis="OBJECT-21-RESIDENT")
LIMIT: Final = Claim(purpose=PURPOSE_KLACHT_BEZWAAR, legal_basis="LIMIT-18-RESIDENT")
# As many as the contract lets one question name, with room.
FIELDS_MAX: Final = 100
PAGES_MAX: Final = 1_000
WORDS_MAX: Final = 4_000
VERSION_DIGITS_MAX: Final = 9
_OURS: Final = "exchange.v1."
NO_CASE: Final = later("Er is hier geen plan van u. Het kan ook zijn dat het is gewist.")
NO_CASE_OF_HIS: Final = later(
    "U kunt hier niets meer voor deze persoon doen. Kies bij Voor wie iemand anders."
)
_Answer = TypeVar("_Answer", bound=Message)


class Case(NamedTuple):
    """Where a resident's data are."""

    case_id: str
    plan_id: str


class NoCase(Refused):
    """There is nothing of this resident here, or nothing any more."""

    status = HTTPStatus.NOT_FOUND


class Read(NamedTuple):
    """A plan as its resident may see it; `withheld` are the paths that were asked and not given."""

    plan: dict[str, Any]
    withheld: tuple[str, ...]


async def own_case(look: Look) -> Case:
    """Return the case of who is signed in. Raises NoCase."""
    request = case_pb.FindCaseRequest(
        claim=ACCESS, resident=look.session.resident or b"", fields=["case_id", "plan_id"]
    )
    try:
        found = await look.ask(request, case_pb.FindCaseResponse)
    except AnswerRefused as refused:
        if not refused.rules:
            raise
        found = case_pb.FindCaseResponse()
    if not found.case_id:
        raise NoCase("NO_CASE", NO_CASE if look.session.role is RESIDENT else NO_CASE_OF_HIS)
    return Case(found.case_id, found.plan_id)


async def read_plan(look: Look, plan_id: str, fields: Sequence[str]) -> Read:
    """Return the plan, asked in as many questions as its fields need; what is withheld is no refusal."""
    whole, withheld, refused = plan_pb.GetPlanResponse().plan, list[str](), list[AnswerRefused]()
    questions = list(in_questions(fields))
    for question in questions:
        request = plan_pb.GetPlanRequest(claim=ACCESS, plan_id=plan_id, fields=question, allow_partial=True)
        try:
            answer = await look.ask(request, plan_pb.GetPlanResponse)
        except AnswerRefused as error:
            if not error.rules:
                raise
            # A part of which nothing may be seen is withheld; a plan of which nothing may be is refused.
            refused.append(error)
            withheld += question
            continue
        whole.MergeFrom(answer.plan)
        withheld += answer.withheld_fields
    if len(refused) == len(questions):
        raise refused[0]
    return Read(told(whole), tuple(withheld))


async def pages(look: Look, request: Any, answer: type[_Answer]) -> AsyncIterator[_Answer]:  # noqa: ANN401 -- any question of pages
    """Yield every page of a list. `request` is asked again with the token of the page before."""
    for _ in range(PAGES_MAX):
        page: Any = await look.ask(request, answer)
        yield page
        token = getattr(page, "next_page_token", "")
        if not token:
            return
        request.page_token = token


def in_questions(fields: Sequence[str]) -> Iterator[list[str]]:
    """Divide paths over questions, never a collection over two: its elements are told in one order each."""
    question: list[str] = []
    for _, group in groupby(fields, key=lambda path: path.partition(".")[0]):
        collection = list(group)
        if question and len(question) + len(collection) > FIELDS_MAX:
            yield question
            question = []
        question += collection
    yield question


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


def told(message: Message) -> dict[str, Any]:
    """Return a message in the JSON form of the contract, by the names of its fields."""
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def words_of_form(look: Look, name: str, *, required: bool = True) -> str:
    """Return what a resident wrote. Raises Refused for nothing, or for more than is recorded."""
    said = look.field(name).replace("\r\n", "\n").strip()
    if required and not said:
        raise Refused("WORDS", later("U hebt nog niets ingevuld. Ga terug en schrijf op wat u wilt zeggen."))
    if len(said) > WORDS_MAX:
        raise Refused(
            "WORDS_LONG", later("Uw tekst is te lang. Er passen 4000 tekens. Ga terug en maak hem korter.")
        )
    return said


def version_of(look: Look) -> int:
    """Return the version of what a form was about, as it was shown. Raises Refused."""
    said = look.field("versie")
    if not (said.isascii() and said.isdecimal() and 0 < len(said) <= VERSION_DIGITS_MAX):
        raise Refused("VERSION", later("Dit formulier is niet goed. Open de pagina opnieuw."))
    return int(said)


def index_of(said: str, size: int) -> int:
    """Return a place in a list, as a page or a form names it. Raises Refused for one there is not."""
    if said.isascii() and said.isdecimal() and len(said) < len(str(PAGES_MAX * FIELDS_MAX)):
        place = int(said)
        if 1 <= place <= size:
            return place - 1
    raise Refused("NO_SUCH", later("Dit is er niet, of niet meer."), HTTPStatus.NOT_FOUND)
