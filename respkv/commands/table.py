"""The table of every command, native ones too: what COMMAND tells, what arity and permission are checked by.

Facts as redis-server 7.0 gives them (a test compares), less the commands that are not here yet, plus two of
later servers: CLIENT SETINFO and CLIENT NO-TOUCH, and SET's IFEQ and IFNE.
"""

from __future__ import annotations

from respkv.commands.spec import Argument, Command, KeySpec

# ---- short words for the table ----------------------------------------------------------------------


def _argument(name: str, kind: str, token: str, options: str, since: str, *parts: Argument) -> Argument:
    wanted = options.split()
    return Argument(
        name,
        kind,
        token,
        since,
        optional="optional" in wanted,
        multiple="multiple" in wanted or "repeated" in wanted,
        multiple_token="repeated" in wanted,
        parts=parts,
    )


def text(name: str, token: str = "", options: str = "", since: str = "") -> Argument:
    """A string; options: optional, multiple, repeated (with its token each time)."""
    return _argument(name, "string", token, options, since)


def number(name: str, token: str = "", options: str = "", since: str = "") -> Argument:
    """An integer."""
    return _argument(name, "integer", token, options, since)


def moment(name: str, token: str = "", options: str = "", since: str = "") -> Argument:
    """A point in time."""
    return _argument(name, "unix-time", token, options, since)


def pattern(name: str, token: str = "", options: str = "", since: str = "") -> Argument:
    """A glob pattern."""
    return _argument(name, "pattern", token, options, since)


def word(token: str, options: str = "", since: str = "") -> Argument:
    """A word that stands for itself."""
    return _argument(token.lower(), "pure-token", token, options, since)


def one_of(name: str, *parts: Argument, token: str = "", options: str = "", since: str = "") -> Argument:
    """One of several."""
    return _argument(name, "oneof", token, options, since, *parts)


def block(name: str, *parts: Argument, token: str = "", options: str = "", since: str = "") -> Argument:
    """Several that go together."""
    return _argument(name, "block", token, options, since, *parts)


def key(name: str = "key", spec: int = 0, multiple: bool = False) -> Argument:
    """A key."""
    return Argument(name, "key", key_spec=spec, multiple=multiple)


def flag(*names: str, options: str = "optional", since: str = "") -> Argument:
    """One of some words, as an argument named after all of them."""
    return one_of("_".join(names).lower(), *map(word, names), options=options, since=since)


def command(
    name: str,
    arity: int,
    flags: str,
    since: str,
    summary: str,
    *arguments: Argument,
    group: str = "server",
    cost: str = "O(1)",
    keys: tuple[KeySpec, ...] = (),
    tips: str = "",
    categories: str | None = None,
    history: tuple[tuple[str, str], ...] = (),
    doc_flags: str = "",
    deprecated: tuple[str, str] = ("", ""),
) -> Command:
    """One entry of the table."""
    return Command(
        name,
        arity,
        tuple(flags.split()),
        group,
        since,
        summary,
        cost,
        keys,
        arguments,
        tuple(tips.split()),
        None if categories is None else tuple(categories.split()),
        history,
        tuple(doc_flags.split()),
        *deprecated,
    )


READ = (KeySpec("RO access"),)
LOOK = (KeySpec("RO"),)
LOOK_SECOND = (KeySpec("RO", 2),)
CHANGE = (KeySpec("RW access update"),)
RETIME = (KeySpec("RW update"),)
REMOVE = (KeySpec("RW access delete"),)
OVERWRITE = (KeySpec("OW update"),)
CREATE = (KeySpec("OW insert"),)

FREE = "noscript loading stale fast no_auth allow_busy"
ADMIN = "admin noscript loading stale"
ALWAYS = "loading stale"
SHARDS = "request_policy:all_shards"
NODES = "request_policy:all_nodes"
SUCCEED = "response_policy:all_succeeded"
SUM = "response_policy:agg_sum"
SPECIAL = "response_policy:special"
VARIES = "nondeterministic_output"

SECONDS, MILLISECONDS = number("seconds"), number("milliseconds")
AT_SECONDS, AT_MILLISECONDS = moment("unix-time-seconds"), moment("unix-time-milliseconds")
CONDITION = one_of(
    "condition", word("NX"), word("XX"), word("GT"), word("LT"), options="optional", since="7.0.0"
)
CONDITION_HISTORY = (("7.0.0", "NX, XX, GT and LT."),)
ON_OFF = one_of("enabled", word("ON"), word("OFF"))
KINDS = (word("NORMAL"), word("MASTER"), word("REPLICA"), word("PUBSUB"))
PER_KEY = "O(N) in the number of keys"
PER_CLIENT = "O(N) in the number of clients"
PER_DATABASE = "O(N) in the number of keys of the database"


def help_of(container: str, since: str, group: str = "server", flags: str = ALWAYS, **more: str) -> Command:
    """The HELP subcommand of a container."""
    return command(f"{container}|help", 2, flags, since, ("Lists the subcommands."), group=group, **more)  # type: ignore[arg-type]


