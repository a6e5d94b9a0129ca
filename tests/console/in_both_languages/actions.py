"""All there is to try in the console, read from the console itself: pages, forms, choices in them, checks.

Promises: a page, a form, or one more value of a choice is in `every()` without being named here; said here is
only by which field a choice is made, and test_everything_is_tried.py names a field of which nobody knows.
An action is written as `GET /mijn/4/{number} number=3`: the method, the place as the console's table has it,
and one choice; `GET /naspelen?dag&totdag` is the form that sends these fields.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.routing import compile_path

from exchange.console.app import LANGUAGE_PATH, QUICK, find_pages
from exchange.console.decision_filter import PLACE as DISCLOSURES
from exchange.console.decision_filter import TABLE, VIEWS
from exchange.console.duties import NAMES, ways_of
from exchange.console.login import BACK, BEGIN, LEAVE
from exchange.console.pages import disclosures
from exchange.console.pages.lookup_sample import FINDINGS
from exchange.console.pages.my_plan import BESIDE, SAYS
from exchange.console.pages.on_behalf import HIMSELF
from exchange.console.pages.policy.logs import KINDS, LOGS, PURPOSES
from exchange.console.pages.policy.papers import FORMS
from exchange.console.pages.safe_view import SAFE
from exchange.console.resident.ways import ERASED, WAYS
from exchange.console.templating import TEMPLATES
from exchange.v1 import audit_service_pb2 as audit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Of each console, whoever looks. Its files are no pages.
OWN: Final = (
    ("GET", "/"),
    ("GET", BEGIN),
    ("GET", BACK),
    ("GET", LANGUAGE_PATH),
    ("POST", LEAVE),
    ("GET", QUICK),
)
FILES: Final = "/static/{name}"
# What a field or a part of an address chooses between, "" for one that is not there.
CHOICES: Final[Mapping[tuple[str, str], Mapping[str, tuple[str, ...]]]] = {
    ("POST", "/mijn/1/zeg"): {"zeg": tuple(SAYS)},
    ("POST", "/mijn/1/woorden"): {"deel": tuple(BESIDE)},
    ("GET", "/mijn/4/{number}"): {"number": tuple(way.number for way in WAYS)},
    ("POST", "/mijn/4/{number}/vraag"): {
        "number": tuple(way.number for way in WAYS),
        "wat": tuple(ERASED),
    },
    ("POST", "/mijn/6/kies"): {"wie": (HIMSELF, "1")},
    ("POST", "/weergave"): {"stand": tuple(SAFE)},
    ("POST", "/vandaag/plicht"): {
        "outcome": tuple(
            dict.fromkeys(audit.DutyOutcome.Name(way.outcome) for duty in NAMES for way in ways_of(duty))
        )
    },
    ("POST", "/toezicht/bevinding"): {"bevinding": tuple(one.value for one in FINDINGS)},
    ("POST", "/voorvertoning"): {"geheel": ("", "ja")},
    ("GET", DISCLOSURES): {"beeld": tuple("" if view == TABLE else view for view in VIEWS)},
    ("GET", f"{DISCLOSURES}/bestand"): {"vorm": tuple(disclosures.FORMS)},
    ("GET", "/register/verwerkingen/{form}"): {"form": FORMS},
    ("GET", "/uitvoer/maand"): {"vorm": FORMS},
    ("GET", "/uitvoer/logboek"): {
        "logboek": tuple(log.word for log in LOGS),
        "doel": tuple(PURPOSES),
        "vorm": tuple(KINDS),
    },
}
# In which browser something is checked that nothing is sent for: a button of a template.
CHECK: Final = "CHECK"
# What every form carries.
ALWAYS: Final = frozenset({"csrf", "request_id"})
_form = re.compile(r'<form method="(get|post)" action="([^"]+)"[^>]*>(.*?)</form>', re.DOTALL)
_include = re.compile(r'\{% include "([a-z_]+\.html)" %\}')
_field = re.compile(r'<(input|select|textarea)\b([^>]*?)\bname="([^"]+)"')
_filled = re.compile(r"\{\{.*?\}\}")


class Form(NamedTuple):
    """A form of a template: what it always and what it may send; `open_` where a loop writes its fields."""

    template: str
    method: str
    places: tuple[str, ...]
    always: frozenset[str]
    may: frozenset[str]
    open_: bool

    def sends(self, names: frozenset[str]) -> bool:
        """Tell whether a browser that sent these fields could have sent this form."""
        return self.always <= names and (self.open_ or names <= self.may)

    def named(self, place: str) -> str:
        """Return how it is written as an action."""
        return f"{self.method} {place}?{'&'.join(sorted(self.always))}"


@cache
def routes() -> tuple[tuple[str, str], ...]:
    """Return each method and place of the console's table, the console's own first."""
    return (*OWN, *((method, page.path) for page in find_pages() for method in page.methods))


@cache
def forms() -> tuple[Form, ...]:
    """Return each form of each template."""
    return tuple(
        chain.from_iterable(
            _forms_of(file.name, file.read_text()) for file in sorted(TEMPLATES.glob("*.html"))
        )
    )


def _forms_of(template: str, text: str) -> Iterator[Form]:
    whole = _include.sub(lambda found: (TEMPLATES / found[1]).read_text(), text)
    for method, action, body in _form.findall(whole):
        fields = [(name, tag, about) for tag, about, name in _field.findall(body)]
        named = {name for name, _, _ in fields if "{" not in name} - ALWAYS
        perhaps = {name for name, _, about in fields if 'type="checkbox"' in about or 'type="radio"' in about}
        perhaps |= _within_if(body)
        places = tuple(_places(method.upper(), action.partition("#")[0]))
        assert places, f"{template}: no route takes {method} {action}"
        yield Form(
            template,
            method.upper(),
            places,
            frozenset(named - perhaps),
            frozenset(named),
            open_=any("{" in name for name, _, _ in fields),
        )


def _within_if(body: str) -> set[str]:
    """Return the fields of a form that are there sometimes."""
    sometimes = re.findall(
        r"\{% (?:if|for)\b(?:(?!\{% (?:if|for)\b).)*?\{% end(?:if|for) %\}", body, re.DOTALL
    )
    return {name for part in sometimes for _, _, name in _field.findall(part)}


def _places(method: str, action: str) -> Iterator[str]:
    """Yield the places that an action of a template can lead to, what is filled in standing for anything."""
    if action == "{{ here }}":
        yield "/beslissing/{decision_id}"
        return
    wanted = re.compile("[^/]+".join(re.escape(part) for part in _filled.split(action)))
    for known, place in routes():
        if known == method and wanted.fullmatch(place):
            yield place


@cache
def every() -> frozenset[str]:
    """Return everything there is to try."""
    found = {f"{method} {place}" for method, place in routes()}
    found |= {
        f"{method} {place} {field}={value}"
        for (method, place), fields in CHOICES.items()
        for field, values in fields.items()
        for value in values
    }
    found |= {form.named(place) for form in forms() for place in form.places if _tells(form, place)}
    return frozenset(
        found
        | {f"{CHECK} {file.name}" for file in TEMPLATES.glob("*.html") if "data-check" in file.read_text()}
    )


def _tells(form: Form, place: str) -> bool:
    """Tell whether a form says more than its route: somebody opens a page, or there are others there."""
    others = {one.named(place) for one in forms() if place in one.places and one.method == form.method}
    return form.method == "GET" or len(others) > 1


def tried(method: str, path: str, sent: Mapping[str, list[str]]) -> frozenset[str]:
    """Return which of `every()` a browser tries that asks this; none where there is no such place."""
    found = _route(method, path)
    if found is None:
        return frozenset()
    place, parts = found
    names = frozenset(sent) - ALWAYS
    keys = {f"{method} {place}"}
    keys |= {
        one.named(place)
        for one in forms()
        if one.method == method and place in one.places and one.sends(names)
    }
    for field in CHOICES.get((method, place), ()):
        told = [parts[field]] if field in parts else sent.get(field, [""])
        keys |= {f"{method} {place} {field}={value}" for value in told}
    return frozenset(keys & every())


def _route(method: str, path: str) -> tuple[str, Mapping[str, str]] | None:
    """Return the first place of the table that takes this, with what stands in its parts."""
    for known, place in routes():
        found = compile_path(place)[0].match(path) if known == method else None
        if found is not None:
            return place, found.groupdict()
    return None


def chosen(*patterns: str) -> frozenset[str]:
    """Return the actions that are meant: one as it is written, or all that begin as before a star."""
    found = set()
    for pattern in patterns:
        begins, star, _ = pattern.partition("*")
        meant = {one for one in every() if one == pattern or (star and one.startswith(begins))}
        assert meant, f"the console has no {pattern}"
        found |= meant
    return frozenset(found)
