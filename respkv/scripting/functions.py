"""FUNCTION and FCALL: libraries, by name, and the functions that they registered.

A library is loaded by running its code once; what it registers is kept in the Lua state, a number each. Names
of functions are one space for all libraries and are called without regard to letter case. A load that fails
leaves everything as it was. What changed goes to ``ScriptHost.store_library``, so that the server makes it
part of the command's effects; at the start, and for what comes from other nodes, it is given back by
``apply``.
"""

from collections.abc import Iterable, Sequence

from . import payload, resp
from .host import FLAG_NAMES, GlobMatch, ScriptFlag, ScriptHost, ScriptLimits
from .interpreter import Interpreter, InterpreterError, OutOfMemoryError
from .runner import Runner
from .scripts import OUT_OF_MEMORY, key_count
from .shebang import ShebangError, is_name, read_library_head

ENGINE = b"LUA"
BAD_NAME = (
    b"Library names can only contain letters, numbers, or underscores(_) "
    b"and must be at least one character long"
)

_HELP = (
    b"LOAD [REPLACE] <FUNCTION CODE>",
    b"    Create a new library with the given library name and code.",
    b"DELETE <LIBRARY NAME>",
    b"    Delete the given library.",
    b"LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    b"    Return general information on all the libraries:",
    b"    * Library name",
    b"    * The engine used to run the Library",
    b"    * Library description",
    b"    * Functions list",
    b"    * Library code (if WITHCODE is given)",
    b"    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
    b"STATS",
    b"    Return information about the current function running:",
    b"    * Function name",
    b"    * Command used to run the function",
    b"    * Duration in MS that the function is running",
    b"    If no function is running, return nil",
    b"    In addition, returns a list of available engines.",
    b"KILL",
    b"    Kill the current running function.",
    b"FLUSH [ASYNC|SYNC]",
    b"    Delete all the libraries.",
    b"    When called without the optional mode argument, the behavior is determined by the",
    b"    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    b"    * ASYNC: Asynchronously flush the libraries.",
    b"    * SYNC: Synchronously flush the libraries.",
    b"DUMP",
    b"    Return a serialized payload representing the current libraries, "
    b"can be restored using FUNCTION RESTORE command",
    b"RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    b"    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
    b"    control how to handle existing libraries (default APPEND):",
    b"    * FLUSH: delete all existing libraries.",
    b"    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
    b"    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
    b"      libraries with the new libraries (notice that even on this option there is a chance of failure",
    b"      in case of functions name collision with another library).",
)


