"""respkv: a durable key-value store that Redis clients talk to without a change."""

__version__ = "0.1.0"
