"""Replies as bytes, in both versions of the protocol."""

import math

import pytest

from respkv.commands import reply
from respkv.commands.reply import Reply, encode

CASES: list[tuple[Reply, bytes, bytes]] = [
    (None, b"$-1\r\n", b"_\r\n"),
    (reply.NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (reply.NO_REPLY, b"", b""),
    (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
    ("ä", b"$2\r\n\xc3\xa4\r\n", b"$2\r\n\xc3\xa4\r\n"),
    ("\udcff", b"$1\r\n\xff\r\n", b"$1\r\n\xff\r\n"),
    (-7, b":-7\r\n", b":-7\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    (3.141, b"$5\r\n3.141\r\n", b",3.141\r\n"),
    (100.0, b"$3\r\n100\r\n", b",100\r\n"),
    (math.inf, b"$3\r\ninf\r\n", b",inf\r\n"),
    (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (math.nan, b"$3\r\nnan\r\n", b",nan\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    ([1, [None, b"x"]], b"*2\r\n:1\r\n*2\r\n$-1\r\n$1\r\nx\r\n", b"*2\r\n:1\r\n*2\r\n_\r\n$1\r\nx\r\n"),
    ({"a": 1}, b"*2\r\n$1\r\na\r\n:1\r\n", b"%1\r\n$1\r\na\r\n:1\r\n"),
    (reply.Members([1, 2]), b"*2\r\n:1\r\n:2\r\n", b"~2\r\n:1\r\n:2\r\n"),
    (reply.Verbatim("hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
    (reply.Status("OK"), b"+OK\r\n", b"+OK\r\n"),
    (reply.Failure("ERR a\r\nb"), b"-ERR a  b\r\n", b"-ERR a  b\r\n"),
    (reply.Encoded(b"(1\r\n"), b"(1\r\n", b"(1\r\n"),
]


@pytest.mark.parametrize(("value", "resp2", "resp3"), CASES, ids=lambda v: repr(v)[:20])
def test_encoding(value: Reply, resp2: bytes, resp3: bytes) -> None:
    assert encode(value, 2) == resp2
    assert encode(value, 3) == resp3


def test_what_is_no_reply() -> None:
    with pytest.raises(TypeError, match="not a reply"):
        encode(object(), 2)
