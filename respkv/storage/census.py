"""How many keys each stored database has, taken in one pass over a view.

The engine counts (native.View.census); count_entries is the same for a model, entry by entry.
"""

from __future__ import annotations

from collections.abc import Iterable

from respkv.native import Census, Population
from respkv.storage.cells import Entry
from respkv.storage.keys import Kind

__all__ = ["Census", "Population", "count_entries"]


def count_entries(entries: Iterable[Entry], now_ms: int) -> Census:
    """Count live entries."""
    databases: dict[int, Population] = {}
    next_expiry = 0
    for entry in entries:
        if entry.key[2] != Kind.META:
            continue
        db = entry.key[3]
        keys, expiring, ttl = databases.get(db, Population())
        if expires := entry.expires_at_ms:
            databases[db] = Population(keys + 1, expiring + 1, ttl + expires - now_ms)
            next_expiry = min(next_expiry or expires, expires)
        else:
            databases[db] = Population(keys + 1, expiring, ttl)
    return Census(now_ms, databases, next_expiry)
