"""Conversations made with h2, which takes part in them, read back by what only looks on."""

from collections.abc import Callable, Sequence

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection

from classifier.importers.http1 import Message
from classifier.importers.http2 import Exchange, Session, Side
from classifier.importers.reassembly import Gap

ASK = [(":method", "POST"), (":path", "/a?b=c"), (":authority", "shop.example"), (":scheme", "http"), ("x-y", "z")]
TELL = [(":status", "200"), ("content-type", "text/plain")]


class Talk:
    """Both ends of a connection; `said` is what passed by, in order."""

    def __init__(self) -> None:
        self.client = H2Connection(H2Configuration(client_side=True))
        self.server = H2Connection(H2Configuration(client_side=False))
        self.said: list[tuple[Side, bytes]] = []
        self.client.initiate_connection()
        self.server.initiate_connection()
        self.pass_on()

    def pass_on(self) -> None:
        """Deliver what each has to say."""
        sent, told = self.client.data_to_send(), self.server.data_to_send()
        for side, data, other in (("up", sent, self.server), ("down", told, self.client)):
            if data:
                self.said.append((side, data))  # type: ignore[arg-type]
                other.receive_data(data)

    def ask(self, stream: int = 1, body: bytes = b"") -> None:
        """A request."""
        self.client.send_headers(stream, ASK, end_stream=not body)
        if body:
            self.client.send_data(stream, body, end_stream=True, pad_length=7)
        self.pass_on()

    def answer(self, stream: int = 1, body: bytes = b"hello") -> None:
        """A reply."""
        self.server.send_headers(stream, TELL)
        self.server.send_data(stream, body, end_stream=True)
        self.pass_on()


def read(said: Sequence[tuple[Side, bytes]], size: int = 1 << 20, session: Session | None = None) -> list[Exchange]:
    session = session or Session()
    found = [
        exchange
        for side, data in said
        for start in range(0, len(data), size)
        for exchange in session.feed(side, data[start : start + size], 5.0)
    ]
    return [*found, *session.finish()]


@pytest.mark.parametrize("size", [1, 10, 1 << 20])
def test_an_exchange_in_whatever_pieces(size: int) -> None:
    talk = Talk()
    talk.ask(body=b"x=1")
    talk.answer()
    ((request, reply),) = read(talk.said, size)
    assert request is not None and reply is not None
    assert (request.method, request.target, request.authority) == ("POST", "/a?b=c", "shop.example")
    assert (request.headers, request.body) == ((("x-y", "z"),), b"x=1")
    assert (reply.status, reply.headers, reply.body, reply.size) == (
        200,
        (("content-type", "text/plain"),),
        b"hello",
        5,
    )


def test_streams_are_told_apart_and_come_as_they_end() -> None:
    talk = Talk()
    talk.ask(1)
    talk.ask(3)
    talk.answer(3, b"three")
    talk.answer(1, b"one")
    assert [exchange.reply.body for exchange in read(talk.said) if exchange.reply] == [b"three", b"one"]


def test_trailers_and_interim_replies_are_not_the_reply() -> None:
    talk = Talk()
    talk.ask()
    talk.server.send_headers(1, [(":status", "103"), ("link", "x")])
    talk.server.send_headers(1, TELL)
    talk.server.send_headers(1, [("checksum", "9")], end_stream=True)
    talk.pass_on()
    ((_, reply),) = read(talk.said)
    assert reply is not None and (reply.status, reply.headers) == (200, (("content-type", "text/plain"),))


def test_a_push_is_a_reply_to_the_promised_request() -> None:
    talk = Talk()
    talk.ask()
    talk.server.push_stream(1, 2, [(":method", "GET"), *ASK[1:]])
    talk.server.send_headers(2, TELL, end_stream=True)
    talk.pass_on()
    ended = read(talk.said)[0]
    assert ended.request is not None and ended.reply is not None
    assert (ended.request.method, ended.reply.status) == ("GET", 200)


def reset(talk: Talk) -> None:
    talk.ask()
    talk.client.reset_stream(1)
    talk.pass_on()


def unanswered(talk: Talk) -> None:
    talk.ask()


@pytest.mark.parametrize("part", [reset, unanswered])
def test_a_request_that_nobody_answers(part: Callable[[Talk], None]) -> None:
    talk = Talk()
    part(talk)
    ((request, reply),) = read(talk.said)
    assert request is not None and request.target == "/a?b=c" and reply is None


def test_after_a_gap_that_side_is_not_read_and_the_other_is() -> None:
    talk = Talk()
    talk.ask(1)
    talk.ask(3)
    talk.answer(1)
    session = Session()
    for side, data in talk.said[:-2]:
        list(session.feed(side, data, 5.0))
    list(session.feed("up", Gap(10), 5.0))
    found = read(talk.said[-2:], session=session)
    assert [(exchange.request is not None, exchange.reply is not None) for exchange in found] == [(True, True)]


def test_the_request_of_an_upgrade_is_stream_one() -> None:
    talk = Talk()
    talk.ask()
    talk.answer()
    asked = Message(1.0, 1.0, method="GET", target="/upgraded")
    down = [(side, data) for side, data in talk.said if side == "down"]
    ((request, reply),) = read(down, session=Session(asked))
    assert request is asked and reply is not None and reply.status == 200


def test_junk_ends_a_side_without_an_error() -> None:
    assert read([("up", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 50), ("down", b"\x00" * 100)]) == []
