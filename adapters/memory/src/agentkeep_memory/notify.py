"""Who is told of a change: the notifiers of all open adapters of one memory database."""

from __future__ import annotations

from agentkeep.spi.notify import Key, Notifier


class Notifiers:
    """`memory://name` may have several adapters, each with its own watchers."""

    def __init__(self) -> None:
        self._open: frozenset[Notifier] = frozenset()
        """Replaced as a whole, so that any thread may read it."""

    def open(self, notifier: Notifier) -> None:
        notifier.open()
        self._open |= {notifier}

    def close(self, notifier: Notifier) -> None:
        self._open -= {notifier}
        notifier.close()

    def notify(self, key: Key) -> None:
        """Wake the watchers of one session."""
        for notifier in self._open:
            notifier.notify(key)

    def notify_all(self) -> None:
        """Wake all watchers: anything may have changed."""
        for notifier in self._open:
            notifier.notify_all()
