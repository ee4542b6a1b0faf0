"""URLs: their parts, and how one may be shown in an error or a log line (ERR-3)."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from agentkeep.errors import ConfigurationError

ENCODE = "write a user's or password's special letters percent-encoded: %40 for @, %3F for ?, %2F for /, %3A for :"
"""What to say if a user name or password holds letters that end it."""


def split_url(url: str) -> SplitResult:
    """A URL's parts. Raises `ConfigurationError` for what is none."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"{redact(url)!r} is no URL: {error}") from None
    if parts.netloc.count("@") > 1:  # readers of URLs disagree about which of them ends the password (ERR-3)
        raise ConfigurationError(f"{redact(url)!r}: {ENCODE}")
    return parts


def redact(url: str) -> str:
    """The URL with its password, and any secret in its query, blotted out (ERR-3)."""
    scheme, separator, rest = url.partition("://")
    if not separator:  # not a URL; it may hold a password all the same
        scheme, rest = "", url
    place, question, query = rest.partition("?")
    if ":" in place and "@" in query:  # the password may hold a ? too: all up to the last @ is blotted out
        place, question, query = f"{place.partition(':')[0]}:@{query.rpartition('@')[2]}".partition("?")
    userinfo, at, host = place.rpartition("@")  # the last @: a password may hold one, and a / too
    user, colon, _ = userinfo.partition(":")
    shown = "&".join(_redact_pair(pair) for pair in query.split("&"))
    return f"{scheme}{separator}{user}{':***' if colon else ''}{at}{host}{question}{shown}"


def _redact_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    secret = any(word in name.lower() for word in ("pass", "secret", "token", "key"))
    return f"{name}=***" if secret and equals else pair
