"""Our own lossless export format: JSON lines, each session followed by its messages in order.

    {"format": "agentkeep-export", "version": 1, "tenant": "default"}
    {"session": {…all fields of `Session` but `version`…}}
    {"message": {…all fields of `Message`…}}
    {"end": {"sessions": 1, "messages": 1}}

An export streams, whatever a session's length. An import holds in memory only the sessions that it stores at the
moment. The last line shows that an export is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from agentkeep._drafts import SessionUpdate
from agentkeep._message_drafts import message_draft
from agentkeep._validation import check_count, check_optional_id, check_time
from agentkeep.capabilities import Capabilities
from agentkeep.errors import InvalidInput
from agentkeep.models import Message, Session
from agentkeep.transfer._files import InputFile
from agentkeep.transfer._restoring import as_new
from agentkeep.transfer._transcripts import Transcript, check

VERSION = 1


class Header(msgspec.Struct, kw_only=True):
    """The first line."""

    format: Literal["agentkeep-export"] = "agentkeep-export"
    version: int = VERSION
    tenant: str


class End(msgspec.Struct, kw_only=True):
    """How many sessions and messages the lines before it have."""

    sessions: int
    messages: int


class ExportedSession(Session, frozen=True, kw_only=True):
    """A session as a file holds it: without its version, which is never given twice, so an import gets a new one."""

    version: int = 0


def exported(session: Session) -> dict[str, Any]:
    """All fields of a session but its version."""
    fields = msgspec.structs.asdict(session)
    del fields["version"]
    return fields


class Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Any other line: exactly one of the three."""

    session: ExportedSession | None = None
    message: Message | None = None
    end: End | None = None


_decode_header = msgspec.json.Decoder(Header).decode
_decode_line = msgspec.json.Decoder(Line).decode


def is_header(value: Any) -> bool:
    """Whether a file that begins with this value is our own export."""
    match value:
        case {"format": "agentkeep-export"}:
            return True
        case _:
            return False


class ExportFile:
    """An export to be imported: read once to check all of it, then session by session."""

    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._offsets: list[int] = []
        """Where the sessions begin."""

    def __len__(self) -> int:
        return len(self._offsets)

    def check(self, capabilities: Capabilities) -> None:
        """Read the whole file. Raises `InvalidInput` with the line of the first entry that can't be imported."""
        state = _Checked()
        for number, (offset, text) in enumerate(self._file.lines(), start=1):
            if not text.strip():
                continue
            value = self._file.parse(text, first_line=number)
            try:
                if state.step(text, value, capabilities):
                    self._offsets.append(offset)
            except (InvalidInput, msgspec.ValidationError) as error:
                raise InvalidInput(f"{self._file.name}: line {number}: {error}") from error
        if not state.ended:
            raise InvalidInput(f"{self._file.name}: the export is incomplete: its last line, the end, is missing")

    def transcripts(self) -> Iterator[Transcript]:
        for offset in self._offsets:
            session = self._session(offset)
            yield Transcript(
                id=session.id,
                where=self._file.name,
                fields=_fields(session),
                original=session,
                entries=lambda at=offset: self._entries(at),
            )

    def _session(self, offset: int) -> Session:
        session = _decode_line(next(self._file.lines(start=offset))[1]).session
        if session is None:
            raise InvalidInput(f"{self._file.name}: it was changed while it was being imported")
        return session

    def _entries(self, offset: int) -> Iterator[Message]:
        lines = self._file.lines(start=offset)
        next(lines)
        for _, text in lines:
            if not text.strip():
                continue
            message = _decode_line(text).message
            if message is None:
                return
            yield message


class _Checked:
    """What has been read of an export so far."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._current: Session | None = None
        self._last_seq = 0
        self._message_ids: set[str] = set()
        self._messages = 0
        self._has_header = False
        self.ended = False

    def step(self, text: bytes, value: Any, capabilities: Capabilities) -> bool:
        """Check one line. Returns True if a session begins there. Raises `InvalidInput`, `msgspec.ValidationError`."""
        if self.ended:
            raise InvalidInput("there are lines after the last one, the end")
        if not self._has_header:
            self._header(text)
            return False
        line = _decode_line(text)
        if not isinstance(value, dict) or len(value) != 1:  # pyright: ignore[reportUnknownArgumentType]
            raise InvalidInput("give one of session, message and end")
        if line.session is not None:
            self._session(line.session, capabilities)
        elif line.message is not None:
            self._message(line.message, capabilities)
        elif line.end is not None:
            self._end(line.end)
        else:
            raise InvalidInput("give one of session, message and end")
        return line.session is not None

    def _header(self, text: bytes) -> None:
        version = _decode_header(text).version
        if version != VERSION:
            raise InvalidInput(f"the export has version {version}, this Agentkeep reads {VERSION}: upgrade Agentkeep")
        self._has_header = True

    def _session(self, session: Session, capabilities: Capabilities) -> None:
        if session.id in self._ids:
            raise InvalidInput(f"session {session.id!r} is in this file twice")
        check(session.id, _fields(session), (), capabilities)
        check_optional_id(session.parent_id, "parent_id")
        check_count(session.last_seq, "last_seq")
        for name in ("created_at", "updated_at", "completed_at", "ends_at", "expires_at"):
            check_time(getattr(session, name), name)
        self._ids.add(session.id)
        self._current = session
        self._last_seq = 0
        self._message_ids = set()

    def _message(self, message: Message, capabilities: Capabilities) -> None:
        if self._current is None or message.session_id != self._current.id:
            raise InvalidInput(f"a message of session {message.session_id!r} does not follow that session")
        if not self._last_seq < message.seq <= self._current.last_seq:
            raise InvalidInput(f"seq {message.seq} is out of order, or over the session's last_seq")
        if message.id in self._message_ids:
            raise InvalidInput(f"message id {message.id!r} is given twice in session {message.session_id!r}")
        message_draft(as_new(message), capabilities)
        self._last_seq = message.seq
        self._message_ids.add(message.id)
        self._messages += 1

    def _end(self, end: End) -> None:
        if (end.sessions, end.messages) != (len(self._ids), self._messages):
            raise InvalidInput(
                f"the export was written with {end.sessions} sessions and {end.messages} messages, "
                f"here are {len(self._ids)} and {self._messages}"
            )
        self.ended = True


def _fields(session: Session) -> SessionUpdate:
    return {
        "user_id": session.user_id,
        "agent_name": session.agent_name,
        "title": session.title,
        "status": session.status,
        "current_route": session.current_route,
        "current_step": session.current_step,
        "state": session.state,
        "metadata": session.metadata,
        "schema_version": session.schema_version,
    }
