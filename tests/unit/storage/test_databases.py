"""Which stored database each of a client's is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from respkv.storage.databases import Databases

CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("swap"), st.integers(0, 15), st.integers(0, 15)),
        st.tuples(st.just("flush"), st.integers(0, 15), st.just(0)),
        st.tuples(st.just("drop"), st.integers(0, 255), st.just(0)),
    ),
    max_size=400,
)


@given(CHANGES)
def test_databases_never_share_a_number(changes: list[tuple[str, int, int]]) -> None:
    databases = Databases(16)
    for hlc, (what, first, second) in enumerate(changes):
        if what == "swap":
            databases = databases.swapped(first, second)
        elif what == "flush":
            try:
                databases = databases.flushed(first, hlc)
            except LookupError:
                assert len(databases.dropping) == 256 - 16
        elif first in databases.dropping:
            databases = databases.without(first)
        stored = list(databases.mapping())
        assert len(set(stored)) == 16
        assert not set(stored) & set(databases.dropping)
        again = Databases(16)
        again.decode(databases.encode())
        assert again.mapping() == databases.mapping()
        assert again.dropping == databases.dropping


def test_a_change_leaves_the_old_map_alone() -> None:
    databases = Databases(4)
    databases.flushed(1, 7).swapped(0, 3)
    assert list(databases.mapping()) == [0, 1, 2, 3]
    assert databases.dropping == {}


def test_more_and_fewer_databases_than_were_written() -> None:
    written = Databases(4).flushed(2, 7).swapped(0, 1)
    more = Databases(6)
    more.decode(written.encode())
    assert list(more.mapping()) == [1, 0, 4, 3, 5, 6]
    fewer = Databases(2)
    fewer.decode(written.encode())
    assert [fewer.stored(0), fewer.stored(1)] == [1, 0]
    assert fewer.encode() == written.encode()


@pytest.mark.parametrize("record", [b"", b"\x02\x01\x00\x00", b"\x01\x02\x00", b"\x01\x01\x00\x01\x05"])
def test_a_record_that_is_none(record: bytes) -> None:
    with pytest.raises(ValueError, match="record of databases"):
        Databases(1).decode(record)
