"""Which process this is, without a system call for each question."""

from __future__ import annotations

import os


class Process:
    """The process that runs this; in a forked child, the child."""

    id: int = os.getpid()

    @classmethod
    def renew(cls) -> None:
        cls.id = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Process.renew)
