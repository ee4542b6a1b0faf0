"""The server programs of this machine, and the user that they run as."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from agentkeep_conformance.servers.model import NotRun


def cache() -> Path:
    """Where docker/native/ puts what no package manager installs."""
    return Path(os.environ.get("AGENTKEEP_CACHE") or Path.home() / ".cache" / "agentkeep")


def program(name: str, install: str) -> str:
    """The path of an installed program. Raises `NotRun` that says how to `install` it.

    Debian keeps PostgreSQL's programs beside the PATH, the newest version last.
    """
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name))
    places = [os.environ.get("PATH", os.defpath), str(cache() / "bin"), *map(str, debian), "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise NotRun(f"{name} is not installed: {install}")
    return found


def unprivileged(preferred: str) -> str | None:
    """The user for a server that refuses root: `preferred` if there is such a user; None if we are not root."""
    if os.geteuid() != 0:
        return None
    return preferred if _group_of(preferred) is not None else "nobody"


def as_user(user: str | None) -> list[str]:
    """The words before a command that make it run as `user`; none for None."""
    if user is None:
        return []
    setpriv = program("setpriv", "it is part of util-linux")
    return [setpriv, f"--reuid={user}", f"--regid={_group_of(user)}", "--clear-groups", "--"]


def _group_of(user: str) -> int | None:
    import pwd  # no such module on Windows, where this package must still import

    return {account.pw_name: account.pw_gid for account in pwd.getpwall()}.get(user)
