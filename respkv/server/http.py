"""A small HTTP server for two questions: /metrics (Prometheus's text format) and /health.

One request a connection, of at most REQUEST_SIZE_MAX bytes, within REQUEST_S seconds; anything else is
answered with an error or not at all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

REQUEST_SIZE_MAX = 8192
REQUEST_S = 5.0
CONNECTIONS_MAX = 32

Page = Callable[[], tuple[int, str]]
REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}


class HttpServer:
    """Answers GET with pages."""

    def __init__(self, pages: dict[str, Page]) -> None:
        """Serve pages.

        Args:
            pages: by path; each gives a status and a text.
        """
        self._pages = pages
        self._servers: list[asyncio.Server] = []
        self._open = 0

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Listen on bound sockets."""
        for bound in sockets:
            self._servers.append(await asyncio.start_server(self._talk, sock=bound, limit=REQUEST_SIZE_MAX))

    async def stop(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS_MAX:
                async with asyncio.timeout(REQUEST_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._open -= 1
            writer.close()

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or not words[2].startswith(b"HTTP/"):
            return _response(400, "what?\n")
        if words[0] not in (b"GET", b"HEAD"):
            return _response(405, "GET, please\n")
        page = self._pages.get(words[1].split(b"?", 1)[0].decode("latin-1"))
        status, text = page() if page else (404, "here are /metrics and /health\n")
        return _response(status, text, with_body=words[0] == b"GET")


def _response(status: int, text: str, with_body: bool = True) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
