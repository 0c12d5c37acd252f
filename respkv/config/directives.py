"""Every directive: its kind, default, unit, and why the default is what it is. conf/respkv.conf says the same
to people, and a test keeps the two equal.

Three sorts. Those of DIRECTIVES do something. Those of Redis's that mean nothing here (KEPT) are accepted,
kept and given back, because clients and tools read and restore them. Those that would promise what this
server does not do (REFUSED) take their default only.
"""

from __future__ import annotations

from respkv.config.directive import Change, Directive, Effect
from respkv.config.kept import KEPT
from respkv.config.kinds import (
    INT64_MAX,
    Boolean,
    BufferLimits,
    Choice,
    Integer,
    Memory,
    MemoryShare,
    OutputLimit,
    Password,
    Text,
    Words,
)

FREE, IMMUTABLE, PROTECTED = Change.FREE, Change.IMMUTABLE, Change.PROTECTED
YES_NO = Boolean()
PORT = Integer(0, 65535)
COUNT = Integer(0, INT64_MAX)
ANY_SIZE = Memory()
ANY_TEXT = Text()

NORMAL_LIMIT = OutputLimit(256 << 20, 64 << 20, 60)
OUTPUT_LIMITS = (
    ("normal", NORMAL_LIMIT),
    ("slave", NORMAL_LIMIT),
    ("pubsub", OutputLimit(32 << 20, 8 << 20, 60)),
)
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

NETWORK = (
    Directive(
        "bind",
        Words("addresses to listen on"),
        "127.0.0.1",
        "addresses",
        change=IMMUTABLE,
        reason=(
            'Only this machine can connect until you say otherwise. "*" is every IPv4 address, "::*" every '
            "IPv6 one; a - before an address: do without it where the machine does not have it."
        ),
    ),
    Directive(
        "port",
        Integer(1, 65535),
        "7000",
        "TCP port",
        change=IMMUTABLE,
        reason="Beside a Redis on 6379, not in its place.",
    ),
    Directive(
        "http-port",
        PORT,
        "0",
        "TCP port",
        change=IMMUTABLE,
        reason="Prometheus metrics at /metrics and health at /health, on the addresses of bind. 0: off.",
    ),
    Directive(
        "protected-mode",
        YES_NO,
        "yes",
        reason="While no password is set, clients of other machines are refused whatever bind says.",
    ),
    Directive(
        "tcp-backlog",
        Integer(1, 65535),
        "511",
        "connections",
        change=IMMUTABLE,
        reason="How many connections may wait to be accepted. The kernel's net.core.somaxconn caps it.",
    ),
    Directive(
        "tcp-keepalive",
        Integer(),
        "300",
        "s",
        reason="Finds clients whose machine died without a word. 0: off.",
    ),
    Directive(
        "timeout",
        Integer(),
        "0",
        "s",
        reason="Close clients that have been idle so long. 0: never; idle clients cost little.",
    ),
)

CLIENTS = (
    Directive(
        "maxclients",
        Integer(1, 1_000_000),
        "10000",
        "clients",
        reason="More are refused with an error. Lowered at start when the limit of open files is.",
    ),
    Directive(
        "maxclients-unauthenticated",
        Integer(1, 1_000_000),
        "100",
        "clients",
        reason="With a password set, strangers cannot use up maxclients.",
    ),
    Directive(
        "auth-timeout",
        Integer(),
        "10",
        "s",
        reason="Close clients that have not given the password by then. 0: never.",
    ),
    Directive(
        "client-query-buffer-limit",
        Memory(MIB),
        "64mb",
        "bytes a client",
        reason="Unprocessed input beyond the command being read; a client above it is closed.",
    ),
    Directive(
        "client-output-buffer-limit",
        BufferLimits(OUTPUT_LIMITS),
        "normal 256mb 64mb 60 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
        "class, hard bytes, soft bytes, soft s",
        reason=(
            "A client that does not read is not read from beyond 1 MiB of replies, and closed at the hard "
            "limit, or above the soft one for so long. 0: no limit."
        ),
    ),
    Directive(
        "maxmemory-clients",
        MemoryShare(),
        "20%",
        "bytes, or % of maxmemory",
        reason="All clients' buffers together; beyond it the largest client is closed. 0: no limit.",
    ),
    Directive(
        "proto-max-bulk-len",
        Memory(MIB, 2 * GIB),
        "512mb",
        "bytes",
        reason="A longer argument is a protocol error, after which the connection is closed.",
    ),
    Directive(
        "value-max-len",
        Memory(1, 512 * MIB),
        "64mb",
        "bytes",
        reason=(
            "A longer value is refused and the connection stays. Every byte of a value is in memory while "
            "it is written or read."
        ),
    ),
    Directive(
        "key-max-len",
        Memory(1, 64 * KIB),
        "64kb",
        "bytes",
        reason="A longer key is refused. Keys are part of every index.",
    ),
)