class FunctionError(Exception):
    """A library cannot be taken; the text is the reply's."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class Function:
    """A function that a library registered."""

    __slots__ = ("description", "flags", "name", "number")

    def __init__(self, name: bytes, number: int, flags: ScriptFlag, description: bytes | None) -> None:
        self.name = name
        self.number = number
        self.flags = flags
        self.description = description


class Library:
    """A library: its code, first line included, and its functions by name."""

    __slots__ = ("code", "functions", "name")

    def __init__(self, name: bytes, code: bytes) -> None:
        self.name = name
        self.code = code
        self.functions: dict[bytes, Function] = {}

    def register(self, number: int, name: bytes, flags: bytes, description: bytes | None) -> bytes | None:
        """Add a function: None, or what is wrong with it."""
        declared = ScriptFlag(0)
        for flag in flags.split(b",") if flags else []:
            if flag.lower() not in FLAG_NAMES:
                return b"unknown flag given"
            declared |= FLAG_NAMES[flag.lower()]
        if not is_name(name):
            return BAD_NAME
        if name in self.functions:
            return b"Function already exists in the library"
        self.functions[name] = Function(name, number, declared, description)
        return None

    def shown(self, protocol: int, with_code: bool) -> bytes:
        """Describe it as FUNCTION LIST does."""
        functions = (
            resp.mapping(
                [
                    (b"name", resp.bulk(f.name)),
                    (
                        b"description",
                        resp.null(protocol) if f.description is None else resp.bulk(f.description),
                    ),
                    (
                        b"flags",
                        resp.collection(
                            (resp.status(name) for name, flag in FLAG_NAMES.items() if f.flags & flag),
                            protocol,
                        ),
                    ),
                ],
                protocol,
            )
            for f in self.functions.values()
        )
        fields = [
            (b"library_name", resp.bulk(self.name)),
            (b"engine", resp.bulk(ENGINE)),
            (b"functions", resp.array(functions)),
        ]
        if with_code:
            fields.append((b"library_code", resp.bulk(self.code)))
        return resp.mapping(fields, protocol)


class _Shelf:
    """Libraries by name, and their functions by name in small letters."""

    def __init__(self, libraries: Iterable[Library] = ()) -> None:
        self.libraries: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}
        for library in libraries:
            self.add(library)

    def copy(self) -> "_Shelf":
        return _Shelf(self.libraries.values())

    def remove(self, name: bytes) -> None:
        library = self.libraries.pop(name, None)
        if library is not None:
            for function in library.functions:
                self.functions.pop(function.lower(), None)

    def add(self, library: Library) -> None:
        for name in library.functions:
            if name.lower() in self.functions:
                raise FunctionError(b"Function %s already exists" % name)
        self.libraries[library.name] = library
        for name, function in library.functions.items():
            self.functions.setdefault(name.lower(), function)


class Functions:
    """The libraries, and the commands on them.

    Args:
        runner: runs functions.
        limits: of the Lua state, and of the time to load a library.
        matches: for FUNCTION LIST LIBRARYNAME.
    """

    def __init__(self, runner: Runner, limits: ScriptLimits, matches: GlobMatch) -> None:
        self._runner = runner
        self._limits = limits
        self._matches = matches
        self._shelf = _Shelf()
        self._made: Interpreter | None = None

    @property
    def _interpreter(self) -> Interpreter:
        # Made when it is first needed: most servers have no library.
        if self._made is None:
            self._made = Interpreter(self._runner, "function", self._limits.memory_bytes)
        return self._made

    # ---- running ------------------------------------------------------------------------------------------

    def fcall(
        self, host: ScriptHost, argv: Sequence[bytes], protocol: int, is_read_only: bool = False
    ) -> bytes:
        """FCALL function numkeys [key ...] [arg ...]."""
        function = self._shelf.functions.get(argv[1]) or self._shelf.functions.get(argv[1].lower())
        if function is None:
            return resp.error(b"Function not found")
        count = key_count(argv, b"Bad number of keys provided")
        if isinstance(count, bytes):
            return count
        interpreter = self._interpreter
        refused = self._runner.begin(
            host, function.name, function.flags, argv, False, is_read_only, interpreter.make_room
        )
        if refused is not None:
            return refused
        try:
            reply = interpreter.function(function.number, protocol, count, argv[3:])
        except OutOfMemoryError:
            reply = resp.error(OUT_OF_MEMORY)
        except InterpreterError as error:
            reply = self._runner.broken(error)
        finally:
            self._runner.end()
        return reply

    def flags(self, argv: Sequence[bytes]) -> ScriptFlag | None:
        """What the function that this FCALL would call has declared; None if there is none."""
        function = self._shelf.functions.get(argv[1].lower())
        return None if function is None else function.flags

    # ---- loading ------------------------------------------------------------------------------------------

    def _make(self, host: ScriptHost, code: bytes, shelf: _Shelf, is_replacing: bool) -> Library:
        """Load a library and put it on the shelf, which is of no use if this raises."""
        try:
            head = read_library_head(code)
        except ShebangError as wrong:
            raise FunctionError(wrong.text) from None
        if not is_name(head.name):
            raise FunctionError(BAD_NAME)
        if head.engine.upper() != ENGINE:
            raise FunctionError(b"Engine '%s' not found" % head.engine)
        if head.name in shelf.libraries and not is_replacing:
            raise FunctionError(b"Library '%s' already exists" % head.name)
        shelf.remove(head.name)
        library = Library(head.name, code)
        try:
            self._run_code(host, head.code, library)
            if not library.functions:
                raise FunctionError(b"No functions registered")
            shelf.add(library)
        except BaseException:
            self._drop(library)
            raise
        return library

    def _run_code(self, host: ScriptHost, code: bytes, library: Library) -> None:
        interpreter = self._interpreter
        self._runner.begin_load(host, library.register)
        try:
            wrong = interpreter.load(code)
        except OutOfMemoryError:
            wrong = OUT_OF_MEMORY
        except InterpreterError:
            wrong = b"Error registering functions: internal error"
        finally:
            self._runner.end()
        if wrong is not None:
            raise FunctionError(wrong)

    def _drop(self, library: Library) -> None:
        for function in library.functions.values():
            self._interpreter.drop(function.number)

    def _put(self, host: ScriptHost | None, shelf: _Shelf) -> None:
        """Make shelf the one in use, and tell the host what that changes."""
        old, self._shelf = self._shelf.libraries, shelf
        for name, library in old.items():
            if shelf.libraries.get(name) is not library:
                self._drop(library)
                if host is not None and name not in shelf.libraries:
                    host.store_library(name, None)
        for name, library in shelf.libraries.items():
            if host is not None and old.get(name) is not library:
                host.store_library(name, library.code)

    def load(self, host: ScriptHost, arguments: Sequence[bytes]) -> bytes:
        """FUNCTION LOAD [REPLACE] code."""
        for option in arguments[:-1]:
            if option.lower() != b"replace":
                return resp.error(b"Unknown option given: %s" % option)
        shelf = self._shelf.copy()
        try:
            library = self._make(host, arguments[-1], shelf, is_replacing=len(arguments) > 1)
        except FunctionError as wrong:
            return resp.error(wrong.text)
        self._put(host, shelf)
        return resp.bulk(library.name)

    def apply(self, host: ScriptHost, name: bytes, code: bytes | None) -> None:
        """Take a library as it was stored, or its removal (None), without storing it again.

        Raises:
            FunctionError: it cannot be loaded; the others are as they were.
        """
        shelf = self._shelf.copy()
        shelf.remove(name)
        if code is not None:
            self._make(host, code, shelf, is_replacing=True)
        self._put(None, shelf)

    def delete(self, host: ScriptHost, name: bytes) -> bytes:
        """FUNCTION DELETE library."""
        if name not in self._shelf.libraries:
            return resp.error(b"Library not found")
        shelf = self._shelf.copy()
        shelf.remove(name)
        self._put(host, shelf)
        return resp.OK

    def flush(self, host: ScriptHost, options: Sequence[bytes]) -> bytes:
        """FUNCTION FLUSH [ASYNC|SYNC]."""
        if options and options[0].lower() not in (b"sync", b"async"):
            return resp.error(b"FUNCTION FLUSH only supports SYNC|ASYNC option")
        self._put(host, _Shelf())
        return resp.OK

    def dump(self) -> bytes:
        """FUNCTION DUMP."""
        return resp.bulk(payload.dump(library.code for library in self._shelf.libraries.values()))

    def restore(self, host: ScriptHost, data: bytes, options: Sequence[bytes]) -> bytes:
        """FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]."""
        policy = options[0].lower() if options else b"append"
        if policy not in (b"append", b"replace", b"flush"):
            return resp.error(b"Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
        fresh = _Shelf()
        try:
            for code in payload.load(data):
                self._make(host, code, fresh, is_replacing=False)
            shelf = _Shelf() if policy == b"flush" else self._shelf.copy()
            for name in fresh.libraries:
                if name in shelf.libraries and policy == b"append":
                    raise FunctionError(b"Library %s already exists" % name)
                shelf.remove(name)
            for library in fresh.libraries.values():
                shelf.add(library)
        except (FunctionError, payload.PayloadError) as wrong:
            for library in fresh.libraries.values():
                self._drop(library)
            return resp.error(wrong.text)
        self._put(host, shelf)
        return resp.OK

    # ---- asking -------------------------------------------------------------------------------------------

    def list(self, options: Sequence[bytes], protocol: int) -> bytes:
        """FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]."""
        pattern: bytes | None = None
        with_code = False
        words = iter(options)
        for word in words:
            if word.lower() == b"withcode" and not with_code:
                with_code = True
            elif word.lower() == b"libraryname" and pattern is None:
                pattern = next(words, None)
                if pattern is None:
                    return resp.error(b"library name argument was not given")
            else:
                return resp.error(b"Unknown argument %s" % word)
        return resp.array(
            library.shown(protocol, with_code)
            for library in self._shelf.libraries.values()
            if pattern is None or self._matches(pattern, library.name)
        )

    def stats(self, protocol: int) -> bytes:
        """FUNCTION STATS; may be asked while a function is busy."""
        if self._runner.is_running and self._runner.is_eval:
            return self._runner.busy_error
        script = resp.null(protocol)
        if self._runner.is_running:
            name, argv, milliseconds = self._runner.running()
            script = resp.mapping(
                [
                    (b"name", resp.bulk(name)),
                    (b"command", resp.array(resp.bulk(argument) for argument in argv)),
                    (b"duration_ms", resp.integer(milliseconds)),
                ],
                protocol,
            )
        counts = [
            (b"libraries_count", resp.integer(len(self._shelf.libraries))),
            (b"functions_count", resp.integer(len(self._shelf.functions))),
        ]
        engines = resp.mapping([(ENGINE, resp.mapping(counts, protocol))], protocol)
        return resp.mapping([(b"running_script", script), (b"engines", engines)], protocol)

    def help(self) -> bytes:
        """FUNCTION HELP."""
        return resp.help_lines(b"FUNCTION", _HELP)

    @property
    def count(self) -> int:
        """Functions of all libraries."""
        return len(self._shelf.functions)

    @property
    def memory_used(self) -> int:
        """Bytes that the Lua state takes; 0 as long as there is none."""
        return 0 if self._made is None else self._made.memory_used
