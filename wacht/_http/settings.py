"""The settings of a session, checked."""

from __future__ import annotations

import os
import re
from importlib import import_module
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import unquote, urlsplit

from attrs import Attribute, field, frozen

from wacht._contexts import PATH
from wacht._text import safe_repr
from wacht._validators import choice, expect, integer, is_seconds
from wacht.errors import ConfigError

if TYPE_CHECKING:
    import requests
    import urllib3

    from wacht._validators import Validator
    from wacht.throttle import SupportsSlot

Pagination = Literal["auto", "page", "offset"]

DEFAULT_BASE_URL = "https://api.wacht.dev"
_DEFAULT_PORTS = {"https": ":443", "http": ":80"}
_MAY_BE_SECRET = frozenset("@?#")  # such a URL isn't shown
_LONGEST = 2**31 // 1000  # seconds of a timeout; sockets count milliseconds in 32 bits
_NOT_IN_URLS = frozenset(' "<>\\^`{|}')  # RFC 3986; parsers disagree about some
_PATH = re.compile(r"(/[\w.~!$&'()*+,;=:@%-]*)+", re.ASCII)  # likewise


def _base_url(given: object) -> str:
    name, url = "base_url", given
    if given is None:
        name = "base_url (from WACHT_BASE_URL)"
        url = os.environ.get("WACHT_BASE_URL", "").strip() or DEFAULT_BASE_URL
    if not isinstance(url, str):
        raise ConfigError(f"{name}: expected a string, got {safe_repr(url)}")
    if not _MAY_BE_SECRET.isdisjoint(url):
        raise ConfigError(f"{name}: expected no user, query or fragment: no @, ? or #")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"{name}: not a URL: {safe_repr(url)}") from None
    clean = url.isprintable() and _NOT_IN_URLS.isdisjoint(url)
    if parts.scheme not in _DEFAULT_PORTS or not host or not clean:
        raise ConfigError(
            f"{name}: expected something like {DEFAULT_BASE_URL}, got {safe_repr(url)}"
        )
    netloc = parts.netloc.lower().removesuffix(_DEFAULT_PORTS[parts.scheme])
    return f"{parts.scheme}://{netloc}{parts.path}".rstrip("/")


def _check_encryption(
    settings: Settings, attribute: Attribute[Any], value: str
) -> None:
    url = urlsplit(value)
    allowed = settings.allow_plain_http or is_loopback(url.hostname or "")
    if url.scheme == "http" and not allowed:
        raise ConfigError(
            f"{attribute.name}: {safe_repr(value)} would send the key unencrypted; "
            "use https (or, in Python, allow_plain_http=True)"
        )


def checked_path(path: str) -> str:
    """Return a path that stays as it is in a URL; refuse others, but don't show it."""
    # Steps are resolved before a request is sent, escaped ones as well.
    steps = {".", ".."}.intersection(unquote(str(path)).split("/"))
    if not isinstance(path, str) or not _PATH.fullmatch(path) or steps:
        raise ConfigError(
            f"path: expected something like {PATH}, without query, fragment or `..`"
        )
    return path


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _timeout(given: Any) -> Any:
    pair = given if issubclass(type(given), tuple) else (given, given)
    if len(pair) != 2 or not all(map(is_seconds, pair)) or max(pair) > _LONGEST:  # noqa: PLR2004 - a pair
        raise ConfigError(
            f"timeout: expected positive seconds up to {_LONGEST}, a number or "
            f"(connect, read), got {safe_repr(given)}"
        )
    return pair


def _optional(module: str, name: str) -> Validator:
    """Accept None and instances of a class that is slow to import."""

    def accepts(value: object) -> bool:
        return value is None or isinstance(value, getattr(import_module(module), name))

    return expect(ConfigError, f"a {module}.{name}", accepts)


def _is_throttle(value: object) -> bool:
    has_slots = callable(getattr(value, "slot", None)) and not isinstance(value, type)
    return value is None or value == "shared" or has_slots


_A_THROTTLE = "a wacht.Throttle, None, or an object with its method slot()"


@frozen(kw_only=True)
class Settings:
    """What `Session` was given, but for the key; see there."""

    allow_plain_http: bool = field(
        validator=expect(ConfigError, "True or False", lambda v: isinstance(v, bool))
    )
    base_url: str = field(converter=_base_url, validator=_check_encryption)
    timeout: tuple[float, float] = field(converter=_timeout)
    retry: urllib3.Retry | None = field(validator=_optional("urllib3", "Retry"))
    throttle: SupportsSlot | Literal["shared"] | None = field(
        validator=expect(ConfigError, _A_THROTTLE, _is_throttle)
    )
    http: requests.Session | None = field(validator=_optional("requests", "Session"))
    pagination: Pagination = field(validator=choice(ConfigError, *get_args(Pagination)))
    max_response_bytes: int = field(validator=integer(ConfigError, 1))
    path: str = field(converter=checked_path)

    @property
    def url(self) -> str:
        """What is asked."""
        return self.base_url + self.path
