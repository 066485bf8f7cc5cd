"""The API key: read, sent in one header, shown nowhere, removed from answers."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NoReturn
from urllib.parse import quote

from wacht.errors import ConfigError

_REDACTED = b"[***]"  # holds no letter, so redacting twice changes nothing
_SHORTEST_KEY = 8  # characters; a shorter one may be part of any word
_LONGEST_TEXT = 64 * 1024  # characters; what is kept of a text is far shorter
_PRINTABLE_ASCII = frozenset(map(chr, range(0x21, 0x7F)))


class ApiKey:
    """An API key that isn't shown by `repr`, pickles or errors."""

    __slots__ = ("__weakref__", "_key")

    def __init__(self, key: str | None) -> None:
        self._key: object = os.environ.get("WACHT_API_KEY") if key is None else key
        if isinstance(self._key, str):
            self._key = self._key.strip()

    def __repr__(self) -> str:
        return "<ApiKey>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key can't be pickled")

    @property
    def is_quoted(self) -> bool:
        """Whether quotes were taken for a part of the key, as in some `.env` files."""
        key = str(self._key)
        return key[0] == key[-1] and key[0] in "'\""

    def check(self) -> None:
        """Refuse a key that can't be sent, without showing it."""
        if self._key is None:
            raise ConfigError("no API key: set WACHT_API_KEY or pass api_key")
        if not isinstance(self._key, str):
            kind = type(self._key).__name__
            raise ConfigError(f"api_key: expected a string, got {kind}")
        if not self._key:
            raise ConfigError("the API key is empty: check WACHT_API_KEY or api_key")
        if not _PRINTABLE_ASCII.issuperset(self._key):
            raise ConfigError(
                "the API key contains white space, a control character or one outside "
                "ASCII: copy the key alone, in one piece (it isn't shown here)"
            )

    def authorization(self) -> MaskedHeader:
        return MaskedHeader(f"Bearer {self._key}")

    def service_digest(self, base_url: str) -> str:
        """Return a text that tells keys and services apart; the same everywhere."""
        # What comes from the environment unchecked may have lone surrogates.
        key = blake2b(str(self._key).encode(errors="surrogatepass")).digest()
        url = base_url.encode(errors="surrogatepass")
        return blake2b(url, key=key, digest_size=16).hexdigest()

    def redact(self, data: bytes, *, truncated: bool = False) -> bytes:
        """
        Replace the key in what a server sent: plain, or as JSON, URLs or HTML write it.

        A key shorter than eight characters is replaced where it stands alone. Truncated
        data may have been cut in the middle of the key.
        """
        where = rb"(?<!\w)%b(?!\w)" if len(str(self._key)) < _SHORTEST_KEY else b"%b"
        for spelling in self._spellings():
            data = re.sub(where % re.escape(spelling.encode()), _REDACTED, data)
        if truncated:
            data = data[: len(data) - self._partial_length(data)]
        return data

    def redact_text(self, text: str) -> str:
        """Replace the key in a text, and shorten a very long one."""
        # JSON can spell lone surrogates; "surrogatepass" keeps them.
        data = text[:_LONGEST_TEXT].encode(errors="surrogatepass")
        redacted = self.redact(data, truncated=len(text) > _LONGEST_TEXT)
        return redacted.decode(errors="surrogatepass")

    def _partial_length(self, data: bytes) -> int:
        """Return how much of the key's beginning is at the end of the data."""
        return max(
            length
            for spelling in self._spellings()
            for length in range(len(spelling) + 1)
            if data.endswith(spelling[:length].encode())
        )

    def _spellings(self) -> list[str]:
        key = str(self._key)
        in_json, in_html = json.dumps(key)[1:-1], html.escape(key)
        spellings = {key, in_json, in_json.replace("/", "\\/"), in_html}
        for in_url in (quote(key), quote(key, safe="")):
            spellings |= {in_url, re.sub("%..", lambda char: char[0].lower(), in_url)}
        in_repr = key.replace("\\", "\\\\")  # in the messages of http.client
        spellings |= {in_repr, in_repr.replace("'", "\\'")}
        if self.is_quoted and len(key) > _SHORTEST_KEY + 1:
            inner = ApiKey(key[1:-1])  # it may be the right one
            spellings |= {*inner._spellings()}
        return sorted(spellings, key=len, reverse=True)  # one may be part of another


class MaskedHeader(str):
    """A header value that its `repr` doesn't show; `str()` of it is the plain value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer ***'"


def plain_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, MaskedHeader) else value
        for name, value in headers.items()
    }
