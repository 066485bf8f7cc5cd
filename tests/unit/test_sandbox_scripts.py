"""What can't be seen of a fault from outside: each pause, and each header."""

from wacht.sandbox import faults
from wacht.sandbox.server import Pause, Response

ANSWER = Response(200, b"12345678", {"Content-Type": "text/plain"})
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n"


def test_answer__may_say_how_its_body_is_framed() -> None:
    for own in ({"content-length": "9"}, {"TRANSFER-ENCODING": "chunked"}):
        assert b"Content-Length" not in Response(599, b"x", own).head


def test_scripts__pauses() -> None:
    steps = [HEAD + b"1234", Pause(7), b"5678"]
    assert list(faults._interrupted(ANSWER, "body", Pause(7))) == steps
    head = [step for byte in HEAD for step in (Pause(0.5), bytes([byte]))]
    assert list(faults._trickled(ANSWER, "headers", 0.5)) == [*head, b"12345678"]
    assert list(faults._trickled(ANSWER, "body", 0.5))[:2] == [HEAD, Pause(0.5)]


def test_answer__headers_beside_json() -> None:
    queue = faults.Faults()
    queue.answer(503, {"a": [1]}, headers={"Retry-After": "2"})
    headers = {"Content-Type": "application/json", "Retry-After": "2"}
    fault = faults.whole, Response(503, b'{"a":[1]}', headers)
    assert queue._next_fault() == fault
