"""Tokens and cost, kept in the counters of a session (CNT-2)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import cast

from agentkeep._values import Value
from agentkeep.errors import InvalidInput

NANOS = 10**9
"""How many nanos make one unit of a currency."""
_PREFIX = "usage."


class Usage(Value, frozen=True, kw_only=True):
    """What models used. Two can be added."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanos: int = 0
    """In billionths of one unit of your currency: 1 dollar is 1,000,000,000. One currency for all sessions."""

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def cost(self) -> Decimal:
        """In units of your currency, exactly."""
        return Decimal(self.cost_nanos).scaleb(-9)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost_nanos=self.cost_nanos + other.cost_nanos,
        )


def usage_in(counters: Mapping[str, int]) -> Usage:
    """What the counters of a session say."""
    return Usage(**{name: counters.get(_PREFIX + name, 0) for name in Usage.__struct_fields__})


def as_counters(usage: Usage) -> dict[str, int]:
    """What to add to the counters of a session; nothing for a zero."""
    amounts = {name: cast("int", getattr(usage, name)) for name in Usage.__struct_fields__}
    return {_PREFIX + name: amount for name, amount in amounts.items() if amount}


def nanos(cost: Decimal | str | int) -> int:
    """Units of a currency as nanos, rounded half up. Raises `InvalidInput`."""
    if isinstance(cost, bool) or not isinstance(cost, Decimal | str | int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"cost is of type {type(cost).__name__}: give a Decimal, a string or an int")
    try:
        return int((Decimal(cost) * NANOS).to_integral_value(ROUND_HALF_UP))
    except (InvalidOperation, OverflowError, ValueError) as error:
        raise InvalidInput(f"cost is {cost!r}: give a number such as '0.0123'") from error
