"""The package's own exceptions. Faults of the C core are native.NativeError and its subclasses.

A RespkvError's text is written for the person who reads it: an operator (ConfigError, StartError) or a client
(CommandError).
"""


class RespkvError(Exception):
    """Anything that respkv raises on purpose."""


class ConfigError(RespkvError):
    """A directive that does not exist, or a value that it does not take. One line that names both."""


class StartError(RespkvError):
    """The node cannot start: a port or a directory is in use, a file is damaged. One line."""


class CommandError(RespkvError):
    """A command answers with an error. The text is the reply without its dash: "ERR no such key"."""
