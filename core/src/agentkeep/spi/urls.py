"""A URL's parts, and the URL without its secrets, for errors and log lines (ERR-3)."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urlsplit

from agentkeep.errors import ConfigurationError

ENCODE = "write a user's or password's special letters percent-encoded: %40 for @, %3F for ?, %2F for /, %3A for :"
"""For errors about a user name or password with letters that have a meaning in URLs."""

_SECRET = ("pass", "pwd", "secret", "token", "key", "auth", "cred")
"""An option of which the name has one of these may hold a secret."""


def split_url(url: str) -> SplitResult:
    """A URL's parts. Raises `ConfigurationError` if it is not valid."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ConfigurationError(f"{redact(url)!r} is not a valid URL: {error}") from None
    if parts.netloc.count("@") > 1:  # libraries disagree about which of them ends the password (ERR-3)
        raise ConfigurationError(f"{redact(url)!r}: {ENCODE}")
    return parts


def redact(url: str) -> str:
    """The URL with *** for its password and for each secret in its query (ERR-3)."""
    scheme, separator, rest = url.partition("://")
    if not separator:  # not a URL, but it may hold a password
        scheme, rest = "", url
    address, question, query = rest.partition("?")
    if ":" in address and "@" in query:  # the password may hold a ?, so everything up to the last @ is left out
        address, question, query = f"{address.partition(':')[0]}:@{query.rpartition('@')[2]}".partition("?")
    userinfo, at, host = address.rpartition("@")  # the last @, because a password may hold one, and a / too
    user, colon, _ = userinfo.partition(":")
    shown = "&".join(_redact_pair(pair) for pair in query.split("&"))
    return f"{scheme}{separator}{user}{':***' if colon else ''}{at}{host}{question}{shown}"


def _redact_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    secret = any(word in unquote(name).lower() for word in _SECRET)
    return f"{name}=***" if secret and equals else pair
