"""Checking passwords, and slowing down who guesses them.

Only SHA-256 digests are kept, and they are compared in constant time. After FREE_FAILURES wrong passwords
from one address each further answer to it waits twice as long as the one before; a right one clears it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict

from respkv.config import Config

USER = b"default"
FREE_FAILURES = 5
DELAY_FIRST_S = 0.1
DELAY_MAX_S = 10.0
ADDRESSES_MAX = 10_000


class Passwords:
    """The password of the one user, and the failures of each address."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._failures: OrderedDict[str, int] = OrderedDict()

    def required(self) -> bool:
        """Say whether there is a password."""
        return bool(self._config.text("requirepass"))

    def check(self, user: bytes, password: bytes, address: str) -> bool:
        """Say whether a user may come in, and count the failure of its address if not.

        Args:
            user: "default" is the only one.
            password: as sent.
            address: of the client, as ip:port.
        """
        kept = self._config.text("requirepass")
        digest = "#" + hashlib.sha256(password).hexdigest()
        right = hmac.compare_digest(digest, kept) if kept else True
        host = address.rpartition(":")[0]
        if right and user == USER:
            self._failures.pop(host, None)
            return True
        self._failures[host] = self._failures.pop(host, 0) + 1
        if len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)
        return False

    def delay_s(self, address: str) -> float:
        """Return how long the answer to an address that has just failed is held back."""
        count = self._failures.get(address.rpartition(":")[0], 0) - FREE_FAILURES
        return 0.0 if count <= 0 else min(DELAY_FIRST_S * 2.0 ** min(count - 1, 20), DELAY_MAX_S)
