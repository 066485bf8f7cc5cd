"""
The API key: read, kept from everyone's eyes, and blacked out of what comes back.
"""

from __future__ import annotations

import html
import json
import os
import re
from hashlib import blake2b
from typing import NoReturn
from urllib.parse import quote, unquote

from .errors import ConfigError

# Holds no letter, so that what is blacked out twice stays legible.
_BLACKED_OUT = b"[***]"
_WITHHELD = b"[withheld: the key stands in it, written in another way]"
_JSON_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_LONGEST_ESCAPE = 16  # characters, and some zeros, as in &#x0000002F;
_REFERENCE = re.compile(r"&#0*([0-9]*)")
_PIECE = 2**16  # bytes to unescape at a time
_SALT = os.urandom(32)
_PRINTABLE_ASCII = frozenset(map(chr, range(0x21, 0x7F)))


class Secret:
    """
    An API key that shows itself to nobody.

    It is made before it is checked, so that no frame of a traceback holds the key by
    its own name.
    """

    __slots__ = ("__weakref__", "_key")

    def __init__(self, key: str | None) -> None:
        self._key: object = os.environ.get("WACHT_API_KEY") if key is None else key
        if isinstance(self._key, str):
            self._key = self._key.strip()

    def __repr__(self) -> str:
        return "<Secret>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key does not travel in a pickle")

    def check(self) -> None:
        """
        Refuse a key that cannot be sent, without showing it.
        """
        if self._key is None:
            raise ConfigError(
                "no API key: set WACHT_API_KEY in the environment, or pass api_key"
            )
        if not isinstance(self._key, str):
            raise ConfigError(
                f"api_key: expected a string, got {type(self._key).__name__}"
            )
        if not self._key:
            raise ConfigError("the API key is empty: check WACHT_API_KEY or api_key")
        if not _PRINTABLE_ASCII.issuperset(self._key):
            raise ConfigError(
                "the API key holds white space, a control character or one outside "
                "ASCII: copy the key alone, in one piece (it is not shown here)"
            )

    def reveal(self) -> str:
        """
        Give the key itself, to be sent and for nothing else.
        """
        return str(self._key)

    def digest(self) -> bytes:
        """
        Tell keys apart without keeping them; another value in each process.
        """
        return blake2b(self.reveal().encode(), key=_SALT).digest()

    def redact(self, data: bytes, *, cut: bool = False) -> bytes:
        """
        Black out the key wherever a server may have echoed it.

        Args:
            data: What came.
            cut: Whether it ends where a limit cut it, perhaps in the middle of the key.

        Returns:
            The same without the key; nothing of it, if the key stands there in an
            unusual spelling.

        """
        for spelling in self._spellings():
            data = data.replace(spelling.encode(), _BLACKED_OUT)
        if cut:
            data = data[: len(data) - self._begun_at_the_end_of(data)]
        return _WITHHELD if self._is_hidden_in(data) else data

    def redact_text(self, text: str) -> str:
        """
        Black out the key in a text.
        """
        # JSON can spell lone surrogates, and they are to stay what they are.
        data = self.redact(text.encode(errors="surrogatepass"))
        return data.decode(errors="surrogatepass")

    def _begun_at_the_end_of(self, data: bytes) -> int:
        return max(
            length
            for spelling in self._spellings()
            for length in range(len(spelling) + 1)
            if data.endswith(spelling[:length].encode())
        )

    def _is_hidden_in(self, data: bytes) -> bool:
        reach = _LONGEST_ESCAPE * len(self.reveal())
        pieces = (data[at : at + _PIECE + reach] for at in range(0, len(data), _PIECE))
        return any(self.reveal() in _unescaped(piece) for piece in pieces)

    def _spellings(self) -> list[str]:
        key = self.reveal()
        in_json = json.dumps(key)[1:-1]
        spellings = {key, in_json, in_json.replace("/", "\\/"), html.escape(key)}
        spellings |= {quote(key), quote(key, safe="")}
        return sorted(spellings, key=len, reverse=True)  # one may be part of another


def _unescaped(data: bytes) -> str:
    """
    Read what stands there as JSON, URLs or HTML would.
    """
    text = _JSON_ESCAPE.sub(_character, data.decode("latin-1"))  # a key is in ASCII
    return html.unescape(_REFERENCE.sub(_short_reference, unquote(text)))


def _short_reference(reference: re.Match[str]) -> str:
    # No character has eight digits, and of thousands Python makes no number at all.
    return f"&#{reference[1][:8]}"


def _character(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]


def environment_digest() -> bytes:
    """
    Tell environments apart by what they say of us, without keeping it.
    """
    said = (os.environ.get("WACHT_API_KEY"), os.environ.get("WACHT_BASE_URL"))
    return blake2b(repr(said).encode(), key=_SALT).digest()
