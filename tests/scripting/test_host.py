"""What the room asks of its host, in which order, and what becomes of the answers."""

import pytest

from respkv.scripting import CommandFacts, ScriptFlag
from scripting.manual import Bench

SET = "redis.call('set', 'a', 'b')"


def failed(reply: bytes) -> bytes:
    """The text of an error, without the place."""
    assert reply.startswith(b"-")
    return reply[1:].split(b" script: ")[0].rstrip(b"\r\n")


def test_commands_reach_the_host_as_they_are() -> None:
    bench = Bench()
    assert bench.eval(SET + " return redis.call('get', 5)") == b"+OK\r\n"
    assert bench.host.calls == [(b"set", b"a", b"b"), (b"get", b"5")]


@pytest.mark.parametrize(
    ("refusal", "text"),
    [
        (b"-NOPERM no", b"NOPERM no"),
        (b"The user may not", b"ERR The user may not"),
        (b"-OOM full\r\n", b"OOM full"),
    ],
)
def test_a_refusal_is_the_error(refusal: bytes, text: bytes) -> None:
    bench = Bench()
    bench.host.refusal = refusal
    assert failed(bench.eval("return redis.call('get', 'a')")) == text
    assert bench.eval("return redis.pcall('get', 'a').err") == b"$%d\r\n%s\r\n" % (len(text), text)
    bench.host.refusal, bench.host.write_refusal = None, refusal
    assert failed(bench.eval("return redis.call('set', 'a', 'b')")) == text
    assert bench.eval("return redis.call('get', 'a')") == b"+OK\r\n"
    bench.host.write_refusal, bench.host.script_refusal = None, refusal
    assert failed(bench.eval("return 1")) == text
    assert len(bench.host.calls) == 1


def test_only_the_first_write_is_asked_about() -> None:
    bench = Bench()
    bench.eval(f"#!lua flags=allow-oom\n{SET} {SET} redis.call('get', 'a')")
    assert bench.host.asked == [ScriptFlag.ALLOW_OOM]
    bench.eval(SET)
    assert bench.host.asked[1:] == [ScriptFlag.UNDECLARED]


def test_a_refused_write_may_be_tried_again() -> None:
    bench = Bench()
    bench.host.write_refusal = b"-READONLY no"
    bench.eval("redis.pcall('set', 'a', 'b') redis.pcall('set', 'a', 'b')")
    assert len(bench.host.asked) == 2
    assert bench.host.calls == []


def test_a_read_only_script_is_refused_before_its_writes() -> None:
    bench = Bench()
    bench.host.write_refusal = b"-READONLY replica"
    text = b"ERR Write commands are not allowed from read-only scripts."
    assert failed(bench.eval(f"#!lua flags=no-writes\n{SET}")) == text
    assert failed(bench.run(b"EVAL_RO", SET.encode(), b"0")) == text
    bench.host.refusal = b"-NOPERM no"
    assert failed(bench.eval(f"#!lua flags=no-writes\n{SET}")) == b"NOPERM no"


def test_permissions_are_asked() -> None:
    bench = Bench()
    ask = "return {redis.acl_check_cmd('get', 'a')}"
    assert bench.eval(ask) == b"*1\r\n:1\r\n"
    bench.host.is_permitted = False
    assert bench.eval(ask) == b"*1\r\n$-1\r\n"


@pytest.mark.parametrize("fault", [ValueError("host"), KeyboardInterrupt(), SystemExit(3), MemoryError()])
def test_what_the_host_raises_ends_the_script_and_comes_out(fault: BaseException) -> None:
    bench = Bench()

    def fail(_argv: object) -> None:
        raise fault

    bench.host.on_call = fail
    for script in (
        "return redis.call('get', 'a')",
        "pcall(redis.call, 'get', 'a') redis.call('set', 'a', 'b') return 'survived'",
        "while true do pcall(redis.pcall, 'get', 'a') end",
        (
            "local co = coroutine.create(function() redis.call('get', "
            "'a') end) coroutine.resume(co) return 'survived'"
        ),
        "xpcall(function() redis.call('get', 'a') end, function(e) return e end) return 'survived'",
    ):
        bench.host.calls.clear()
        with pytest.raises(type(fault)) as raised:
            bench.eval(script)
        assert raised.value is fault
        assert len(bench.host.calls) == 1
    bench.host.on_call = lambda argv: None
    assert bench.eval("return redis.call('get', 'a')") == b"+OK\r\n"


