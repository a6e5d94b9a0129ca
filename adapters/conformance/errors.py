"""What keeps the suite from being run at all; what an adapter does wrong is no error but a finding."""

from __future__ import annotations

from adapters.sdk.errors import SdkError


class ContractInvalid(SdkError):
    """The file that says how an adapter is driven has another shape. Names the key."""


class ExchangeMissing(SdkError):
    """No exchange could be started here to test against."""
