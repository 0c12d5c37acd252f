"""Redis's other parameters: accepted, kept and given back, without effect.

Defaults are Redis's, except where one would claim what is not so (appendonly, latency-tracking).
"""

from __future__ import annotations

from respkv.config.directive import Change, Directive, Effect
from respkv.config.kinds import (
    INT32_MAX,
    INT64_MAX,
    Boolean,
    Choice,
    EventClasses,
    Integer,
    Kind,
    Memory,
    Numbers,
    Octal,
    Percentiles,
    SavePoints,
    Text,
)

YES_NO = Boolean()
PORT = Integer(0, 65535)
COUNT = Integer(0, INT64_MAX)
ANY_SIZE = Memory()
ANY_TEXT = Text()
EVICTION = (
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
)


def _kept(kind: Kind, names: str, change: Change = Change.FREE) -> list[Directive]:
    """Directives of one kind, written "name=default" or "name|other name=default"."""
    found = []
    for word in names.split():
        both, default = word.split("=", 1)
        name, _, also = both.partition("|")
        found.append(Directive(name, kind, default, change=change, effect=Effect.KEPT, also=also))
    return found


KEPT = tuple(
    _kept(
        YES_NO,
        """
        activedefrag=no activerehashing=yes aof-disable-auto-gc=no aof-load-truncated=yes
        aof-rewrite-incremental-fsync=yes aof-timestamp-enabled=no aof-use-rdb-preamble=yes appendonly=yes
        cluster-allow-pubsubshard-when-down=yes cluster-allow-reads-when-down=no
        cluster-allow-replica-migration=yes cluster-replica-no-failover|cluster-slave-no-failover=no
        cluster-require-full-coverage=yes crash-log-enabled=yes crash-memcheck-enabled=yes dynamic-hz=yes
        jemalloc-bg-thread=yes latency-tracking=no lazyfree-lazy-eviction=no lazyfree-lazy-expire=no
        lazyfree-lazy-server-del=no lazyfree-lazy-user-del=no lazyfree-lazy-user-flush=no
        no-appendfsync-on-rewrite=no rdb-del-sync-files=no rdb-save-incremental-fsync=yes rdbcompression=yes
        repl-disable-tcp-nodelay=no repl-diskless-sync=yes replica-announced=yes
        replica-ignore-disk-write-errors=no replica-ignore-maxmemory|slave-ignore-maxmemory=yes
        replica-lazy-flush|slave-lazy-flush=no replica-read-only|slave-read-only=yes
        replica-serve-stale-data|slave-serve-stale-data=yes stop-writes-on-bgsave-error=yes tls-cluster=no
        tls-prefer-server-ciphers=no tls-replication=no tls-session-caching=yes
        """,
    )
    + _kept(
        YES_NO,
        """
        always-show-logo=no disable-thp=yes enable-protected-configs=no io-threads-do-reads=no
        rdbchecksum=yes set-proc-title=yes syslog-enabled=no
        """,
        Change.IMMUTABLE,
    )
    + _kept(
        COUNT,
        """
        acllog-max-len=128 busy-reply-threshold|lua-time-limit=5000 cluster-node-timeout=15000
        hash-max-listpack-entries|hash-max-ziplist-entries=512 repl-backlog-ttl=3600
        set-max-intset-entries=512 stream-node-max-entries=100 tracking-table-max-keys=1000000
        zset-max-listpack-entries|zset-max-ziplist-entries=128
        """,
    )
    + _kept(
        Integer(),
        """
        auto-aof-rewrite-percentage=100 cluster-migration-barrier=1
        cluster-replica-validity-factor|cluster-slave-validity-factor=10 hz=10 lfu-decay-time=1
        lfu-log-factor=10 list-compress-depth=0 min-replicas-max-lag|min-slaves-max-lag=10
        min-replicas-to-write|min-slaves-to-write=0 repl-diskless-sync-delay=5
        repl-diskless-sync-max-replicas=0 replica-priority|slave-priority=100 shutdown-timeout=10
        tls-session-cache-size=20480 tls-session-cache-timeout=300
        """,
    )
    + _kept(
        Integer(1), "maxmemory-samples=5 repl-ping-replica-period|repl-ping-slave-period=10 repl-timeout=60"
    )
    + _kept(Integer(1, INT64_MAX), "active-defrag-max-scan-fields=1000")
    + _kept(Integer(1, 99), "active-defrag-cycle-max=25 active-defrag-cycle-min=1")
    + _kept(Integer(0, 1000), "active-defrag-threshold-lower=10 active-defrag-threshold-upper=100")
    + _kept(Integer(1, 10), "active-expire-effort=1")
    + _kept(Integer(0, 100), "maxmemory-eviction-tenacity=10")
    + _kept(Integer(-INT32_MAX - 1), "list-max-listpack-size|list-max-ziplist-size=-2")
    + _kept(Integer(1, 128), "io-threads=1", Change.IMMUTABLE)
    + _kept(Integer(0, 2**32 - 1), "socket-mark-id=0", Change.IMMUTABLE)
    + _kept(
        PORT,
        """
        cluster-announce-bus-port=0 cluster-announce-port=0 cluster-announce-tls-port=0
        replica-announce-port|slave-announce-port=0
        """,
    )
    + _kept(PORT, "cluster-port=0", Change.IMMUTABLE)
    + _kept(Octal(), "unixsocketperm=0", Change.IMMUTABLE)
    + _kept(
        ANY_SIZE,
        """
        auto-aof-rewrite-min-size=64mb cluster-link-sendbuf-limit=0
        hash-max-listpack-value|hash-max-ziplist-value=64 hll-sparse-max-bytes=3000
        stream-node-max-bytes=4096 zset-max-listpack-value|zset-max-ziplist-value=64
        """,
    )
    + _kept(Memory(1), "active-defrag-ignore-bytes=100mb repl-backlog-size=1mb")
    + _kept(Choice(("allchannels", "resetchannels")), "acl-pubsub-default=resetchannels")
    + _kept(Choice(("ip", "hostname", "unknown-endpoint")), "cluster-preferred-endpoint-type=ip")
    + _kept(
        Choice(EVICTION),
        "maxmemory-policy=noeviction",
    )
    + _kept(Choice(("no", "yes", "relative", "absolute")), "oom-score-adj=no")
    + _kept(Choice(("ignore", "panic", "panic-on-replicas")), "propagation-error-behavior=ignore")
    + _kept(Choice(("disabled", "on-empty-db", "swapdb")), "repl-diskless-load=disabled")
    + _kept(Choice(("no", "yes", "clients")), "sanitize-dump-payload=no")
    + _kept(
        Choice(("default", "save", "nosave", "now", "force"), several=True),
        "shutdown-on-sigint=default shutdown-on-sigterm=default",
    )
    + _kept(Choice(("no", "yes", "optional")), "tls-auth-clients=yes")
    + _kept(Choice(("no", "yes", "local")), "enable-module-command=no", Change.IMMUTABLE)
    + _kept(EventClasses(), "notify-keyspace-events=")
    + _kept(SavePoints(), "save=")
    + _kept(
        Text(
            "a host name",
            "[A-Za-z0-9.-]*",
            "Hostnames may only contain alphanumeric characters, hyphens or dots",
        ),
        "cluster-announce-hostname=",
    )
    + _kept(
        ANY_TEXT,
        """
        bind-source-addr= cluster-announce-ip= ignore-warnings= masterauth= masteruser=
        replica-announce-ip|slave-announce-ip= tls-ca-cert-dir= tls-ca-cert-file= tls-cert-file=
        tls-ciphers= tls-ciphersuites= tls-client-cert-file= tls-client-key-file= tls-client-key-file-pass=
        tls-dh-params-file= tls-key-file= tls-key-file-pass= tls-protocols=
        """,
    )
    + _kept(
        ANY_TEXT,
        """
        aof_rewrite_cpulist= appenddirname=appendonlydir appendfilename=appendonly.aof bgsave_cpulist=
        bio_cpulist= cluster-config-file=nodes.conf pidfile= server_cpulist= syslog-facility=local0
        syslog-ident=respkv
        """,
        Change.IMMUTABLE,
    )
    + _kept(ANY_TEXT, "dbfilename=dump.rdb", Change.PROTECTED)
    + [
        Directive("latency-tracking-info-percentiles", Percentiles(), "50 99 99.9", effect=Effect.KEPT),
        Directive("oom-score-adj-values", Numbers(3, -2000, 2000), "0 200 800", effect=Effect.KEPT),
        Directive(
            "proc-title-template",
            ANY_TEXT,
            '"{title} {listen-addr} {server-mode}"',
            effect=Effect.KEPT,
        ),
    ]
)