@pytest.mark.parametrize("method", ["lookup", "refuse", "refuse_write", "permits", "log", "while_busy"])
def test_every_method_of_the_host_may_raise(method: str) -> None:
    bench = Bench()
    bench.host.step_ns = 10_000_000_000

    def fail(*_arguments: object) -> CommandFacts:
        raise LookupError(method)

    setattr(bench.host, method, fail)
    script = "redis.log(3, 'x') redis.acl_check_cmd('get', 'a') redis.call('set', 'a', 'b') while true do end"
    with pytest.raises(LookupError, match=method):
        bench.eval(script)
    delattr(bench.host, method)
    assert bench.eval("return 1") == b":1\r\n"


def test_a_failed_host_is_asked_nothing_more() -> None:
    bench = Bench()

    def fail(*_arguments: object) -> bool:
        raise LookupError

    setattr(bench.host, "permits", fail)  # noqa: B010 - the protocol has another signature
    with pytest.raises(LookupError):
        bench.eval("redis.acl_check_cmd('get', 'a') redis.call('set', 'a', 'b')")
    assert bench.host.calls == []


def test_the_log_gets_what_scripts_write() -> None:
    bench = Bench()
    bench.eval("redis.log(redis.LOG_NOTICE, 'a', 1, 2.5, {}, 'z')")
    assert bench.host.logged == [(2, b"a 1 2.5 z")]


def test_flags_are_told_before_a_run() -> None:
    bench = Bench()
    declared = b"#!lua flags=no-writes,allow-stale\nreturn 1"
    flags = ScriptFlag.NO_WRITES | ScriptFlag.ALLOW_STALE
    assert bench.room.flags([b"EVAL", declared, b"0"]) == flags
    assert bench.room.flags([b"eval_ro", b"return 1", b"0"]) == ScriptFlag.UNDECLARED
    assert bench.room.flags([b"EVAL", b"#!lua flags=nosuch\nreturn 1", b"0"]) is None
    assert bench.room.flags([b"EVALSHA", b"0" * 40, b"0"]) is None
    assert bench.room.flags([b"EVAL"]) is None
    sha = bench.run(b"SCRIPT", b"LOAD", declared)[5:45]
    assert bench.room.flags([b"EvalSha", sha.upper(), b"0"]) == flags
    library = (
        b"#!lua name=l\nredis.register_function{function_name='f', "
        b"callback=function() end, flags={'allow-oom'}}"
    )
    bench.run(b"FUNCTION", b"LOAD", library)
    assert bench.room.flags([b"FCALL", b"F", b"0"]) == ScriptFlag.ALLOW_OOM
    assert bench.room.flags([b"fcall_ro", b"g", b"0"]) is None


def test_errors_cannot_break_the_protocol() -> None:
    bench = Bench()
    bench.host.reply = b"-ERR a\rb\nc\r\n"
    assert bench.eval("return redis.call('get', 'a')").count(b"\r\n") == 1
    assert bench.eval("error('x\\r\\n+OK\\r\\n')").count(b"\r\n") == 1
    assert bench.eval("return {ok = 'x\\r\\n+OK'}").count(b"\r\n") == 1
    assert bench.eval("#!lua flags=x\r\nreturn 1").count(b"\r\n") == 1


def test_numbers_of_replies_do_not_depend_on_the_letter_case_of_eval() -> None:
    bench = Bench()
    for name in (b"EVAL", b"eval", b"EvAl"):
        assert bench.run(name, b"return 1", b"0") == b":1\r\n"