# ---- connections ------------------------------------------------------------------------------------

CLIENT = command(
    "client",
    -2,
    "",
    "2.4.0",
    "Everything about client connections.",
    group="connection",
    cost="By subcommand.",
).with_subcommands(
    [
        command(
            "client|caching",
            3,
            "noscript loading stale",
            "6.0.0",
            "Says whether the keys of the next command are tracked.",
            one_of("mode", word("YES"), word("NO")),
            group="connection",
        ),
        command(
            "client|getname",
            2,
            "noscript loading stale",
            "2.6.9",
            "The name of this connection.",
            group="connection",
        ),
        command(
            "client|getredir",
            2,
            "noscript loading stale",
            "6.0.0",
            "Which client gets this one's invalidation messages.",
            group="connection",
        ),
        help_of("client", "5.0.0", "connection"),
        command(
            "client|id",
            2,
            "noscript loading stale",
            "5.0.0",
            "The id of this connection, never given twice.",
            group="connection",
        ),
        command(
            "client|info",
            2,
            "noscript loading stale",
            "6.2.0",
            "What CLIENT LIST says of this connection.",
            group="connection",
            tips=VARIES,
        ),
        command(
            "client|kill",
            -3,
            ADMIN,
            "2.4.0",
            "Closes the connections that meet all filters.",
            one_of(
                "filter",
                Argument("ip:port", "string", deprecated_since="2.8.12"),
                one_of(
                    "new-format",
                    number("client-id", "ID", "optional", "2.8.12"),
                    one_of(
                        "normal_master_slave_pubsub",
                        word("NORMAL"),
                        word("MASTER", since="3.2.0"),
                        word("SLAVE"),
                        word("REPLICA", since="5.0.0"),
                        word("PUBSUB"),
                        token="TYPE",
                        options="optional",
                        since="2.8.12",
                    ),
                    text("username", "USER", "optional"),
                    text("ip:port", "ADDR", "optional"),
                    text("ip:port", "LADDR", "optional", "6.2.0"),
                    text("yes/no", "SKIPME", "optional"),
                    options="multiple",
                ),
            ),
            group="connection",
            cost=PER_CLIENT,
            history=(
                ("2.8.12", "Filters."),
                ("2.8.12", "ID."),
                ("3.2.0", "TYPE master."),
                ("5.0.0", "TYPE replica, of which slave is the older name."),
                ("6.2.0", "LADDR."),
            ),
        ),
        command(
            "client|list",
            -2,
            ADMIN,
            "2.4.0",
            "A line for every connection.",
            one_of("normal_master_replica_pubsub", *KINDS, token="TYPE", options="optional", since="5.0.0"),
            block("id", number("client-id", "", "multiple"), token="ID", options="optional", since="6.2.0"),
            group="connection",
            cost=PER_CLIENT,
            tips=VARIES,
            history=(
                ("2.8.12", "The field id."),
                ("5.0.0", "TYPE."),
                ("6.0.0", "The field user."),
                ("6.2.0", "ID, and the fields argv-mem, tot-mem, laddr, redir."),
                ("7.0.0", "The fields resp, multi-mem, rbs, rbp."),
                ("7.0.3", "The field ssub."),
            ),
        ),
        command(
            "client|no-evict",
            3,
            ADMIN,
            "7.0.0",
            "Spares this connection when clients' buffers have grown too large.",
            ON_OFF,
            group="connection",
        ),
        command(
            "client|no-touch",
            3,
            "noscript loading stale",
            "7.2.0",
            "Accepted: reads here do not change how recently a key counts as used.",
            ON_OFF,
            group="connection",
        ),
        command(
            "client|pause",
            -3,
            ADMIN,
            "2.9.50",
            "Holds the commands of all clients for a while.",
            number("timeout"),
            one_of("mode", word("WRITE"), word("ALL"), options="optional", since="6.2.0"),
            group="connection",
            history=(("6.2.0", "The mode."),),
        ),
        command(
            "client|reply",
            3,
            "noscript loading stale",
            "3.2.0",
            "Whether this connection gets replies.",
            one_of("on_off_skip", word("ON"), word("OFF"), word("SKIP")),
            group="connection",
        ),
        command(
            "client|setinfo",
            4,
            "noscript loading stale",
            "7.2.0",
            "Names the library that the client uses.",
            one_of("attr", text("libname", "LIB-NAME"), text("libver", "LIB-VER")),
            group="connection",
        ),
        command(
            "client|setname",
            3,
            "noscript loading stale",
            "2.6.9",
            "Names this connection.",
            text("connection-name"),
            group="connection",
        ),
        command(
            "client|tracking",
            -3,
            "noscript loading stale",
            "6.0.0",
            "Turns tracking of keys for client-side caches on or off.",
            one_of("status", word("ON"), word("OFF")),
            number("client-id", "REDIRECT", "optional"),
            text("prefix", "PREFIX", "optional repeated"),
            *(word(w, "optional") for w in ("BCAST", "OPTIN", "OPTOUT", "NOLOOP")),
            group="connection",
            cost="O(1), and more with prefixes.",
        ),
        command(
            "client|trackinginfo",
            2,
            "noscript loading stale",
            "6.2.0",
            "How tracking is set on this connection.",
            group="connection",
        ),
        command(
            "client|unblock",
            -3,
            ADMIN,
            "5.0.0",
            "Ends the blocking command of another client.",
            number("client-id"),
            one_of("timeout_error", word("TIMEOUT"), word("ERROR"), options="optional"),
            group="connection",
        ),
        command(
            "client|unpause", 2, ADMIN, "6.2.0", "Ends CLIENT PAUSE.", group="connection", cost=PER_CLIENT
        ),
    ]
)

