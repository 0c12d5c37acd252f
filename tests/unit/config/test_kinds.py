"""Values of directives: what is taken, what is not, and that what is shown is read back."""

import hashlib

import pytest

from respkv.config import kinds
from respkv.config.directives import DIRECTIVES
from respkv.config.grammar import split_words

GOOD: list[tuple[kinds.Kind, str, object, str]] = [
    (kinds.Boolean(), "YES", True, "yes"),
    (kinds.Boolean(), "no", False, "no"),
    (kinds.Integer(-1, 10), "-1", -1, "-1"),
    (kinds.Integer(0, 10), "10", 10, "10"),
    (kinds.Octal(), "770", 0o770, "770"),
    (kinds.Memory(), "64mb", 64 << 20, "67108864"),
    (kinds.Memory(), "1k", 1000, "1000"),
    (kinds.Memory(), "1KB", 1024, "1024"),
    (kinds.Memory(), "2g", 2 * 10**9, "2000000000"),
    (kinds.Memory(), "3GB", 3 << 30, "3221225472"),
    (kinds.Memory(100, or_zero=True), "0", 0, "0"),
    (kinds.MemoryShare(), "20%", kinds.Share(20, True), "20%"),
    (kinds.MemoryShare(), "1mb", kinds.Share(1 << 20, False), "1048576"),
    (kinds.Choice(("a", "b")), "B", "b", "b"),
    (kinds.Choice(("a", "b"), several=True), "a b", "a b", "a b"),
    (kinds.Words("words"), "a b", ("a", "b"), "a b"),
    (kinds.Words("words"), '""', (), ""),
    (kinds.Numbers(3, -10, 10), "1 2 -3", (1, 2, -3), "1 2 -3"),
    (kinds.Percentiles(), "50 99.9", (50.0, 99.9), "50 99.9"),
    (kinds.SavePoints(), "3600 1 60 10", ("3600", "1", "60", "10"), "3600 1 60 10"),
    (kinds.SavePoints(), '""', (), ""),
    (kinds.EventClasses(), "KEA", "AKE", "AKE"),
    (kinds.EventClasses(), "Kg$lshzxetd", "AK", "AK"),
    (kinds.EventClasses(), "lK", "lK", "lK"),
]

BAD: list[tuple[kinds.Kind, str, str]] = [
    (kinds.Boolean(), "maybe", "argument must be 'yes' or 'no'"),
    (kinds.Boolean(), "yes no", "wrong number of arguments"),
    (kinds.Integer(0, 10), "11", "argument must be between 0 and 10 inclusive"),
    (kinds.Integer(0, 10), "01", "argument couldn't be parsed into an integer"),
    (kinds.Integer(0, 10), "+1", "argument couldn't be parsed into an integer"),
    (kinds.Integer(0, 10), '" 1"', "argument couldn't be parsed into an integer"),
    (kinds.Integer(), "99999999999999999999", "argument couldn't be parsed into an integer"),
    (kinds.Integer(), "１", "argument couldn't be parsed into an integer"),
    (kinds.Octal(), "778", "argument couldn't be parsed as an octal number"),
    (kinds.Memory(), "-1", "argument must be a memory value"),
    (kinds.Memory(), "1tb", "argument must be a memory value"),
    (kinds.Memory(), "", "wrong number of arguments"),
    (kinds.Memory(100, or_zero=True), "99", "argument must be between 100 and 9223372036854775807 inclusive"),
    (kinds.MemoryShare(), "101%", "argument must be a memory or percent value"),
    (kinds.Choice(("a", "b")), "c", "argument(s) must be one of the following: a, b"),
    (kinds.Choice(("a", "b")), "a b", "argument(s) must be one of the following: a, b"),
    (
        kinds.Percentiles(),
        "101",
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    ),
    (
        kinds.Percentiles(),
        "nan",
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    ),
    (kinds.SavePoints(), "1", "Invalid save parameters"),
    (kinds.SavePoints(), "0 1", "Invalid save parameters"),
    (kinds.EventClasses(), "Q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
    (kinds.BufferLimits(), "normal 1", "Wrong number of arguments in buffer limit configuration."),
    (kinds.BufferLimits(), "who 1 1 1", "Invalid client class specified in buffer limit configuration."),
]


@pytest.mark.parametrize(("kind", "text", "value", "shown"), GOOD, ids=lambda v: str(v)[:30])
def test_what_is_taken(kind: kinds.Kind, text: str, value: object, shown: str) -> None:
    assert kind.parse(split_words(text)) == value
    assert kind.format(value) == shown


@pytest.mark.parametrize(("kind", "text", "message"), BAD, ids=lambda v: str(v)[:30])
def test_what_is_not(kind: kinds.Kind, text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        kind.parse(split_words(text))
    assert str(error.value) == message
    assert kind.expected


def test_output_limits_keep_the_classes_that_are_not_named() -> None:
    before = (("normal", kinds.OutputLimit(1, 2, 3)), ("slave", kinds.OutputLimit(4, 5, 6)))
    kind = kinds.BufferLimits(before)
    value = kind.parse(["replica", "1kb", "0", "60"])
    assert value == (("normal", kinds.OutputLimit(1, 2, 3)), ("slave", kinds.OutputLimit(1024, 0, 60)))
    assert kind.format(value) == "normal 1 2 3 slave 1024 0 60"


def test_a_password_is_kept_as_its_digest() -> None:
    digest = "#" + hashlib.sha256(b"secret").hexdigest()
    assert kinds.Password().parse(["secret"]) == digest
    assert kinds.Password().parse([digest]) == digest
    assert kinds.Password().parse([""]) == ""


@pytest.mark.parametrize("name", sorted(DIRECTIVES))
def test_a_default_reads_back_as_itself(name: str) -> None:
    directive = DIRECTIVES[name]
    value = directive.kind.parse(split_words(directive.default) or [""])
    shown = directive.kind.format(value)
    assert directive.kind.parse(shown.split() or [""] if directive.kind.many else [shown]) == value
