"""The steps of random programs that append what is stored already (IDEM-1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentkeep import NewMessage

from agentkeep_conformance import programs as a
from agentkeep_conformance.agreement import value_of
from agentkeep_conformance.machine import ComparingMachine
from agentkeep_conformance.programs import Draw, Drawn
from agentkeep_conformance.rows import Row


class Repeating(ComparingMachine):
    def repeat_an_append(self, view: Any, which: int) -> None:
        """A whole call again, whatever happened meanwhile."""
        if self.appends:
            id, messages, options = self.appends[-1 - which % len(self.appends)]
            self.do(self.pair(view), "messages.append", id, messages, **options)
            self.same_session(self.whole_tenant(view), id)

    def append_what_is_held(self, view: Any, id: str, of_copy: bool, first: int, count: int) -> None:
        """Messages as they stand in a log now: appended, copied by a fork, restored or redacted."""
        pair = self.pair(view)
        id = a.COPY if of_copy else id
        held = self.model.find(pair.model.tenant, id)
        if held is None or not held.log:
            return
        self.same_log(self.whole_tenant(view), id)  # settles the ids that the adapter drew
        first %= len(held.log)
        messages = [_as_new(row) for row in held.log[first : first + count]]
        self.do(pair, "messages.append", id, messages)
        self.same_session(self.whole_tenant(view), id)


def _as_new(row: Row) -> NewMessage:
    return NewMessage(**{name: value_of(row[name]) for name in NewMessage.__struct_fields__})


STEPS: dict[str, tuple[int, Callable[[Draw], Drawn]]] = {
    "repeat_an_append": (5, lambda d: {"which": d.number(0, 9)}),
    "append_what_is_held": (
        4,
        lambda d: {"of_copy": d.chance(0.6), "first": d.number(0, 5), "count": d.number(1, 3)},
    ),
}
"""As in `rules`."""
