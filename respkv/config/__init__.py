"""The settings of a node: read from a file and the command line, changed by CONFIG SET, written back by
CONFIG REWRITE.

Here is the whole of it to the rest of the package: Config. grammar splits text, kinds parse values,
directives are the table.

A Config always holds a valid value for every directive. Several changes are made together or not at all; who
needs to know of them is told by a listener, which may refuse.
"""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from respkv.config.directive import Change, Directive, Effect
from respkv.config.directives import ALIASES, DIRECTIVES
from respkv.config.grammar import Line, command_lines, quote, read_lines, split_words
from respkv.config.kinds import OutputLimit, OutputLimits, Share, Value
from respkv.errors import ConfigError

__all__ = ["Change", "Config", "Directive", "OutputLimit", "OutputLimits", "Refused", "Share", "load"]

GENERATED = "# Written by CONFIG REWRITE"


class Refused(ConfigError):
    """CONFIG SET does not take a value. name: the directive; the text is the reason, in Redis's words."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


def _default(directive: Directive) -> Value:
    return directive.kind.parse(split_words(directive.default) or [""])


class Config:
    """Every directive's value."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {name: _default(d) for name, d in DIRECTIVES.items()}
        self.path: Path | None = None
        self.given: list[str] = []
        """Names of the directives that the file or the command line set, in order."""
        self.on_change: Callable[[frozenset[str]], None] = lambda names: None
        """Called with the names of changed directives after CONFIG SET; raises Refused to have it undone."""

    # ---- reading ------------------------------------------------------------------------------------------

    def flag(self, name: str) -> bool:
        """Return the value of a yes or no directive."""
        value = self._values[name]
        assert isinstance(value, bool)
        return value

    def integer(self, name: str) -> int:
        """Return the value of a directive that is a number, or a number of bytes."""
        value = self._values[name]
        assert isinstance(value, int)
        return value

    def text(self, name: str) -> str:
        """Return the value of a directive that is a text or a choice."""
        value = self._values[name]
        assert isinstance(value, str)
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """Return the value of a directive that is some words."""
        value = self._values[name]
        assert isinstance(value, tuple)
        return value

    def output_limit(self, client_class: str) -> OutputLimit:
        """Return client-output-buffer-limit of "normal", "slave" or "pubsub"."""
        limits: OutputLimits = self._values["client-output-buffer-limit"]  # type: ignore[assignment]
        return dict(limits)[client_class]

    def client_memory(self) -> int:
        """Return the bytes that all clients' buffers may take together; 0: no limit."""
        share = self._values["maxmemory-clients"]
        assert isinstance(share, Share)
        return share.bytes_of(self.memory())

    def memory(self) -> int:
        """Return maxmemory in bytes, with 0 standing for the default."""
        return self.integer("maxmemory") or self.default_of("maxmemory")

    def directory(self) -> Path:
        """Return the data directory as an absolute path."""
        return Path(self.text("dir")).absolute()

    def default_of(self, name: str) -> int:
        """Return the default of a directive that is a number."""
        value = _default(DIRECTIVES[name])
        assert isinstance(value, int)
        return value

    def show(self) -> Iterator[tuple[str, str]]:
        """Yield name and text of every directive, under its other name too, as CONFIG GET shows them."""
        for name, directive in DIRECTIVES.items():
            text = str(self.directory()) if name == "dir" else directive.kind.format(self._values[name])
            yield name, text
            if directive.also:
                yield directive.also, text

    def without_effect(self) -> list[str]:
        """Return the names that were set at start and do nothing here."""
        return [name for name in dict.fromkeys(self.given) if DIRECTIVES[name].effect is Effect.KEPT]

    # ---- at start -----------------------------------------------------------------------------------------

    def apply(self, line: Line) -> None:
        """Take a directive of a file or the command line.

        Raises:
            ConfigError: there is no such directive, or it does not take that.
        """
        directive = _find(line.name)
        if directive is None:
            close = difflib.get_close_matches(line.name, [*DIRECTIVES, *ALIASES], 1)
            hint = f' (did you mean "{close[0]}"?)' if close else ""
            raise ConfigError(f'{line.where}: there is no directive "{line.name}"{hint}')
        try:
            value = self._parse(directive, line.words)
        except ValueError:
            given = " ".join(map(quote, line.words)) or "nothing"
            secret = directive.name in ("requirepass", "masterauth", "tls-key-file-pass")
            shown = "what was given" if secret else given
            raise ConfigError(
                f"{line.where}: {line.name} takes {directive.kind.expected}, not {shown}"
            ) from None
        if directive.effect is Effect.REFUSED and value != _default(directive):
            raise ConfigError(f"{line.where}: {line.name} takes only {directive.default}: {directive.reason}")
        self._values[directive.name] = value
        self.given.append(directive.name)

    def _parse(self, directive: Directive, words: Sequence[str]) -> Value:
        if directive.kind.many and len(words) == 1:
            words = split_words(words[0]) or [""]
        return directive.kind.parse(words)

    # ---- CONFIG SET ---------------------------------------------------------------------------------------

    def change(self, wanted: Sequence[tuple[str, str]]) -> None:
        """Set directives together, as CONFIG SET does.

        Args:
            wanted: names and values as the client sent them.

        Raises:
            KeyError: with the name of a directive that does not exist.
            Refused: a value is not taken; nothing has changed.
        """
        found: dict[Directive, tuple[str, str]] = {}
        for name, text in wanted:
            directive = _find(name.lower())
            if directive is None:
                raise KeyError(name)
            if directive.change is not Change.FREE:
                raise Refused(name, f"can't set {directive.change.name.lower()} config")
            if directive in found:
                raise Refused(name, "duplicate parameter")
            found[directive] = name, text
        new: dict[str, Value] = {}
        for directive, (name, text) in found.items():
            try:
                new[directive.name] = self._parse(directive, [text])
            except ValueError as error:
                raise Refused(name, str(error)) from None
        self._replace(new)

    def _replace(self, new: Mapping[str, Value]) -> None:
        changed = {name: self._values[name] for name, value in new.items() if self._values[name] != value}
        self._values.update(new)
        try:
            self.on_change(frozenset(changed))
        except Refused:
            self._values.update(changed)
            raise

    # ---- CONFIG REWRITE -----------------------------------------------------------------------------------

    def rewrite(self) -> None:
        """Write the present values into the file that was read at start, keeping its comments and its order.

        A line of a directive gets its present value, and what differs from the default and has no line is put
        at the end. The file is replaced as a whole, synced.

        Raises:
            OSError: it cannot be read or written.
        """
        assert self.path
        lines = self.path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        text = "\n".join(self._rewritten(lines)) + "\n"
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("w", encoding="utf-8", errors="surrogateescape") as file:
                os.fchmod(file.fileno(), self.path.stat().st_mode & 0o777)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _rewritten(self, lines: Sequence[str]) -> Iterator[str]:
        names = [_name_of(line) for line in lines]
        for number, (line, name) in enumerate(zip(lines, names, strict=True)):
            if name is None:
                yield line
            elif name not in names[number + 1 :]:
                yield self._line(name)
        missing = [name for name in DIRECTIVES if name not in names and self._differs(name)]
        if missing and GENERATED not in lines:
            yield from ("", GENERATED)
        yield from map(self._line, missing)

    def _differs(self, name: str) -> bool:
        return self._values[name] != _default(DIRECTIVES[name])

    def _line(self, name: str) -> str:
        kind = DIRECTIVES[name].kind
        text = kind.format(self._values[name])
        words = text.split() if kind.many and text else [text]
        return " ".join([name, *map(quote, words)])


def _find(name: str) -> Directive | None:
    return DIRECTIVES.get(ALIASES.get(name, name))


def _name_of(line: str) -> str | None:
    """The directive that a line of a file sets, if it sets one."""
    stripped = line.strip()
    if not stripped or stripped.startswith("#"):
        return None
    directive = _find(stripped.split(None, 1)[0].lower())
    return directive.name if directive else None


def load(arguments: Sequence[str]) -> Config:
    """Read the configuration that a command line asks for.

    Args:
        arguments: `[FILE] [--directive word...]...`; the command line wins over the file.

    Raises:
        ConfigError: in one line, what is wrong and where.
    """
    config, rest = Config(), list(arguments)
    if rest and not rest[0].startswith("--"):
        config.path = Path(rest.pop(0)).absolute()
        try:
            text = _read(str(config.path))
        except OSError as error:
            raise ConfigError(f"cannot read {config.path}: {error.strerror}") from None
        for line in read_lines(text, str(config.path), _read):
            config.apply(line)
    for line in command_lines(rest):
        config.apply(line)
    return config


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="surrogateescape")
