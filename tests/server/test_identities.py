"""Another organisation learns whom a case is about: by its own pseudonym, and a BSN that only it can open."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from adapters.sdk.bsn import Bsn
from adapters.sdk.envelope_keys import EnvelopeKeys
from adapters.sdk.envelopes import (
    FIELDS,
    Binding,
    Envelopes,
    Fault,
    Recipient,
    recipient_key,
    seal_bsn,
    send_identity,
)
from adapters.sdk.residents import Pseudonyms
from adapters.sdk.tokens import Person
from exchange.domain.identities import IdentitySent
from exchange.errors import KeyDestroyed
from exchange.v1 import common_pb2 as pb
from exchange.v1.identity_service_pb2 import NO_CASE_REASON_FIND_CASE, EvaluateBlindedResponse
from tests.server.story import Story
from tests.server.test_pseudonyms import PROVIDE, shapes
from tests.server.town import ADMIN, CARE, CITY, DELIVER, INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.sdk.client import ExchangeClient

SCHOOL = "00000004000000099000"


def joined(town: Town, story: Story, oin: str = CARE, task: str = "wmo-aanbieder") -> None:
    story.wmo.case.join_professional(
        claim=INVESTIGATE, case_id=story.case_id, oin=oin, task=task, professional="z-1", role="begeleider"
    )


def carer_of(town: Town) -> ExchangeClient:
    return town.client(Person("z-1", "wmo-aanbieder", "begeleider"), town.care())


def send(story: Story, envelope: bytes = b"", **changes: Any) -> Any:  # noqa: ANN401 -- any field of the request
    told: dict[str, Any] = {
        "claim": INVESTIGATE,
        "case_id": story.case_id,
        "resident": story.pseudonym,
        "recipient_oin": CARE,
        "recipient_task": "wmo-aanbieder",
        "envelope": envelope,
    }
    return story.wmo.identity.send_identity(**(told | changes))


def get(client: ExchangeClient, story: Story, **changes: Any) -> Any:  # noqa: ANN401 -- any field of the request
    told: dict[str, Any] = {"claim": DELIVER, "case_id": story.case_id, "fields": list(FIELDS)}
    return client.identity.get_identity(**(told | changes))


@pytest.fixture
def together(town: Town) -> Story:
    """A resident whose case a care provider works on."""
    story = Story(town, next(town.bsns))
    carer_of(town)
    joined(town, story)
    return story


# --- pseudonyms ---------------------------------------------------------------------------------------------


def test_the_recipient_reads_its_own_pseudonym_and_the_sender_never_sees_it(
    town: Town, together: Story
) -> None:
    carer = carer_of(town)
    theirs = town.pseudonym(carer, together.bsn, PROVIDE)
    assert theirs != together.pseudonym
    answer = send(together)
    assert [one for one in shapes(theirs) if one in answer.SerializeToString()] == []
    told = get(carer, together)
    assert told.resident == theirs
    assert (told.sender_oin, told.sender_task) == (CITY, "college:WMO")
    assert told.purpose == pb.PURPOSE_WMO_ONDERZOEK
    assert told.send_time.seconds > 0
    # P12: the sender's pseudonym is not in what the recipient is answered.
    assert [one for one in shapes(together.pseudonym) if one in told.SerializeToString()] == []
    # With it the recipient finds the case as any of its own.
    found = carer.case.find_case(claim=PROVIDE, resident=told.resident, fields=["case_id"])
    assert found.case_id == together.case_id


def test_nothing_is_answered_before_anything_was_sent_and_to_nobody_else(town: Town, together: Story) -> None:
    carer = carer_of(town)
    empty = get(carer, together)
    assert (empty.resident, empty.envelope, empty.sender_oin) == (b"", b"", "")
    send(together)
    # Who sent it is no recipient of it; a stranger to the case is refused.
    mine = get(together.wmo, together, claim=INVESTIGATE)
    assert (mine.resident, mine.sender_oin) == (b"", "")
    stranger = town.client(Person("z-9", "wmo-aanbieder", "begeleider"), town.care())
    with pytest.raises(errors.Denied) as refused:
        get(stranger, together)
    assert "R03" in refused.value.rules
    with pytest.raises(errors.Denied) as unknown:
        get(stranger, together, case_id=str(uuid.uuid4()))
    assert unknown.value.rules == refused.value.rules


def test_only_leaves_that_are_asked_leave(town: Town, together: Story) -> None:
    send(together)
    told = get(carer_of(town), together, fields=["sender_oin"])
    assert told.sender_oin == CITY
    assert (told.resident, told.sender_task, told.purpose) == (b"", "", 0)


def test_who_has_no_right_to_the_bsn_gets_no_pseudonym_this_way_either(town: Town) -> None:
    story = Story(town, next(town.bsns))
    credentials = town.join(SCHOOL, "vrijwilligersorganisatie")
    joined(town, story, SCHOOL, "vrijwilligersorganisatie")
    send(story, recipient_oin=SCHOOL, recipient_task="vrijwilligersorganisatie")
    volunteer = town.client(Person("z-1", "vrijwilligersorganisatie", "vrijwilliger"), credentials)
    with pytest.raises(errors.Denied):
        get(volunteer, story)


def test_the_right_to_the_bsn_is_judged_field_by_field(town: Town, together: Story) -> None:
    send(together)
    # A basis on which the provider may read, but no BSN.
    with pytest.raises(errors.Denied) as refused:
        get(carer_of(town), together, claim=ADMIN)
    assert refused.value.rules
    with pytest.raises(errors.Denied) as sender:
        send(together, claim=ADMIN)
    assert sender.value.rules


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"recipient_oin": "00000009000000099000"}, "does not work on this case"),
        ({"recipient_task": "jeugdhulpaanbieder"}, "does not work on this case"),
        ({"recipient_oin": CITY, "recipient_task": "college:PW"}, "one pseudonym"),
    ],
)
def test_a_recipient_is_another_organisation_on_the_case(
    together: Story, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(errors.RuleBroken) as refused:
        send(together, **changes)
    assert says in refused.value.message


def test_another_resident_and_nobody_are_refused_alike(town: Town, together: Story) -> None:
    other = Story(town, next(town.bsns))
    unknown = town.pseudonym(together.wmo, next(town.bsns))
    for resident in (other.pseudonym, unknown):
        with pytest.raises(errors.RuleBroken) as refused:
            send(together, resident=resident)
        assert (refused.value.rule, refused.value.message) == (
            "OTHER_RESIDENT",
            "this case is about another resident",
        )
    with pytest.raises(errors.Invalid) as malformed:
        send(together, resident=b"\xff" * 32)
    assert malformed.value.reason == "GROUP_ELEMENT_INVALID"


def test_the_same_request_twice_is_one_event(town: Town, together: Story) -> None:
    request_id = str(uuid.uuid4())
    first = send(together, request_id=request_id)
    assert send(together, request_id=request_id) == first
    assert len(town.state("case", together.case_id).identities) == 1


# --- envelopes ----------------------------------------------------------------------------------------------


@pytest.fixture
def keys(town: Town, tmp_path: Path) -> EnvelopeKeys:
    keys = EnvelopeKeys(tmp_path / "envelope-keys")
    public, signature = keys.make(town.care())
    town.worker("beheer", "beheerder-1").organisation.set_envelope_key(
        claim=ADMIN, oin=CARE, envelope_key=public, key_signature=signature
    )
    return keys


def sealed(story: Story, tmp_path: Path, bsn: str = "", **changes: Any) -> bytes:  # noqa: ANN401 -- any part of the binding
    public = recipient_key(story.wmo.organisation, CARE, tmp_path / "care.pin")
    bound: dict[str, Any] = {
        "sender_oin": CITY,
        "recipient_oin": CARE,
        "recipient_task": "wmo-aanbieder",
        "case_id": story.case_id,
        "purpose": pb.PURPOSE_WMO_ONDERZOEK,
    }
    return seal_bsn(Bsn(bsn or story.bsn), public, Binding(**(bound | changes)))


def receiving(town: Town, keys: EnvelopeKeys, tmp_path: Path) -> Callable[[Story], Any]:
    envelopes = Envelopes(CARE, "wmo-aanbieder", keys, Pseudonyms(tmp_path / "exchange.pin"))
    carer = carer_of(town)
    return lambda story: envelopes.receive(carer.identity, story.case_id, claim=DELIVER, own_claim=PROVIDE)


def test_a_bsn_travels_from_one_organisation_to_another_and_the_exchange_never_holds_it(
    town: Town, together: Story, keys: EnvelopeKeys, tmp_path: Path
) -> None:
    envelope = sealed(together, tmp_path)
    send(together, envelope)
    found = receiving(town, keys, tmp_path)(together)
    assert found.bsn.reveal() == together.bsn
    assert found.pseudonym == town.pseudonym(carer_of(town), together.bsn, PROVIDE)
    # Of the envelope there is no byte in the store: it is sealed with the resident's key, and dies with it.
    for file in town.settings.data.rglob("*.db*"):
        content = file.read_bytes()
        assert envelope not in content
        assert envelope.hex().encode() not in content
        assert together.bsn.encode() not in content


def test_the_sdk_sends_what_the_recipients_sdk_takes(
    town: Town, together: Story, keys: EnvelopeKeys, tmp_path: Path
) -> None:
    recipient = Recipient(CARE, "wmo-aanbieder", tmp_path / "care.pin")
    about: dict[str, Any] = {"case_id": together.case_id, "resident": together.pseudonym}
    send_identity(together.wmo, CITY, recipient, claim=INVESTIGATE, bsn=Bsn(together.bsn), **about)
    receive = receiving(town, keys, tmp_path)
    assert receive(together).bsn.reveal() == together.bsn
    send_identity(together.wmo, CITY, recipient, claim=INVESTIGATE, **about)
    assert receive(together).bsn is None


@pytest.mark.usefixtures("keys")
def test_an_envelope_dies_with_the_residents_key(town: Town, together: Story, tmp_path: Path) -> None:
    send(together, sealed(together, tmp_path))
    row = town.core.reader.page_of_stream(f"case-{together.case_id}", 2**62, 1)[0]
    place: dict[str, Any] = {"stream": row.stream, "version": row.version, "topic": row.topic}
    opened = town.core.codec.decode(row.state, **place)
    assert isinstance(opened.event, IdentitySent)
    assert len(opened.event.envelope) == 132
    town.core.keys.destroy(town.resident_of(together.pseudonym))
    with pytest.raises(KeyDestroyed):
        town.core.codec.decode(row.state, **place)


def test_an_envelope_that_is_not_for_this_is_refused_by_name(
    town: Town, together: Story, keys: EnvelopeKeys, tmp_path: Path
) -> None:
    receive = receiving(town, keys, tmp_path)
    other = Story(town, next(town.bsns))
    joined(town, other)
    of_first = sealed(together, tmp_path)
    cases = [
        # Replayed to another case; for another purpose; of another resident.
        (other, of_first, Fault.NOT_BOUND),
        (together, sealed(together, tmp_path, purpose=pb.PURPOSE_WMO_LEVERING), Fault.NOT_BOUND),
        (together, sealed(together, tmp_path, bsn=other.bsn), Fault.OTHER_RESIDENT),
        (together, b"\x01" * 66, Fault.OTHER_RECIPIENT),
        (together, bytes(66), Fault.MALFORMED),
    ]
    for story, envelope, reason in cases:
        send(story, envelope)
        with pytest.raises(errors.EnvelopeRefused) as refused:
            receive(story)
        assert refused.value.reason == reason
    # The right one afterwards is taken.
    send(together, of_first)
    assert receive(together).bsn.reveal() == together.bsn


@pytest.mark.parametrize("length", [1, 65])
def test_an_envelope_of_another_length_is_refused(together: Story, length: int) -> None:
    with pytest.raises(errors.Invalid) as refused:
        send(together, b"\x01" * length)
    assert "66 bytes" in refused.value.field_violations["envelope"]


def test_an_envelope_key_is_the_organisations_own(town: Town, tmp_path: Path) -> None:
    operator = town.worker("beheer", "beheerder-1").organisation
    credentials = town.join("00000004000000077000", "wmo-aanbieder", "beheer")
    keys = EnvelopeKeys(tmp_path / "keys")
    public, signature = keys.make(credentials)
    stolen, by_operator = keys.make(town.credentials())
    said: dict[str, Any] = {"claim": ADMIN, "oin": "00000004000000077000"}
    with pytest.raises(errors.RuleBroken) as none_yet:
        operator.get_envelope_key(oin=said["oin"])
    assert none_yet.value.rule == "NO_ENVELOPE_KEY"
    # The operator puts a key of its own in the place of theirs.
    with pytest.raises(errors.RuleBroken) as refused:
        operator.set_envelope_key(**said, envelope_key=stolen, key_signature=by_operator)
    assert refused.value.rule == "NOT_SIGNED"
    with pytest.raises(errors.Invalid) as weak:
        operator.set_envelope_key(**said, envelope_key=bytes(32), key_signature=signature)
    assert "small order" in weak.value.field_violations["envelope_key"]
    own = town.client(Person("b-1", "beheer", "beheerder"), credentials).organisation
    own.set_envelope_key(**said, envelope_key=public, key_signature=signature)
    assert recipient_key(operator, said["oin"], tmp_path / "pin") == public
    with pytest.raises(errors.RuleBroken) as others:
        own.set_envelope_key(claim=ADMIN, oin=CITY, envelope_key=stolen, key_signature=by_operator)
    assert others.value.rule == "NOT_THE_OPERATOR"
    renewed, signed = keys.make(credentials)
    own.set_envelope_key(**said, envelope_key=renewed, key_signature=signed)
    assert recipient_key(operator, said["oin"], tmp_path / "pin") == renewed


def test_a_key_signed_under_a_revoked_certificate_is_given_no_more(town: Town, tmp_path: Path) -> None:
    oin = "00000004000000088000"
    credentials = town.join(oin, "wmo-aanbieder")
    public, signature = EnvelopeKeys(tmp_path / "keys").make(credentials)
    operator = town.worker("beheer", "beheerder-1").organisation
    operator.set_envelope_key(claim=ADMIN, oin=oin, envelope_key=public, key_signature=signature)
    operator.revoke_certificate(claim=ADMIN, oin=oin, certificate_thumbprint=credentials.thumbprint)
    with pytest.raises(errors.RuleBroken) as refused:
        operator.get_envelope_key(oin=oin)
    assert refused.value.rule == "NO_ENVELOPE_KEY"


# --- evaluations: each with its case, within a share --------------------------------------------------------


def blinded(count: int = 1) -> list[bytes]:
    import rbcl

    return [rbcl.crypto_core_ristretto255_random() for _ in range(count)]


def test_an_evaluation_says_its_case_or_why_there_is_none(town: Town, together: Story) -> None:
    identity = carer_of(town).identity
    ask: dict[str, Any] = {"claim": PROVIDE, "blinded_elements": blinded()}
    both: dict[str, Any] = {"case_id": together.case_id, "no_case_reason": NO_CASE_REASON_FIND_CASE}
    neither: dict[str, Any] = {}
    for changes in (neither, both):
        with pytest.raises(errors.Invalid) as refused:
            identity.evaluate_blinded(**ask, **changes)
        assert "not both" in refused.value.field_violations["case_id"]
    with pytest.raises(errors.Invalid) as unknown:
        identity.evaluate_blinded(**(ask | {"no_case_reason": 99}))
    assert "no_case_reason" in unknown.value.field_violations
    answer = identity.evaluate_blinded(**ask, case_id=together.case_id)
    assert isinstance(answer, EvaluateBlindedResponse)
    # The decision stands among those about the resident, who can see it.
    told = together.resident().disclosure.list_disclosures(
        claim=pb.Claim(purpose=pb.PURPOSE_INZAGE, legal_basis="SUBJECT-15"),
        case_id=together.case_id,
        fields=["disclosures.organisation", "disclosures.released_fields"],
        allow_partial=True,
    )
    released = [(one.organisation, list(one.released_fields)) for one in told.disclosures]
    assert (CARE, ["evaluated_elements"]) in released


def test_who_does_not_work_on_the_case_evaluates_nothing_for_it(town: Town, together: Story) -> None:
    stranger = town.client(Person("z-9", "wmo-aanbieder", "begeleider"), town.care())
    for case_id in (together.case_id, str(uuid.uuid4())):
        with pytest.raises(errors.Denied) as refused:
            stranger.identity.evaluate_blinded(claim=PROVIDE, blinded_elements=blinded(), case_id=case_id)
        assert refused.value.rules == ("R03",)


def test_every_evaluation_is_counted_in_the_ledger_of_its_day(town: Town, together: Story) -> None:
    identity = carer_of(town).identity
    before = used(town)
    identity.evaluate_blinded(claim=PROVIDE, blinded_elements=blinded(3), case_id=together.case_id)
    assert used(town) == before + 3


def used(town: Town) -> int:
    state = town.state("evaluation", f"{CARE}.{town.now().date().isoformat()}")
    return 0 if state is None else int(state.elements)


def test_a_wrong_element_costs_its_share_like_any(town: Town) -> None:
    before = used(town)
    with pytest.raises(errors.Invalid):
        carer_of(town).identity.evaluate_blinded(
            claim=PROVIDE, blinded_elements=[b"\xff" * 32], no_case_reason=NO_CASE_REASON_FIND_CASE
        )
    assert used(town) == before + 1
