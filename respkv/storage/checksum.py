"""The checksum of DUMP payloads, from the C core: a payload may be 64 MiB."""

from respkv.native import crc64

__all__ = ["crc64"]