CONNECTION = [
    command(
        "auth",
        -2,
        FREE,
        "1.0.0",
        "Gives the password.",
        text("username", "", "optional", "6.0.0"),
        text("password"),
        group="connection",
        history=(("6.0.0", "The name of a user."),),
    ),
    CLIENT,
    command(
        "echo",
        2,
        "loading stale fast",
        "1.0.0",
        "Answers with its argument.",
        text("message"),
        group="connection",
    ),
    command(
        "hello",
        -1,
        FREE,
        "6.0.0",
        "Chooses the protocol version, and may give password and name at once.",
        block(
            "arguments",
            number("protover"),
            block("username_password", text("username"), text("password"), token="AUTH", options="optional"),
            text("clientname", "SETNAME", "optional"),
            options="optional",
        ),
        group="connection",
        history=(("6.2.0", "Without arguments it only tells."),),
    ),
    command(
        "ping",
        -1,
        "fast",
        "1.0.0",
        "Answers PONG, or its argument.",
        text("message", "", "optional"),
        group="connection",
        tips=f"{SHARDS} {SUCCEED}",
    ),
    command("quit", -1, FREE, "1.0.0", "Closes the connection.", group="connection"),
    command("reset", 1, FREE, "6.2.0", "Makes the connection as new.", group="connection"),
    command(
        "select",
        2,
        "loading stale fast",
        "1.0.0",
        "Changes the database of this connection.",
        number("index"),
        group="connection",
    ),
]

# ---- strings ----------------------------------------------------------------------------------------

GETEX_EXPIRY = one_of(
    "expiration",
    number("seconds", "EX"),
    number("milliseconds", "PX"),
    moment("unix-time-seconds", "EXAT"),
    moment("unix-time-milliseconds", "PXAT"),
    word("PERSIST"),
    options="optional",
)
PAIRS = block("key_value", key(), text("value"), options="multiple")
RANGE_COST = "O(N) in the bytes returned"

