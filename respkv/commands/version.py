"""Which Redis we answer as, and which respkv we are."""

from respkv import __version__

REDIS_VERSION = "7.0.15"
RESPKV_VERSION = __version__
