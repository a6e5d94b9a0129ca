"""Fields told by what they share are those very fields again; what is not of the form is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.asked_fields import listed, places_of, told_of

ORIGIN = "college:WMO@00000001003214345000"
NAMES = st.sampled_from(
    (
        "goals.own_words",
        "goals.own_words[WMO-PLAN|x]",
        "goals.own_words[WMO-PLAN|y]",
        "version",
        "[",
        "a[b",
        "",
    )
)
SAID = st.dictionaries(
    st.sampled_from(("category", "secret", "provider")), st.sampled_from(("WONEN", "", True, 1)), max_size=3
)
FIELDS = st.lists(st.tuples(NAMES, SAID, st.booleans()), max_size=12)


def through_json(value: Any) -> Any:  # noqa: ANN401 -- whatever JSON can hold
    return json.loads(json.dumps(value))


@given(FIELDS)
def test_what_is_told_by_kinds_is_read_as_the_same_fields(
    fields: list[tuple[str, dict[str, Any], bool]],
) -> None:
    told = through_json(told_of([(name, said) for name, said, _ in fields]))
    sealed = through_json(places_of([seal for _, _, seal in fields]))
    expected = [{**said, "name": name} | ({"sealed": True} if seal else {}) for name, said, seal in fields]
    again = listed(told, sealed)
    assert again == expected
    assert [[type(value) for value in one.values()] for one in again] == [
        [type(one[name]) for name in again[number]] for number, one in enumerate(expected)
    ]


def test_what_fields_share_is_told_once() -> None:
    said = {"category": "WONEN", "provider": "college:WMO"}
    names = [f"situations.{leaf}[WONEN|{ORIGIN}]" for leaf in ("description", "score")]
    assert told_of([(name, said) for name in names]) == {
        "kinds": [{**said, "of": f"[WONEN|{ORIGIN}]"}],
        "paths": [["situations.description", 0], ["situations.score", 0]],
    }


@pytest.mark.parametrize(
    ("told", "sealed"),
    [
        ({"kinds": [], "paths": [["version", 0]]}, []),
        ({"kinds": [{}], "paths": [["version", -1]]}, []),
        ({"kinds": [{}], "paths": [["version", True]]}, []),
        ({"kinds": [{}], "paths": [["version", "0"]]}, []),
        ({"kinds": [{}], "paths": [["version", 0]]}, [1]),
        ({"kinds": [{}], "paths": [["version", 0]]}, [None]),
        ({"kinds": [{}], "paths": [[]]}, []),
        ({"kinds": [{}], "paths": [[7, 0]]}, []),
        ({"kinds": [{"of": 3}], "paths": [[5, 0]]}, []),
        ({"kinds": [{"of": ["b"]}], "paths": [[["a"], 0]]}, []),
        ({"kinds": [{"of": "[b"}], "paths": [["a[", 0]]}, []),
        ({"kinds": [{"of": "b"}], "paths": [["a", 0]]}, []),
        ({"kinds": [{"of": ""}], "paths": [["a", 0]]}, []),
        ({"kinds": [{"name": "b"}], "paths": [["a", 0]]}, []),
        ({"kinds": [{"sealed": True}], "paths": [["a", 0]]}, []),
        ({"kinds": [{"sealed": False}], "paths": [["a", 0]]}, [0]),
        ({"kinds": {}, "paths": []}, []),
        ({"kinds": [], "paths": ""}, []),
        ({"kinds": [{}], "paths": ["a"]}, []),
        ({"kinds": [{}], "paths": [{"a": 0}]}, []),
        ({"kinds": [{}], "paths": [["a", 0]]}, {}),
        ({"kinds": [{}]}, []),
        ({"kinds": [], "paths": [], "more": 1}, []),
    ],
)
def test_what_is_not_of_the_form_is_refused(told: dict[str, Any], sealed: Any) -> None:  # noqa: ANN401 -- what JSON can hold
    with pytest.raises((ValueError, TypeError)):
        listed(told, sealed)