STRINGS = [
    command(
        "append",
        3,
        "write denyoom fast",
        "2.0.0",
        "Adds to the end of a value.",
        key(),
        text("value"),
        group="string",
        cost="O(N) in the size of the value",
        keys=(KeySpec("RW insert"),),
    ),
    command(
        "decr",
        2,
        "write denyoom fast",
        "1.0.0",
        "Takes one from a number.",
        key(),
        group="string",
        keys=CHANGE,
    ),
    command(
        "decrby",
        3,
        "write denyoom fast",
        "1.0.0",
        "Takes from a number.",
        key(),
        number("decrement"),
        group="string",
        keys=CHANGE,
    ),
    command("get", 2, "readonly fast", "1.0.0", "The value of a key.", key(), group="string", keys=READ),
    command(
        "getdel",
        2,
        "write fast",
        "6.2.0",
        "The value of a key, which is deleted.",
        key(),
        group="string",
        keys=REMOVE,
    ),
    command(
        "getex",
        -2,
        "write fast",
        "6.2.0",
        "The value of a key, whose expiry may be changed.",
        key(),
        GETEX_EXPIRY,
        group="string",
        keys=(KeySpec("RW access update", notes="RW and UPDATE because it changes the TTL"),),
    ),
    command(
        "getrange",
        4,
        "readonly",
        "2.4.0",
        "A part of a value.",
        key(),
        number("start"),
        number("end"),
        group="string",
        cost=RANGE_COST,
        keys=READ,
    ),
    command(
        "getset",
        3,
        "write denyoom fast",
        "1.0.0",
        "Sets a key and answers with its old value.",
        key(),
        text("value"),
        group="string",
        keys=CHANGE,
        doc_flags="deprecated",
        deprecated=("6.2.0", "`SET` with the `!GET` argument"),
    ),
    command(
        "incr", 2, "write denyoom fast", "1.0.0", "Adds one to a number.", key(), group="string", keys=CHANGE
    ),
    command(
        "incrby",
        3,
        "write denyoom fast",
        "1.0.0",
        "Adds to a number.",
        key(),
        number("increment"),
        group="string",
        keys=CHANGE,
    ),
    command(
        "incrbyfloat",
        3,
        "write denyoom fast",
        "2.6.0",
        "Adds to a decimal number.",
        key(),
        Argument("increment", "double"),
        group="string",
        keys=CHANGE,
    ),
    command(
        "lcs",
        -3,
        "readonly",
        "7.0.0",
        "What two values have in common, in order.",
        key("key1"),
        key("key2"),
        word("LEN", "optional"),
        word("IDX", "optional"),
        number("len", "MINMATCHLEN", "optional"),
        word("WITHMATCHLEN", "optional"),
        group="string",
        cost="O(N*M) in the sizes of the two values",
        keys=(KeySpec("RO access", 1, 1),),
    ),
    command(
        "mget",
        -2,
        "readonly fast",
        "1.0.0",
        "The values of several keys.",
        key(multiple=True),
        group="string",
        cost=PER_KEY,
        keys=(KeySpec("RO access", 1, -1),),
        tips="request_policy:multi_shard",
    ),
    command(
        "mset",
        -3,
        "write denyoom",
        "1.0.1",
        "Sets several keys together.",
        PAIRS,
        group="string",
        cost=PER_KEY,
        keys=(KeySpec("OW update", 1, -1, 2),),
        tips=f"request_policy:multi_shard {SUCCEED}",
    ),
    command(
        "msetnx",
        -3,
        "write denyoom",
        "1.0.1",
        "Sets several keys if none of them exists.",
        PAIRS,
        group="string",
        cost=PER_KEY,
        keys=(KeySpec("OW insert", 1, -1, 2),),
        tips="request_policy:multi_shard response_policy:agg_min",
    ),
    command(
        "psetex",
        4,
        "write denyoom",
        "2.6.0",
        "Sets a key that expires, in milliseconds.",
        key(),
        MILLISECONDS,
        text("value"),
        group="string",
        keys=OVERWRITE,
    ),
    command(
        "set",
        -3,
        "write denyoom",
        "1.0.0",
        "Sets a key.",
        key(),
        text("value"),
        one_of("condition", word("NX"), word("XX"), options="optional", since="2.6.12"),
        one_of(
            "comparison",
            text("ifeq-value", "IFEQ"),
            text("ifne-value", "IFNE"),
            options="optional",
            since="8.4.0",
        ),
        word("GET", "optional", "6.2.0"),
        one_of(
            "expiration",
            number("seconds", "EX", since="2.6.12"),
            number("milliseconds", "PX", since="2.6.12"),
            moment("unix-time-seconds", "EXAT", since="6.2.0"),
            moment("unix-time-milliseconds", "PXAT", since="6.2.0"),
            word("KEEPTTL", since="6.0.0"),
            options="optional",
        ),
        group="string",
        keys=(
            KeySpec(
                "RW access update variable_flags", notes="RW and ACCESS due to the optional `GET` argument"
            ),
        ),
        history=(
            ("2.6.12", "EX, PX, NX, XX."),
            ("6.0.0", "KEEPTTL."),
            ("6.2.0", "GET, EXAT, PXAT."),
            ("7.0.0", "NX together with GET."),
        ),
    ),
    command(
        "setex",
        4,
        "write denyoom",
        "2.0.0",
        "Sets a key that expires, in seconds.",
        key(),
        SECONDS,
        text("value"),
        group="string",
        keys=OVERWRITE,
    ),
    command(
        "setnx",
        3,
        "write denyoom fast",
        "1.0.0",
        "Sets a key if it does not exist.",
        key(),
        text("value"),
        group="string",
        keys=CREATE,
    ),
    command(
        "setrange",
        4,
        "write denyoom",
        "2.2.0",
        "Overwrites a part of a value.",
        key(),
        number("offset"),
        text("value"),
        group="string",
        cost="O(N) in the size of the value",
        keys=RETIME,
    ),
    command("strlen", 2, "readonly fast", "2.2.0", "The size of a value.", key(), group="string", keys=LOOK),
    command(
        "substr",
        4,
        "readonly",
        "1.0.0",
        "A part of a value.",
        key(),
        number("start"),
        number("end"),
        group="string",
        cost=RANGE_COST,
        keys=READ,
        doc_flags="deprecated",
        deprecated=("2.0.0", "`GETRANGE`"),
    ),
]

# ---- keys -------------------------------------------------------------------------------------------

OBJECT = command(
    "object", -2, "", "2.2.3", "What the server knows of a value.", group="generic", cost="By subcommand."
).with_subcommands(
    [
        command(
            "object|encoding",
            3,
            "readonly",
            "2.2.3",
            "How Redis would hold the value.",
            key(),
            group="generic",
            keys=LOOK_SECOND,
            tips=VARIES,
        ),
        command(
            "object|freq",
            3,
            "readonly",
            "4.0.0",
            "How often a key is used; not tracked here.",
            key(),
            group="generic",
            keys=LOOK_SECOND,
            tips=VARIES,
        ),
        help_of("object", "6.2.0", "generic"),
        command(
            "object|idletime",
            3,
            "readonly",
            "2.2.3",
            "Seconds since the key was written.",
            key(),
            group="generic",
            keys=LOOK_SECOND,
            tips=VARIES,
        ),
        command(
            "object|refcount",
            3,
            "readonly",
            "2.2.3",
            "How many references Redis would count.",
            key(),
            group="generic",
            keys=LOOK_SECOND,
            tips=VARIES,
        ),
    ]
)