SECURITY = (
    Directive(
        "requirepass",
        Password(),
        '""',
        "",
        reason=(
            'Clients must give this password. It is kept as SHA-256; "#" and the 64 hex digits of that may '
            "stand here in its place."
        ),
    ),
    Directive(
        "enable-debug-command",
        Choice(("no", "yes", "local")),
        "local",
        change=IMMUTABLE,
        reason=(
            "Who may use DEBUG, whose subcommands here are harmless: nobody, everybody, or clients on this "
            "machine."
        ),
    ),
)

STORAGE = (
    Directive(
        "dir",
        Text("a directory", r"(?s:[^\0]+)"),
        "./respkv-data",
        "path",
        change=PROTECTED,
        reason="Made if it does not exist. One process at a time.",
    ),
    Directive(
        "databases",
        Integer(1, 128),
        "16",
        "databases",
        change=IMMUTABLE,
        reason="What SELECT may choose from; Redis's number.",
    ),
    Directive(
        "appendfsync",
        Choice(("everysec", "always", "no")),
        "everysec",
        "",
        reason=(
            "When writes reach the disk. always: before the reply, many clients sharing one sync. everysec: "
            "within about a second. no: when the kernel likes. All three survive the death of the process."
        ),
    ),
    Directive(
        "maxmemory",
        Memory(16 * MIB, or_zero=True),
        "512mb",
        "bytes",
        reason=(
            "For memtables and block cache, not for data: data may be far larger. At least 16mb; 0 stands "
            "for the default."
        ),
    ),
    Directive(
        "memtable-size",
        Memory(64 * KIB, GIB, or_zero=True),
        "0",
        "bytes",
        change=IMMUTABLE,
        reason=(
            "One memtable. 0: an eighth of maxmemory, at most 64mb. Larger ones mean fewer rewrites and a "
            "longer recovery."
        ),
    ),
    Directive(
        "wal-segment-size",
        Memory(MIB, GIB),
        "64mb",
        "bytes",
        change=IMMUTABLE,
        reason="One file of the log. Files are recycled, so that a sync has no metadata to write.",
    ),
    Directive(
        "wal-mapped",
        YES_NO,
        "yes",
        "",
        change=IMMUTABLE,
        reason=(
            "Append to the log through a mapping where the file system is known to be safe for it: a tenth "
            "of the cost of a write call."
        ),
    ),
    Directive(
        "value-log-min",
        Memory(512, GIB),
        "8kb",
        "bytes",
        change=IMMUTABLE,
        reason=(
            "Values from this size on are written once, beside the tables, instead of by every compaction."
        ),
    ),
    Directive(
        "block-size",
        Memory(KIB, 64 * KIB),
        "4kb",
        "bytes",
        change=IMMUTABLE,
        reason="What one read brings in. Larger: less index, better compression, dearer cold reads.",
    ),
    Directive(
        "bloom-bits",
        Integer(0, 32),
        "10",
        "bits a key",
        change=IMMUTABLE,
        reason="Filters that spare reads of tables without the key: 1 in 100 passes at 10 bits. 0: none.",
    ),
    Directive(
        "compression",
        YES_NO,
        "yes",
        "",
        change=IMMUTABLE,
        reason=(
            "LZ4 below the two upper levels, where the server was built with it; a block that gains little "
            "stays raw."
        ),
    ),
    Directive(
        "level-size",
        Memory(MIB),
        "512mb",
        "bytes",
        change=IMMUTABLE,
        reason="Target of level 1; each level below is ten times as large.",
    ),
    Directive(
        "table-size",
        Memory(64 * KIB, GIB),
        "32mb",
        "bytes",
        change=IMMUTABLE,
        reason="Target of one table: small enough that one compaction takes about half a second.",
    ),
    Directive(
        "compaction-rate",
        ANY_SIZE,
        "0",
        "bytes/s",
        change=IMMUTABLE,
        reason="Most that compaction may write. 0: no limit; it yields to reads by itself.",
    ),
    Directive(
        "read-threads",
        Integer(1, 64),
        "4",
        "threads",
        change=IMMUTABLE,
        reason="How many reads may wait for the disk at once; a read from memory needs none of them.",
    ),
)

