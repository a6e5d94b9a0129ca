"""The words a request is decided in: which right, how it came out, on what article it was not granted.

Promises: closed lists; every article belongs to the rights that can be refused on it.
Source: GDPR 12(5)-(6), 15-18, 20, 21; UAVG 41; Wmo 2015 5.3.5(2); Jeugdwet 7.3.9(2).
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Right(StrEnum):
    """Which right is used. Erasure under the GDPR and destruction under a sector law have other terms."""

    ACCESS = "access"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    DESTRUCTION_WMO = "destruction_wmo"
    DESTRUCTION_JEUGDWET = "destruction_jeugdwet"
    RESTRICTION = "restriction"
    PORTABILITY = "portability"
    OBJECTION = "objection"


class RightsOutcome(StrEnum):
    """How a request was decided."""

    GRANTED = "granted"
    PARTLY = "partly"
    REFUSED = "refused"


class RefusalArticle(StrEnum):
    """Why a request was not granted, wholly or in part."""

    EXCESSIVE = "avg_12_5_b"
    IDENTITY = "avg_12_6"
    OTHERS = "avg_15_4"
    WEIGHED = "uavg_41"
    ACCURATE = "avg_16"
    NOT_MET = "avg_17_1"
    KEPT = "avg_17_3"
    WMO = "wmo_5_3_5_2"
    JEUGDWET = "jeugdwet_7_3_9_2"
    NOT_RESTRICTED = "avg_18_1"
    NOT_PORTABLE = "avg_20_3"
    COMPELLING = "avg_21_1"


class RequestStatus(StrEnum):
    """Where a request stands."""

    RECEIVED = "received"
    EXTENDED = "extended"
    GRANTED = "granted"
    REFUSED = "refused"
    EXECUTED = "executed"


_OF_ALL: Final = frozenset({RefusalArticle.EXCESSIVE, RefusalArticle.IDENTITY, RefusalArticle.WEIGHED})
ARTICLES_OF: Final[Mapping[str, frozenset[RefusalArticle]]] = MappingProxyType(
    {
        Right.ACCESS: _OF_ALL | {RefusalArticle.OTHERS},
        Right.RECTIFICATION: _OF_ALL | {RefusalArticle.ACCURATE},
        Right.ERASURE: _OF_ALL | {RefusalArticle.NOT_MET, RefusalArticle.KEPT},
        Right.DESTRUCTION_WMO: _OF_ALL | {RefusalArticle.WMO},
        Right.DESTRUCTION_JEUGDWET: _OF_ALL | {RefusalArticle.JEUGDWET},
        Right.RESTRICTION: _OF_ALL | {RefusalArticle.NOT_RESTRICTED},
        Right.PORTABILITY: _OF_ALL | {RefusalArticle.OTHERS, RefusalArticle.NOT_PORTABLE},
        Right.OBJECTION: _OF_ALL | {RefusalArticle.COMPELLING},
    }
)