MULTI_KEY = f"request_policy:multi_shard {SUM}"

KEYS = [
    command(
        "copy",
        -3,
        "write denyoom",
        "6.2.0",
        "Copies a key.",
        key("source"),
        key("destination", 1),
        number("destination-db", "DB", "optional"),
        word("REPLACE", "optional"),
        group="generic",
        cost="O(N) in the size of the value",
        keys=(KeySpec("RO access"), KeySpec("OW update", 2)),
    ),
    command(
        "del",
        -2,
        "write",
        "1.0.0",
        "Deletes keys.",
        key(multiple=True),
        group="generic",
        cost=PER_KEY,
        keys=(KeySpec("RM delete", 1, -1),),
        tips=MULTI_KEY,
    ),
    command(
        "dump",
        2,
        "readonly",
        "2.6.0",
        "A value with type and checksum, for RESTORE.",
        key(),
        group="generic",
        cost="O(N) in the size of the value",
        keys=READ,
        tips=VARIES,
    ),
    command(
        "exists",
        -2,
        "readonly fast",
        "1.0.0",
        "How many of the keys exist.",
        key(multiple=True),
        group="generic",
        cost=PER_KEY,
        keys=(KeySpec("RO", 1, -1),),
        tips=MULTI_KEY,
        history=(("3.0.3", "Several keys."),),
    ),
    command(
        "expire",
        -3,
        "write fast",
        "1.0.0",
        "Lets a key expire, in seconds from now.",
        key(),
        SECONDS,
        CONDITION,
        group="generic",
        keys=RETIME,
        history=CONDITION_HISTORY,
    ),
    command(
        "expireat",
        -3,
        "write fast",
        "1.2.0",
        "Lets a key expire at a second.",
        key(),
        AT_SECONDS,
        CONDITION,
        group="generic",
        keys=RETIME,
        history=CONDITION_HISTORY,
    ),
    command(
        "expiretime",
        2,
        "readonly fast",
        "7.0.0",
        "When a key expires, in seconds since 1970.",
        key(),
        group="generic",
        keys=READ,
    ),
    command(
        "keys",
        2,
        "readonly",
        "1.0.0",
        "All keys that match a pattern.",
        pattern("pattern"),
        group="generic",
        cost=PER_DATABASE,
        categories="keyspace dangerous",
        tips=f"{SHARDS} nondeterministic_output_order",
    ),
    command(
        "move",
        3,
        "write fast",
        "1.0.0",
        "Moves a key to another database.",
        key(),
        number("db"),
        group="generic",
        keys=CHANGE,
    ),
    OBJECT,
    command(
        "persist", 2, "write fast", "2.2.0", "Keeps a key from expiring.", key(), group="generic", keys=RETIME
    ),
    command(
        "pexpire",
        -3,
        "write fast",
        "2.6.0",
        "Lets a key expire, in milliseconds from now.",
        key(),
        MILLISECONDS,
        CONDITION,
        group="generic",
        keys=RETIME,
        history=CONDITION_HISTORY,
    ),
    command(
        "pexpireat",
        -3,
        "write fast",
        "2.6.0",
        "Lets a key expire at a millisecond.",
        key(),
        AT_MILLISECONDS,
        CONDITION,
        group="generic",
        keys=RETIME,
        history=CONDITION_HISTORY,
    ),
    command(
        "pexpiretime",
        2,
        "readonly fast",
        "7.0.0",
        "When a key expires, in milliseconds since 1970.",
        key(),
        group="generic",
        keys=READ,
    ),
    command(
        "pttl",
        2,
        "readonly fast",
        "2.6.0",
        "How long a key has to live, in milliseconds.",
        key(),
        group="generic",
        keys=READ,
        tips=VARIES,
        history=(("2.8.0", "-2 for no key."),),
    ),
    command(
        "randomkey",
        1,
        "readonly",
        "1.0.0",
        "One of the keys, by chance.",
        group="generic",
        tips=f"{SHARDS} {VARIES}",
    ),
    command(
        "rename",
        3,
        "write",
        "1.0.0",
        "Renames a key.",
        key(),
        key("newkey", 1),
        group="generic",
        cost="O(N) in the size of the value",
        keys=(KeySpec("RW access delete"), KeySpec("OW update", 2)),
    ),
    command(
        "renamenx",
        3,
        "write fast",
        "1.0.0",
        "Renames a key if the new name is free.",
        key(),
        key("newkey", 1),
        group="generic",
        cost="O(N) in the size of the value",
        keys=(KeySpec("RW access delete"), KeySpec("OW insert", 2)),
        history=(("3.2.0", "No error when both names are the same."),),
    ),
    command(
        "restore",
        -4,
        "write denyoom",
        "2.6.0",
        "Makes a key of what DUMP gave.",
        key(),
        number("ttl"),
        text("serialized-value"),
        word("REPLACE", "optional", "3.0.0"),
        word("ABSTTL", "optional", "5.0.0"),
        number("seconds", "IDLETIME", "optional", "5.0.0"),
        number("frequency", "FREQ", "optional", "5.0.0"),
        group="generic",
        cost="O(N) in the size of the value",
        keys=OVERWRITE,
        categories="keyspace dangerous",
        history=(("3.0.0", "REPLACE."), ("5.0.0", "ABSTTL."), ("5.0.0", "IDLETIME and FREQ.")),
    ),
    command(
        "scan",
        -2,
        "readonly",
        "2.8.0",
        "Some of the keys, and where to go on.",
        number("cursor"),
        pattern("pattern", "MATCH", "optional"),
        number("count", "COUNT", "optional"),
        text("type", "TYPE", "optional", "6.0.0"),
        group="generic",
        cost="O(COUNT) a call",
        tips=f"{VARIES} request_policy:special",
        history=(("6.0.0", "TYPE."),),
    ),
    command(
        "touch",
        -2,
        "readonly fast",
        "3.2.1",
        "How many of the keys exist.",
        key(multiple=True),
        group="generic",
        cost=PER_KEY,
        keys=(KeySpec("RO", 1, -1),),
        tips=MULTI_KEY,
    ),
    command(
        "ttl",
        2,
        "readonly fast",
        "1.0.0",
        "How long a key has to live, in seconds.",
        key(),
        group="generic",
        keys=READ,
        tips=VARIES,
        history=(("2.8.0", "-2 for no key."),),
    ),
    command("type", 2, "readonly fast", "1.0.0", "The type of a key.", key(), group="generic", keys=LOOK),
    command(
        "unlink",
        -2,
        "write fast",
        "4.0.0",
        "Deletes keys, exactly as DEL.",
        key(multiple=True),
        group="generic",
        cost=PER_KEY,
        keys=(KeySpec("RM delete", 1, -1),),
        tips=MULTI_KEY,
    ),
    command(
        "wait",
        3,
        "noscript",
        "3.0.0",
        "Waits until earlier writes have reached replicas.",
        number("numreplicas"),
        number("timeout"),
        group="generic",
        categories="connection",
        tips=f"{SHARDS} response_policy:agg_min",
    ),
]

