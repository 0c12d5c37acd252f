"""Which stored database each of a client's databases is, and which stored ones are being dropped.

A key's internal form names a stored database, 0 to 255. This map is what makes SWAPDB and FLUSHDB one small
write each:

    SWAPDB a b    exchanges two entries of the map
    FLUSHDB a     gives a an unused number; what lies under the old one is unreachable at once, and *dropping*
    until it is gone
    FLUSHALL      one range deletion of everything, and the map of a new store

FLUSHDB could instead be range deletions, but one database is a stretch in each of 16,384 slots. Dropping
happens beside the traffic (server.dropper): by one range deletion when nothing else is stored, else key by
key. A number is not used again before its drop is complete, so a drop that a crash interrupts is taken up
again.

The record under KEY, one byte a number:

    record := format:u8=1 count:u8 stored[count] dropping_count:u8 (number:u8 hlc:be64)[dropping_count]

hlc is the version at which the number was given up: everything under it is older.
"""

from __future__ import annotations

from typing import ClassVar

from respkv.storage.keys import STORED_DATABASES, system_key

FORMAT = 1


class Databases:
    """The map. Methods that change it return a new one, to be written before it is used."""

    KEY: ClassVar[bytes] = system_key(b"databases")

    def __init__(self, count: int) -> None:
        """Map each of count databases to itself."""
        self.count = count
        self._stored = list(range(count))
        self.dropping: dict[int, int] = {}
        """Stored numbers that were given up, each with the version at which."""

    def stored(self, db: int) -> int:
        """Return the stored number of a client's database."""
        return self._stored[db]

    def mapping(self) -> bytes:
        """Return the stored number of every database."""
        return bytes(self._stored)

    def replace(self, other: Databases) -> None:
        """Take over what another one says."""
        self._stored, self.dropping = other._stored, other.dropping

    def _copy(self) -> Databases:
        other = Databases(self.count)
        other._stored, other.dropping = self._stored.copy(), self.dropping.copy()
        return other

    def swapped(self, first: int, second: int) -> Databases:
        """Return the map with two databases exchanged."""
        other = self._copy()
        stored = other._stored
        stored[first], stored[second] = stored[second], stored[first]
        return other

    def flushed(self, db: int, hlc: int) -> Databases:
        """Return the map with a database moved to an unused number.

        Args:
            db: the client's database.
            hlc: the version of the change.

        Raises:
            LookupError: no number is free.
        """
        other = self._copy()
        taken = {*self._stored, *self.dropping}
        free = next((number for number in range(STORED_DATABASES) if number not in taken), None)
        if free is None:
            raise LookupError("all stored databases are in use or being dropped")
        other.dropping[self._stored[db]] = hlc
        other._stored[db] = free
        return other

    def without(self, number: int) -> Databases:
        """Return the map with a stored number free to be used again."""
        other = self._copy()
        del other.dropping[number]
        return other

    def encode(self) -> bytes:
        """Return the record."""
        dropping = b"".join(bytes((n,)) + hlc.to_bytes(8, "big") for n, hlc in sorted(self.dropping.items()))
        return bytes((FORMAT, len(self._stored), *self._stored, len(self.dropping))) + dropping

    def decode(self, record: bytes) -> None:
        """Take over a record, which may know more or fewer databases than are configured now.

        Databases beyond the record get the smallest numbers that are free; those beyond the configured count
        keep theirs, out of reach until the count is raised again.

        Raises:
            ValueError: it is none, or of a later format.
        """
        if len(record) < 3 or record[0] != FORMAT:
            raise ValueError("the record of databases has an unknown format")
        known = record[1]
        self._stored = list(record[2 : 2 + known])
        rest = record[3 + known :]
        if len(record) < 3 + known or len(rest) != 9 * record[2 + known]:
            raise ValueError("the record of databases is damaged")
        self.dropping = {rest[i]: int.from_bytes(rest[i + 1 : i + 9], "big") for i in range(0, len(rest), 9)}
        while len(self._stored) < self.count:
            taken = {*self._stored, *self.dropping}
            self._stored.append(next(n for n in range(STORED_DATABASES) if n not in taken))