LOGGING = (
    Directive(
        "loglevel",
        Choice(("debug", "verbose", "notice", "warning")),
        "notice",
        "",
        reason="What a healthy server logs is then a few lines a day.",
    ),
    Directive(
        "logfile",
        Text("a path"),
        '""',
        "path",
        change=IMMUTABLE,
        reason="Empty: standard error. Reopened at SIGHUP, so that it can be rotated.",
    ),
    Directive(
        "slowlog-log-slower-than",
        Integer(-1, INT64_MAX),
        "10000",
        "µs",
        reason="Commands that run longer are kept for SLOWLOG GET. -1: none, 0: all.",
    ),
    Directive(
        "slowlog-max-len",
        COUNT,
        "128",
        "entries",
        reason="The oldest go. At most 10,000 are kept whatever this says.",
    ),
    Directive(
        "latency-monitor-threshold",
        COUNT,
        "0",
        "ms",
        reason="Commands that run longer are kept for LATENCY. 0: off.",
    ),
    Directive(
        "supervised",
        Choice(("no", "systemd", "auto")),
        "no",
        "",
        change=IMMUTABLE,
        reason="systemd: tell the service manager when the server is ready. auto: if there is one.",
    ),
)

SECTIONS = (
    ("Network", NETWORK),
    ("Clients", CLIENTS),
    ("Security", SECURITY),
    ("Storage", STORAGE),
    ("Logs", LOGGING),
)


REFUSED = (
    Directive(
        "aclfile",
        ANY_TEXT,
        '""',
        "path",
        "There is one user, default, and requirepass.",
        IMMUTABLE,
        Effect.REFUSED,
    ),
    Directive(
        "cluster-enabled",
        YES_NO,
        "no",
        "",
        "Redis Cluster's own gossip is not spoken.",
        IMMUTABLE,
        Effect.REFUSED,
    ),
    Directive("daemonize", YES_NO, "no", "", "Leave that to the service manager.", IMMUTABLE, Effect.REFUSED),
    Directive(
        "replicaof",
        Words("nothing"),
        '""',
        "",
        "This server replicates nobody.",
        IMMUTABLE,
        Effect.REFUSED,
        "slaveof",
    ),
    Directive("tls-port", PORT, "0", "TCP port", "TLS is not spoken.", IMMUTABLE, Effect.REFUSED),
    Directive("unixsocket", ANY_TEXT, '""', "path", "Only TCP is served.", IMMUTABLE, Effect.REFUSED),
)

DIRECTIVES: dict[str, Directive] = {
    directive.name: directive
    for directive in sorted(
        [directive for _, section in SECTIONS for directive in section] + [*KEPT, *REFUSED],
        key=lambda directive: directive.name,
    )
}
ALIASES: dict[str, str] = {
    directive.also: directive.name for directive in DIRECTIVES.values() if directive.also
}
