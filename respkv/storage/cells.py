"""What a META cell's payload says.

    payload := type:u8 body
    type    := "s" (a string; the body is its value)

Cells themselves (versions, expiry, tombstones) are the engine's: native.Cell.
"""

from __future__ import annotations

from respkv.native import TOMBSTONE, Cell, Entry

__all__ = ["STRING", "TOMBSTONE", "Cell", "Entry", "hlc_ms", "string_payload", "string_value", "type_name"]

STRING = b"s"
TYPE_NAMES = {STRING: "string"}
HLC_COUNTER_BITS = 16


def string_payload(value: bytes) -> bytes:
    """Return the payload of a key that holds a string."""
    return STRING + value


def string_value(cell: Cell) -> bytes:
    """Return the string in a cell; its type has been checked."""
    return cell.payload[1:]


def type_name(cell: Cell) -> str:
    """Return the name that TYPE gives: "string"..."""
    return TYPE_NAMES[cell.payload[:1]]


def hlc_ms(hlc: int) -> int:
    """Return the wall ms in a version stamp."""
    return hlc >> HLC_COUNTER_BITS
