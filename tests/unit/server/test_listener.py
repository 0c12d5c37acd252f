"""Binding: what is in use, what is not here, what is optional."""

import socket

import pytest

from harness.process import free_port
from respkv.errors import StartError
from respkv.server import listener


def test_several_addresses() -> None:
    port = free_port()
    sockets = listener.bind(["127.0.0.1", "127.0.0.2", "-192.0.2.1"], port)
    try:
        assert [listener.shown(s) for s in sockets] == [f"127.0.0.1:{port}", f"127.0.0.2:{port}"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1)
        listener.listen(sockets, 5)
        socket.create_connection(("127.0.0.2", port), 1).close()
    finally:
        for bound in sockets:
            bound.close()


def test_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"port {port} on 127.0.0.1 is in use"):
            listener.bind(["127.0.0.2", "127.0.0.1"], port)
        with pytest.raises(StartError, match="is in use"):
            listener.bind(["-127.0.0.1"], port)
        # What was bound before the one that failed is free again.
        socket.create_server(("127.0.0.2", port)).close()


def test_not_here() -> None:
    with pytest.raises(StartError, match=r"192\.0\.2\.1 cannot be bound"):
        listener.bind(["192.0.2.1"], free_port())
    with pytest.raises(StartError, match="no address to listen on"):
        listener.bind(["-192.0.2.1"], free_port())
    with pytest.raises(StartError, match="bind: cannot use not an address"):
        listener.bind(["not an address"], free_port())
