"""Arguments that several commands have, and the options that all have."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NoReturn

import msgspec
import typer

if TYPE_CHECKING:
    from agentkeep.cli.output import Output
    from agentkeep.cli.running import Work
    from agentkeep.cli.settings import Settings

_OLDEST = timedelta(days=36_500)
"""Nothing is older than that, and an earlier date may be before the year 1."""


_SHORTEST = 0.001
"""In seconds. Agentkeep has no shorter duration."""


def _age(text: str) -> timedelta:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    found = re.fullmatch(r"([0-9]{1,10})([smhdw])", text)
    if found is None:
        raise typer.BadParameter("give a number and a unit, such as 30d, 12h or 45m")
    return timedelta(seconds=min(int(found[1]) * units[found[2]], _OLDEST.total_seconds()) or _SHORTEST)


Url = Annotated[str | None, typer.Option(help="The database, such as sqlite:///chat.db.", show_default=False)]
Tenant = Annotated[str | None, typer.Option(help="The tenant whose data is used.", show_default="default")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one value a line.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The session.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask; needed without a terminal.")]
User = Annotated[str | None, typer.Option(help="Only this user's sessions.")]
Agent = Annotated[str | None, typer.Option(help="Only this agent's sessions.")]
Age = Annotated[timedelta | None, typer.Option(parser=_age, metavar="AGE", help="Such as 30d, 12h or 45m.")]
Most = Annotated[int | None, typer.Option(min=1, metavar="NUMBER", help="At most so many.")]


def moment(text: str) -> datetime:
    """An ISO date or time, in UTC if it names no zone; or an age such as 12h, which means so long ago."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        if re.fullmatch(r"[0-9]+[smhdw]", text) is None:
            raise typer.BadParameter(
                "give a date such as 2026-11-28, a time in ISO format, or an age such as 12h"
            ) from None
        return datetime.now(UTC) - _age(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def metadata_filter(pairs: list[str] | None) -> dict[str, Any] | None:
    """`KEY=VALUE` pairs. A value that is a JSON number, true, false or null is that, any other is text."""
    found: dict[str, Any] = {}
    for pair in pairs or ():
        key, separator, text = pair.partition("=")
        if not separator:
            raise typer.BadParameter(f"{pair!r} has no =: give KEY=VALUE, such as channel=web", param_hint="--metadata")
        found[key] = _scalar(text)
    return found or None


def _scalar(text: str) -> Any:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return text if isinstance(value, list | dict) else value


UpdatedAfter = Annotated[
    datetime | None,
    typer.Option(parser=moment, metavar="TIME", help="Last written to after: a date, a time or an age."),
]
UpdatedBefore = Annotated[
    datetime | None,
    typer.Option(parser=moment, metavar="TIME", help="Last written to before: a date, a time or an age."),
]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only with this metadata; give it several times for more.")
]


class CommonOptions(NamedTuple):
    """The options before and after the command's name. Those after it come first."""

    url: str | None
    tenant: str | None
    as_json: bool

    def settings(self) -> Settings:
        from agentkeep.cli.settings import choose

        return choose(self.url, self.tenant)

    def output(self) -> Output:
        from agentkeep.cli.output import Output

        return Output(as_json=self.as_json)

    def run_on(self, work: Work) -> NoReturn:
        from agentkeep.cli.running import run_on

        run_on(self.settings, self.output(), work)


def common_options(context: typer.Context, url: str | None, tenant: str | None, as_json: bool) -> CommonOptions:
    before: CommonOptions = context.obj
    return CommonOptions(
        before.url if url is None else url, before.tenant if tenant is None else tenant, before.as_json or as_json
    )
