"""The step of random programs that stores a session again as it once was, under another id or in another tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentkeep_conformance import programs as a
from agentkeep_conformance.machine import ComparingMachine
from agentkeep_conformance.programs import Draw, Drawn
from agentkeep_conformance.samples import restore_as


class Restoring(ComparingMachine):
    def restore(self, view: Any, id: str, new_id: str, elsewhere: bool) -> None:
        instance, tenant, _ = view
        source, target = self.whole_tenant(view), self.pair((instance, tenant ^ elsewhere, None))
        self.same_session(source, id)
        self.same_log(source, id)
        held = self.model.find(source.model.tenant, id)
        if held is None:
            return
        _, outcome = self.both(
            restore_as(source.real, target.real, id, new_id), lambda: target.model.sessions.restore(held, new_id)
        )
        self.met["sessions.restore", "", outcome] += 1
        self.same_session(target, new_id)
        self.same_log(target, new_id)
        self.same_place(target, new_id)


STEPS: dict[str, tuple[int, Callable[[Draw], Drawn]]] = {
    "restore": (3, lambda d: {"new_id": d.one([*a.SESSIONS, a.COPY]), "elsewhere": d.chance(0.6)}),
}
"""As in `rules`."""
