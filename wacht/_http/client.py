"""One request and its answer, on connections of our own or the caller's."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote, urlencode, urlsplit
from weakref import WeakKeyDictionary

import requests
from requests.structures import CaseInsensitiveDict

from wacht._http.settings import Settings, is_loopback
from wacht._threads import PerProcess
from wacht._version import __version__
from wacht.errors import ConfigError

from .body import ACCEPTED, BodyReader
from .connections import TimedAdapter
from .timing import ResponseTimer, active_timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wacht._protocol.credentials import ApiKey
    from wacht._protocol.replies import RawResponse
    from wacht._protocol.revisions import Query

    Parts = tuple[requests.PreparedRequest, Mapping[str, Any]]


# The process that first used a caller's session.
_users: WeakKeyDictionary[requests.Session, int] = WeakKeyDictionary()
# What libraries read in one way alone. They differ about a password with a `/`: some
# show it, or connect to a host of that name.
_PROXY = re.compile(
    r"((https?|socks(4a?|5h?))://)?((?P<user>( |[^][/\\?#\s])*)@)?"
    r"([^][/\\?#\s@:]+|\[[\da-f.]*:[\da-f:.]+(%[\w.-]+)?\])(:(?P<port>\d{1,5}))?/?",
    re.IGNORECASE,
)


class HttpClient:
    """Send requests to the endpoint, one attempt each."""

    def __init__(self, settings: Settings, api_key: ApiKey) -> None:
        self._settings = settings
        self._api_key = api_key
        self._own = PerProcess(_open_http) if settings.http is None else None
        self._parts: Parts | None = None
        self.check()

    def close(self) -> None:
        if self._own:
            self._own.get().close()

    def check(self) -> None:
        """Refuse to share connections after a fork: each got the other's pages."""
        http, process = self._settings.http, os.getpid()
        if http is not None and _users.setdefault(http, process) != process:
            raise ConfigError(
                "this process is a fork and shares the connections of your http "
                "session with its parent: make a new requests.Session and Session here"
            )

    @property
    def _http(self) -> requests.Session:
        return self._own.get() if self._own else cast("Any", self._settings.http)

    def send(self, query: Query, timer: ResponseTimer) -> RawResponse:
        """Send a request and read the answer; raise whatever happens."""
        template, environment = self._shared_parts()
        reader = BodyReader(self._settings.max_response_bytes, timer)
        prepared = self._prepared(template, query, reader)
        outer = active_timer.get(None)
        try:  # no context manager: an exception at its end would leave the timer set
            active_timer.set(timer)
            response = self._http.send(
                prepared, timeout=timer.timeout, allow_redirects=False, **environment
            )
        except requests.HTTPError as error:
            # A caller's hook raised for the status, which we report ourselves.
            if error.response is None or error.response.ok:
                raise
            response = error.response
        finally:
            active_timer.set(outer)
        return reader.reply(response)

    def _prepared(
        self, template: requests.PreparedRequest, query: Query, reader: BodyReader
    ) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        vars(prepared).update(vars(template))  # its copy() takes three times as long
        prepared.headers = template.headers.copy()
        if query:  # requests' own way to add it takes a twentieth of a page's time
            url = prepared.url or ""
            prepared.url = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
        header = self._api_key.authorization()
        # Other connections than ours may not take a subclass of str, as vcrpy's.
        prepared.headers["Authorization"] = header if self._own else str(header)
        others: list[Any] = prepared.hooks["response"]
        hooks = [reader, *others, _strip_redirect_and_cookies]
        prepared.hooks = {**prepared.hooks, "response": hooks}
        return prepared

    def _shared_parts(self) -> Parts:
        """Return what all requests share: everything but the query and the key."""
        if self._parts is not None:
            return self._parts
        headers = {"Accept": "application/json", "Accept-Encoding": ACCEPTED}
        # An older answer from a cache would hide what has moved since.
        headers["Cache-Control"] = "no-cache"
        headers |= _user_agent(self._http)
        url = self._settings.url
        # An auth of our own keeps that of a session or a `.netrc` away.
        request = requests.Request("GET", url, headers=headers, auth=lambda r: r)
        # A proxy for this machine would get the key unencrypted over plain http.
        host = urlsplit(url).hostname or ""
        proxies = {"no_proxy": host} if is_loopback(host) else {}
        values = (url, proxies, True, None, None)  # by position, as requests does it
        environment = self._http.merge_environment_settings(*values)
        _check_proxy(requests.utils.select_proxy(url, environment["proxies"]))
        parts = self._http.prepare_request(request), environment
        if self._own:  # a caller may change its session at any time
            self._parts = parts
        return parts


def _open_http() -> requests.Session:
    """Open a session of requests that retries nothing, for use by many threads."""
    http = requests.Session()
    for scheme in ("https://", "http://"):
        http.mount(scheme, TimedAdapter(pool_maxsize=0))  # no limit
    return http


def _user_agent(http: requests.Session) -> dict[str, str]:
    """Return our user agent, unless the caller's session has its own."""
    default = requests.utils.default_user_agent()
    headers = CaseInsensitiveDict(http.headers)
    if headers.get("User-Agent", default) not in ("", default):
        return {}
    return {"User-Agent": f"wacht/{__version__} {default}"}


def _check_proxy(url: object) -> None:
    """Refuse the URL of a proxy that can't be used, without showing any of it."""
    if not url:
        return
    parts = _PROXY.fullmatch(str(url))
    # requests sends its user and password in this encoding.
    latin_1 = parts and max(unquote(parts["user"] or ""), default="") <= "\xff"
    if not parts or not latin_1 or int(parts["port"] or 0) >= 2**16:
        raise requests.exceptions.InvalidProxyURL(
            "expected something like http://user:password@proxy.example:8080, and "
            "special characters of the password as %XX"
        )


def _strip_redirect_and_cookies(response: requests.Response, **_settings: Any) -> None:
    """Keep requests from preparing a redirect, which may fail, and from cookies."""
    response.headers.pop("location", None)
    with suppress(AttributeError):  # vcrpy's responses, and files of adapters
        response.raw._original_response = None  # noqa: SLF001 - where requests looks
