"""Where a key lies in the engine: pure functions between a client's keys and internal ones.

    internal key := slot:be16 kind:u8 db:u8 key [subkey]

    slot   CRC16 of the key, or of what stands in its first non-empty {braces}, mod 16384: Redis Cluster's, so
    one slot is one
           contiguous range and every cluster-aware client knows it
    kind   META (the key itself: type, expiry, a string's value), DATA and SCORE (elements of collections)
    db     the stored database, to which storage.databases maps the one that a client selected

The layout's own slot (16384) and the node's system keys (slot 0xffff) lie after all others, out of reach of
clients.
"""

from __future__ import annotations

from binascii import crc_hqx
from enum import IntEnum

SLOTS = 16384
SYSTEM_SLOT = 0xFFFF
PREFIX_SIZE = 4
STORED_DATABASES = 256

ALL_KEYS = (b"", SLOTS.to_bytes(2, "big"))
"""Lower and upper bound of everything that clients wrote."""


class Kind(IntEnum):
    """What an internal key holds."""

    META = 1
    DATA = 2
    SCORE = 3


def hashed_part(key: bytes) -> bytes:
    """Return what of a key decides its slot: the {tag} if it has one that is not empty, else all of it."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            return key[start + 1 : end]
    return key


def slot_of(key: bytes) -> int:
    """Return the slot of a client's key. crc_hqx is CRC-16/XMODEM, the polynomial of Redis Cluster."""
    return crc_hqx(hashed_part(key), 0) % SLOTS


def prefix(slot: int, kind: int, db: int) -> bytes:
    """Return the four bytes before a key."""
    return bytes((slot >> 8, slot & 0xFF, kind, db))


def meta_key(db: int, key: bytes) -> bytes:
    """Return the internal key that holds a client's key of stored database db."""
    return prefix(slot_of(key), Kind.META, db) + key


def system_key(name: bytes) -> bytes:
    """Return the internal key of something that the node keeps for itself."""
    return prefix(SYSTEM_SLOT, Kind.META, 0) + name


def prefix_end(start: bytes) -> bytes:
    """Return the first key after all that begin with start; empty if there is none."""
    stripped = start.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else b""
