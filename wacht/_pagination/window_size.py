"""How many contexts to ask for at once."""

from __future__ import annotations

from wacht.models import MAX_PER_PAGE

_GROWTH = 16  # windows that must succeed before the size is raised again


class WindowSize:
    """
    How many contexts to ask for after a page was too large or too slow.

    It starts again with one context and doubles, up to half of what failed; a size that
    succeeded before comes back at once. After some windows it may double once more.

    Attributes:
        most: The size.

    """

    def __init__(self) -> None:
        self.most = MAX_PER_PAGE
        self._ceiling = MAX_PER_PAGE
        self._proven = 1
        self._successes = 0

    def failed(self, size: int) -> None:
        """Note that a window of some size failed."""
        self._ceiling = max(1, size // 2)
        self._proven = min(self._proven, self._ceiling)
        self._successes = 0
        self.most = 1

    def succeeded(self, size: int) -> None:
        """Note that a window of some size succeeded."""
        if size < self.most or self.most == MAX_PER_PAGE:
            return
        self._proven = max(self._proven, self.most)
        self._successes += self.most == self._ceiling
        if self._successes >= _GROWTH:
            self._successes = 0
            self._ceiling = min(2 * self._ceiling, MAX_PER_PAGE)
        self.most = min(max(2 * self.most, self._proven), self._ceiling)
