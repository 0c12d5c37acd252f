"""The bytes of FUNCTION DUMP and RESTORE: libraries in Redis's RDB format.

::

    payload := library* version(2, little endian) crc64(8, little endian, of all before it)
    library := 0xf5 string          the whole code, first line included
    string  := length bytes | 0xc0 int8 | 0xc1 int16 | 0xc2 int32 | 0xc3 length(compressed) length(plain) lzf
    length  := 00xxxxxx | 01xxxxxx x(1) | 0x80 x(4, big endian) | 0x81 x(8, big endian)

Strings are written plain; what Redis has compressed is read. CRC64 is Jones's, reflected.
"""

from collections.abc import Iterable

RDB_VERSION = 10
LIBRARY = 0xF5
LIBRARY_BEFORE_7 = 0xF6
_FOOTER_SIZE = 10
_ENCODED_INTEGERS = {0xC0: 1, 0xC1: 2, 0xC2: 4}
_COMPRESSED = 0xC3


class PayloadError(Exception):
    """The payload is damaged or of another kind; the text is the reply's."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC_TABLE = _crc_table()


def crc64(data: bytes) -> int:
    """Compute the CRC64 that ends a payload; about 0.1 µs a byte."""
    crc = 0
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def _length(size: int) -> bytes:
    if size < 1 << 6:
        return bytes([size])
    if size < 1 << 14:
        return (1 << 14 | size).to_bytes(2, "big")
    if size < 1 << 32:
        return b"\x80" + size.to_bytes(4, "big")
    return b"\x81" + size.to_bytes(8, "big")


def dump(libraries: Iterable[bytes]) -> bytes:
    """Write libraries, given as their codes."""
    body = b"".join(bytes([LIBRARY]) + _length(len(code)) + code for code in libraries)
    body += RDB_VERSION.to_bytes(2, "little")
    return body + crc64(body).to_bytes(8, "little")


def expand_lzf(data: bytes, size: int) -> bytes:
    """Undo LZF compression.

    ::

        000nnnnn  n + 1 bytes follow as they are
        lllooooo  o2(1)           l + 2 bytes from o + 1 back, for l in 1..6
        111ooooo  l2(1) o2(1)     l2 + 9 bytes

    Raises:
        PayloadError: it is damaged, or does not make size bytes.
    """
    out = bytearray()
    position = 0
    try:
        while position < len(data):
            control = data[position]
            position += 1
            if control < 32:
                out += data[position : position + control + 1]
                position += control + 1
                continue
            count = control >> 5
            if count == 7:
                count += data[position]
                position += 1
            begin = len(out) - ((control & 0x1F) << 8 | data[position]) - 1
            position += 1
            if begin < 0 or len(out) > size:
                break
            for index in range(begin, begin + count + 2):
                out.append(out[index])
    except IndexError:
        out.clear()
    if len(out) != size:
        raise PayloadError(b"Failed loading library payload")
    return bytes(out)


class _Reader:
    """A cursor over the libraries of a payload."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, size: int) -> bytes:
        part = self.data[self.offset : self.offset + size]
        if len(part) != size:
            raise PayloadError(b"Failed loading library payload")
        self.offset += size
        return part

    def length(self) -> int:
        first = self.take(1)[0]
        if first >> 6 == 0:
            return first
        if first >> 6 == 1:
            return (first & 0x3F) << 8 | self.take(1)[0]
        if first not in (0x80, 0x81):
            raise PayloadError(b"Failed loading library payload")
        return int.from_bytes(self.take(4 if first == 0x80 else 8), "big")

    def string(self) -> bytes:
        first = self.data[self.offset : self.offset + 1]
        size = _ENCODED_INTEGERS.get(first[0]) if first else None
        if size is not None:
            self.offset += 1
            return b"%d" % int.from_bytes(self.take(size), "little", signed=True)
        if first == bytes([_COMPRESSED]):
            self.offset += 1
            compressed, plain = self.length(), self.length()
            return expand_lzf(self.take(compressed), plain)
        return self.take(self.length())


def load(payload: bytes) -> list[bytes]:
    """Read the codes of libraries.

    Raises:
        PayloadError: it is damaged, or of a later version, or holds something else.
    """
    if len(payload) < _FOOTER_SIZE:
        raise PayloadError(b"DUMP payload version or checksum are wrong")
    body, version, crc = payload[:-_FOOTER_SIZE], payload[-_FOOTER_SIZE:-8], payload[-8:]
    if int.from_bytes(version, "little") > RDB_VERSION or crc64(body + version) != int.from_bytes(
        crc, "little"
    ):
        raise PayloadError(b"DUMP payload version or checksum are wrong")
    reader, codes = _Reader(body), []
    while reader.offset < len(body):
        kind = reader.take(1)[0]
        if kind == LIBRARY_BEFORE_7:
            raise PayloadError(b"Pre-GA function format not supported")
        if kind != LIBRARY:
            raise PayloadError(b"given type is not a function")
        codes.append(reader.string())
    return codes
