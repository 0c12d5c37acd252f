"""redis-py, unchanged, against our server: sync and asyncio, RESP2 and RESP3, pipelines, pools, URLs."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from harness.process import Server


@pytest.fixture(params=[2, 3])
def client(request: pytest.FixtureRequest, ours: Server) -> Iterator[Any]:
    """A connected client, the store empty."""
    with redis.Redis(port=ours.port, protocol=request.param) as c:
        c.flushall()
        yield c


def test_strings(client: Any) -> None:
    assert client.set("k", "v")
    assert client.get("k") == b"v"
    assert client.set("k", "w", nx=True) is None
    assert client.set("k", "w", xx=True, get=True) == b"v"
    assert client.mset({"a": 1, "b": 2})
    assert client.mget("a", "b", "none") == [b"1", b"2", None]
    assert client.msetnx({"a": 1, "c": 2}) is False
    assert client.incr("n") == 1
    assert client.incrby("n", 10) == 11
    assert client.decrby("n", 2) == 9
    assert client.incrbyfloat("f", 1.5) == 1.5
    assert client.append("k", "x") == 2
    assert client.getrange("k", 0, -1) == b"wx"
    assert client.setrange("k", 1, "yz") == 3
    assert client.strlen("k") == 3
    assert client.getset("k", "new") == b"wyz"
    assert client.getdel("k") == b"new"
    assert client.getdel("k") is None
    client.mset({"x": "ohmytext", "y": "mynewtext"})
    assert client.lcs("x", "y") == b"mytext"


def test_expiry(client: Any) -> None:
    client.set("k", "v", ex=timedelta(seconds=100))
    assert 98 <= client.ttl("k") <= 100
    assert client.getex("k", persist=True) == b"v"
    assert client.ttl("k") == -1
    assert client.expire("k", 100, nx=True)
    assert not client.expire("k", 50, gt=True)
    assert client.pexpireat("k", 4_102_444_800_000)
    assert client.pexpiretime("k") == 4_102_444_800_000
    assert client.persist("k")
    assert client.ttl("none") == -2


def test_keys(client: Any) -> None:
    client.mset({f"k{n}": n for n in range(50)})
    assert client.dbsize() == 50
    assert sorted(client.keys("k1*")) == sorted(f"k{n}".encode() for n in [1, *range(10, 20)])
    assert set(client.scan_iter(count=7)) == {f"k{n}".encode() for n in range(50)}
    assert set(client.scan_iter(match="k4?", _type="string")) == {f"k{n}".encode() for n in range(40, 50)}
    assert client.type("k1") == b"string"
    assert client.exists("k1", "k2", "none") == 2
    assert client.rename("k1", "r")
    assert not client.renamenx("r", "k2")
    assert client.copy("r", "r2")
    assert client.delete("r", "r2") == 2
    assert client.unlink("k3") == 1
    assert client.touch("k4", "none") == 1
    assert client.randomkey() in {f"k{n}".encode() for n in range(50)}
    dumped = client.dump("k5")
    assert client.restore("back", 0, dumped)
    assert client.get("back") == b"5"
    assert client.object("encoding", "k5") == b"int"


def test_server_commands(client: Any) -> None:
    assert client.ping()
    assert client.echo("x") == b"x"
    info = client.info()
    assert info["redis_version"].startswith("7.")
    assert info["arch_bits"] == 64
    assert info["cluster_enabled"] == 0
    assert info["tcp_port"]
    assert info["db0"] if client.dbsize() else True
    assert client.config_get("databases") == {"databases": "16"}
    assert client.config_set("slowlog-max-len", "128")
    assert client.client_setname("me")
    assert client.client_getname() in ("me", b"me")
    assert any(c["name"] == "me" for c in client.client_list())
    assert client.client_id() > 0
    assert client.client_info()["name"] == "me"
    assert len(client.time()) == 2
    assert client.slowlog_len() >= 0
    assert client.command_count() > 60
    assert "get" in client.command()
    assert client.lastsave()
    assert client.bgsave()
    assert client.memory_usage("none") is None


def test_errors_are_redis_errors(client: Any) -> None:
    client.set("k", "text")
    with pytest.raises(redis.ResponseError, match="value is not an integer or out of range"):
        client.incr("k")
    with pytest.raises(redis.ResponseError, match="unknown command"):
        client.execute_command("NOSUCH")
    with pytest.raises(redis.ResponseError, match="syntax error"):
        client.execute_command("SET", "k", "v", "WHAT")
    with pytest.raises(redis.ResponseError, match="DB index is out of range"):
        client.execute_command("SELECT", 99)


def test_pipelines(client: Any) -> None:
    with client.pipeline(transaction=False) as p:
        for n in range(2000):
            p.set(f"k{n}", n)
            p.get(f"k{n}")
        replies = p.execute()
    assert replies == [x for n in range(2000) for x in (True, str(n).encode())]
    with client.pipeline(transaction=False) as p:
        p.set("k", "text").incr("k").get("k")
        replies = p.execute(raise_on_error=False)
    assert replies[0] is True
    assert isinstance(replies[1], redis.ResponseError)
    assert replies[2] == b"text"


def test_decoded_responses_and_urls(ours: Server) -> None:
    with redis.Redis.from_url(f"redis://127.0.0.1:{ours.port}/5", decode_responses=True) as c:
        c.set("ключ", "значение")
        assert c.get("ключ") == "значение"
    with redis.Redis(port=ours.port, db=5, decode_responses=True, protocol=3) as c:
        assert c.get("ключ") == "значение"
        c.flushdb()


def test_threads_share_a_pool(ours: Server) -> None:
    with redis.Redis(port=ours.port, max_connections=20) as c:
        c.delete("shared")
        threads = [threading.Thread(target=lambda: [c.incr("shared") for _ in range(200)]) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert c.get("shared") == b"4000"


def test_reconnects_after_being_killed(ours: Server) -> None:
    with redis.Redis(port=ours.port) as c, redis.Redis(port=ours.port) as other:
        c.set("k", "v")
        other.client_kill_filter(_id=str(c.client_id()))
        assert c.get("k") == b"v"


@pytest.mark.parametrize("protocol", [2, 3])
def test_asyncio(protocol: int, ours: Server) -> None:
    async def work() -> None:
        pool = redis.asyncio.BlockingConnectionPool(port=ours.port, protocol=protocol, timeout=None)
        async with redis.asyncio.Redis.from_pool(pool) as c:
            await c.flushall()
            await asyncio.gather(*(c.set(f"k{n}", n) for n in range(500)))
            values = await asyncio.gather(*(c.get(f"k{n}") for n in range(500)))
            assert values == [str(n).encode() for n in range(500)]
            async with c.pipeline(transaction=False) as p:
                for n in range(500):
                    p.incr(f"k{n}")
                assert await p.execute() == [n + 1 for n in range(500)]
            found = {key async for key in c.scan_iter(count=50)}
            assert len(found) == 500

    asyncio.run(work())


def test_password(new_server: Any) -> None:
    server = new_server("--requirepass", "secret")
    once = Retry(NoBackoff(), 0)
    for protocol in (2, 3):
        with redis.Redis(port=server.port, password="secret", protocol=protocol) as c:
            assert c.ping()
        with (
            redis.Redis(port=server.port, password="wrong", protocol=protocol, retry=once) as c,
            pytest.raises(redis.AuthenticationError),
        ):
            c.ping()