# ---- the server -------------------------------------------------------------------------------------

FULL_COMMAND = "O(N) in the number of arguments"
PER_COMMAND = "O(N) in the number of commands asked for"
NAMES = text("command-name", "", "optional multiple")
UNORDERED = "nondeterministic_output_order"

COMMAND = command(
    "command",
    -1,
    ALWAYS,
    "2.8.13",
    "What commands there are.",
    cost="O(N) in the number of commands",
    categories="connection",
    tips=UNORDERED,
).with_subcommands(
    [
        command(
            "command|count", 2, ALWAYS, "2.8.13", "How many commands there are.", categories="connection"
        ),
        command(
            "command|docs",
            -2,
            ALWAYS,
            "7.0.0",
            "Texts and arguments of commands.",
            NAMES,
            cost=PER_COMMAND,
            categories="connection",
            tips=UNORDERED,
        ),
        command(
            "command|getkeys",
            -4,
            ALWAYS,
            "2.8.13",
            "The keys in a whole command.",
            cost=FULL_COMMAND,
            categories="connection",
        ),
        command(
            "command|getkeysandflags",
            -4,
            ALWAYS,
            "7.0.0",
            "The keys in a whole command, and what it does with each.",
            cost=FULL_COMMAND,
            categories="connection",
        ),
        help_of("command", "5.0.0", categories="connection"),
        command(
            "command|info",
            -2,
            ALWAYS,
            "2.8.13",
            "Arity, flags and key positions of commands.",
            NAMES,
            cost=PER_COMMAND,
            categories="connection",
            tips=UNORDERED,
            history=(("7.0.0", "Without a name, of all commands."),),
        ),
        command(
            "command|list",
            -2,
            ALWAYS,
            "7.0.0",
            "The names of commands.",
            one_of(
                "filterby",
                text("module-name", "MODULE"),
                text("category", "ACLCAT"),
                pattern("pattern", "PATTERN"),
                token="FILTERBY",
                options="optional",
            ),
            cost="O(N) in the number of commands",
            categories="connection",
            tips=UNORDERED,
        ),
    ]
)

CONFIG = command(
    "config", -2, "", "2.0.0", "The server's directives.", cost="By subcommand."
).with_subcommands(
    [
        command(
            "config|get",
            -3,
            ADMIN,
            "2.0.0",
            "The values of directives.",
            block("parameter", text("parameter"), options="multiple"),
            cost="O(N) in the number of directives",
            history=(("7.0.0", "Several patterns."),),
        ),
        help_of("config", "5.0.0"),
        command("config|resetstat", 2, ADMIN, "2.0.0", "Sets the counters of INFO to zero."),
        command("config|rewrite", 2, ADMIN, "2.8.0", "Writes the values into the configuration file."),
        command(
            "config|set",
            -4,
            ADMIN,
            "2.0.0",
            "Sets directives, together or not at all.",
            block("parameter_value", text("parameter"), text("value"), options="multiple"),
            cost="O(N) in the number of directives",
            tips=f"{NODES} {SUCCEED}",
            history=(("7.0.0", "Several directives."),),
        ),
    ]
)

