"""Whose words are a professional secret: who is bound by law, and the one demand that goes before that.

Source: Jeugdwet 7.3.11(1), BW 7:457(1), Wmo 2015 5.3.3(1) "without prejudice to" 5.2.2.
"""

from __future__ import annotations

import pytest

from exchange.gate.register import Register
from exchange.gate.vocabulary import KINDS, keeps_secret

BASES = sorted({basis.id for basis in Register.load().entries()})
BOUND = {"jeugdhulpaanbieder", "zorgaanbieder-zvw", "wmo-aanbieder"}
DEMANDED = ("wmo-aanbieder", "WMO-5.2.2-a")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_only_who_is_bound_keeps_a_secret_and_only_one_demand_goes_before_it(kind: str) -> None:
    open_under = [basis for basis in BASES if not keeps_secret(kind, basis)]
    if kind == DEMANDED[0]:
        assert open_under == [DEMANDED[1]]
    else:
        assert open_under == ([] if kind in BOUND else BASES)


def test_a_kind_or_a_basis_nobody_knows_opens_nothing_that_is_secret() -> None:
    assert not keeps_secret("nobody", DEMANDED[1])
    for kind in BOUND:
        assert keeps_secret(kind, "NO-SUCH-BASIS")
        assert keeps_secret(kind, "")
