"""The HTTP port: two pages, and nothing else that costs anything."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from respkv.metrics import Metric, render, single
from respkv.server.http import REQUEST_SIZE_MAX, HttpServer
from respkv.server.pages import pages_of
from unit.fakes import FakeNode

Ask = Callable[[bytes], Awaitable[bytes]]


def served(talk: Callable[[Ask], Awaitable[None]]) -> None:
    """Run a conversation with a server."""

    async def main() -> None:
        node = FakeNode()
        server = HttpServer(pages_of(node.services))
        bound = socket.create_server(("127.0.0.1", 0))
        await server.start([bound])

        async def ask(request: bytes) -> bytes:
            reader, writer = await asyncio.open_connection(*bound.getsockname())
            writer.write(request)
            answer = await reader.read()
            writer.close()
            return answer

        await talk(ask)
        await server.stop()

    asyncio.run(main())


def test_pages() -> None:
    async def talk(ask: Ask) -> None:
        metrics = await ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        head, body = metrics.split(b"\r\n\r\n", 1)
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert b"Content-Length: %d" % len(body) in head
        assert b"\n# TYPE respkv_server_clients gauge\nrespkv_server_clients 1\n" in body
        assert b"\n# TYPE respkv_server_commands counter\n" in body
        assert (await ask(b"GET /health?x HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\nok\n")
        head_only = await ask(b"HEAD /health HTTP/1.1\r\n\r\n")
        assert head_only.endswith(b"\r\n\r\n") and b"Content-Length: 3" in head_only

    served(talk)


def test_everything_else_is_an_error_or_silence() -> None:
    async def talk(ask: Ask) -> None:
        assert (await ask(b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")
        assert (await ask(b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")
        assert (await ask(b"PING\r\n\r\n")).startswith(b"HTTP/1.1 400")
        assert await ask(b"GET /" + b"x" * (2 * REQUEST_SIZE_MAX)) == b""

    served(talk)


def test_a_failed_node_is_not_well() -> None:
    node = FakeNode()
    node.services.failure = lambda: "disk on fire"
    assert pages_of(node.services)["/health"]() == (503, "writes are refused: disk on fire\n")
    assert "\nrespkv_failed 1\n" in pages_of(node.services)["/metrics"]()[1]


def test_text_format() -> None:
    metrics = [single("a", "gauge", "An a.", 2), Metric("b", "counter", "B.", [({"l": 'x"\\\n'}, 0.5)])]
    assert render(metrics) == (
        '# HELP a An a.\n# TYPE a gauge\na 2\n# HELP b B.\n# TYPE b counter\nb{l="x\\"\\\\\\n"} 0.5\n'
    )