SLOWLOG = command(
    "slowlog", -2, "", "2.2.12", "Commands that took long.", cost="By subcommand."
).with_subcommands(
    [
        command(
            "slowlog|get",
            -2,
            "admin loading stale",
            "2.2.12",
            "The latest entries.",
            number("count", "", "optional"),
            cost="O(N) in the number of entries",
            tips=f"{NODES} {VARIES}",
            history=(("4.0.0", "Address and name of the client."),),
        ),
        help_of("slowlog", "6.2.0"),
        command(
            "slowlog|len",
            2,
            "admin loading stale",
            "2.2.12",
            "How many entries there are.",
            tips=f"{NODES} {SUM} {VARIES}",
        ),
        command(
            "slowlog|reset",
            2,
            "admin loading stale",
            "2.2.12",
            "Forgets all entries.",
            cost="O(N) in the number of entries",
            tips=f"{NODES} {SUCCEED}",
        ),
    ]
)

EVENTS = f"{VARIES} {NODES} {SPECIAL}"
LATENCY = command(
    "latency", -2, "", "2.8.13", "Events that took long.", cost="By subcommand."
).with_subcommands(
    [
        command("latency|doctor", 2, ADMIN, "2.8.13", "The events, told in words.", tips=EVENTS),
        command(
            "latency|graph", 3, ADMIN, "2.8.13", "The history of an event, drawn.", text("event"), tips=EVENTS
        ),
        help_of("latency", "2.8.13"),
        command(
            "latency|histogram",
            -2,
            ADMIN,
            "7.0.0",
            "How long commands took, by powers of two.",
            text("command", "", "optional multiple"),
            cost="O(N) in the number of commands",
            tips=EVENTS,
        ),
        command(
            "latency|history", 3, ADMIN, "2.8.13", "The latest times of an event.", text("event"), tips=EVENTS
        ),
        command(
            "latency|latest", 2, ADMIN, "2.8.13", "The last and the longest time of every event.", tips=EVENTS
        ),
        command(
            "latency|reset",
            -2,
            ADMIN,
            "2.8.13",
            "Forgets events.",
            text("event", "", "optional multiple"),
            tips=f"{NODES} {SUCCEED}",
        ),
    ]
)

MEMORY = command("memory", -2, "", "4.0.0", "Where memory goes.", cost="By subcommand.").with_subcommands(
    [
        command(
            "memory|doctor",
            2,
            "",
            "4.0.0",
            "What is wrong with memory, if anything.",
            tips=f"{VARIES} {SHARDS} {SPECIAL}",
        ),
        help_of("memory", "4.0.0"),
        command(
            "memory|malloc-stats",
            2,
            "",
            "4.0.0",
            "What the allocator says.",
            tips=f"{VARIES} {SHARDS} {SPECIAL}",
        ),
        command(
            "memory|purge",
            2,
            "",
            "4.0.0",
            "Accepted: the engine gives memory back by itself.",
            tips=f"{SHARDS} {SUCCEED}",
        ),
        command("memory|stats", 2, "", "4.0.0", "Figures of memory.", tips=f"{VARIES} {SHARDS} {SPECIAL}"),
        command(
            "memory|usage",
            -3,
            "readonly",
            "4.0.0",
            "Bytes that a key takes in the store.",
            key(),
            number("count", "SAMPLES", "optional"),
            keys=LOOK_SECOND,
        ),
    ]
)

FLUSH_ARGUMENT = one_of(
    "async", word("ASYNC", since="4.0.0"), word("SYNC", since="6.2.0"), options="optional"
)
FLUSH_HISTORY = (("4.0.0", "ASYNC."), ("6.2.0", "SYNC."))

SERVER = [
    command(
        "bgrewriteaof",
        1,
        "admin noscript no_async_loading",
        "1.0.0",
        "Accepted: the log is compacted by itself.",
    ),
    command(
        "bgsave",
        -1,
        "admin noscript no_async_loading",
        "1.0.0",
        "Brings everything to disk, without waiting for it.",
        word("SCHEDULE", "optional", "3.2.2"),
        history=(("3.2.2", "SCHEDULE."),),
    ),
    COMMAND,
    CONFIG,
    command(
        "dbsize",
        1,
        "readonly fast",
        "1.0.0",
        "How many keys the database has, exactly.",
        cost=PER_DATABASE + ", unless nothing was written since",
        categories="keyspace",
        tips=f"{SHARDS} {SUM}",
    ),
    command(
        "debug", -2, ADMIN, "1.0.0", "Harmless tools for tests.", cost="By subcommand.", doc_flags="syscmd"
    ),
    command(
        "flushall",
        -1,
        "write",
        "1.0.0",
        "Deletes everything.",
        FLUSH_ARGUMENT,
        categories="keyspace dangerous",
        tips=f"{SHARDS} {SUCCEED}",
        history=FLUSH_HISTORY,
    ),
    command(
        "flushdb",
        -1,
        "write",
        "1.0.0",
        "Deletes every key of the database.",
        FLUSH_ARGUMENT,
        categories="keyspace dangerous",
        tips=f"{SHARDS} {SUCCEED}",
        history=FLUSH_HISTORY,
    ),
    command(
        "info",
        -1,
        ALWAYS,
        "1.0.0",
        "Figures of the server.",
        text("section", "", "optional multiple"),
        categories="dangerous",
        tips=f"{VARIES} {SHARDS} {SPECIAL}",
        history=(("7.0.0", "Several sections."),),
    ),
    command(
        "lastsave",
        1,
        "loading stale fast",
        "1.0.0",
        "When everything was last brought to disk on request.",
        categories="admin dangerous",
        tips=VARIES,
    ),
    LATENCY,
    command(
        "lolwut",
        -1,
        "readonly fast",
        "5.0.0",
        "A picture, and the version.",
        number("version", "VERSION", "optional"),
        cost="",
    ),
    MEMORY,
    command(
        "role",
        1,
        "noscript loading stale fast",
        "2.8.12",
        "The part that this server plays in replication.",
        categories="admin dangerous",
    ),
    command("save", 1, "admin noscript no_async_loading no_multi", "1.0.0", "Brings everything to disk."),
    command(
        "shutdown",
        -1,
        "admin noscript loading stale no_multi allow_busy",
        "1.0.0",
        "Ends the server.",
        flag("NOSAVE", "SAVE"),
        *(word(w, "optional", "7.0.0") for w in ("NOW", "FORCE", "ABORT")),
        history=(("7.0.0", "NOW, FORCE, ABORT."),),
    ),
    SLOWLOG,
    command(
        "swapdb",
        3,
        "write fast",
        "4.0.0",
        "Exchanges two databases.",
        number("index1"),
        number("index2"),
        categories="keyspace dangerous",
    ),
    command("time", 1, "loading stale fast", "2.6.0", "The server's clock.", tips=VARIES),
]

# ---- Redis Cluster's, which answer that there is none -----------------------------------------------

CLUSTER = command(
    "cluster", -2, "", "3.0.0", "Redis Cluster.", group="cluster", cost="By subcommand."
).with_subcommands(
    [
        command(
            "cluster|countkeysinslot",
            3,
            "stale",
            "3.0.0",
            "How many keys a slot has.",
            number("slot"),
            group="cluster",
        ),
        command(
            "cluster|getkeysinslot",
            4,
            "stale",
            "3.0.0",
            "Some keys of a slot.",
            number("slot"),
            number("count"),
            group="cluster",
            tips=VARIES,
        ),
        help_of("cluster", "5.0.0", "cluster"),
        command(
            "cluster|info", 2, "stale", "3.0.0", "The state of the cluster.", group="cluster", tips=VARIES
        ),
        command("cluster|keyslot", 3, "stale", "3.0.0", "The slot of a key.", text("key"), group="cluster"),
        command("cluster|links", 2, "stale", "7.0.0", "Links to other nodes.", group="cluster", tips=VARIES),
        command("cluster|myid", 2, "stale", "3.0.0", "This node's id.", group="cluster"),
        command("cluster|nodes", 2, "stale", "3.0.0", "The nodes, as text.", group="cluster", tips=VARIES),
        command(
            "cluster|replicas",
            3,
            "admin stale",
            "5.0.0",
            "The replicas of a node.",
            text("node-id"),
            group="cluster",
            tips=VARIES,
        ),
        command(
            "cluster|reset",
            -2,
            "admin noscript stale",
            "3.0.0",
            "Leaves the cluster.",
            flag("HARD", "SOFT"),
            group="cluster",
        ),
        command(
            "cluster|shards",
            2,
            "stale",
            "7.0.0",
            "Which nodes have which slots.",
            group="cluster",
            tips=VARIES,
        ),
        command(
            "cluster|slots",
            2,
            "stale",
            "3.0.0",
            "Which nodes have which slots, the older way.",
            group="cluster",
            tips=VARIES,
            doc_flags="deprecated",
            deprecated=("7.0.0", "`CLUSTER SHARDS`"),
            history=(("4.0.0", "Node ids."), ("7.0.0", "More about addresses.")),
        ),
    ]
)

CLUSTERED = [
    CLUSTER,
    command(
        "readonly",
        1,
        "loading stale fast",
        "3.0.0",
        "Lets a replica answer this connection.",
        group="cluster",
        categories="connection",
    ),
    command(
        "readwrite",
        1,
        "loading stale fast",
        "3.0.0",
        "Ends READONLY.",
        group="cluster",
        categories="connection",
    ),
]

COMMANDS: dict[str, Command] = {
    entry.name: entry
    for entry in sorted([*CONNECTION, *STRINGS, *KEYS, *SERVER, *CLUSTERED], key=lambda c: c.name)
}


def find(name: str) -> Command | None:
    """Return the command of a name in lower case; a subcommand's is "container|name"."""
    top, _, sub = name.partition("|")
    entry = COMMANDS.get(top)
    return entry.subcommands.get(sub) if entry and sub else entry
