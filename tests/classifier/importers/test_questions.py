from scapy.layers.dns import DNS, DNSQR, DNSRR

from classifier.importers.questions import Messages, Questions
from classifier.importers.reassembly import Gap

CLIENT, SERVER = ("192.0.2.1", 5000), ("192.0.2.53", 53)
ASK = bytes(DNS(id=7, qd=DNSQR(qname="a.example", qtype="AAAA")))
ANSWER = bytes(
    DNS(id=7, qr=1, qd=DNSQR(qname="a.example", qtype="AAAA"),
        an=DNSRR(rrname="a.example", type="AAAA", rdata="2001:db8::1"))
)  # fmt: skip


def test_a_question_waits_for_its_answer() -> None:
    questions = Questions()
    assert questions.feed(CLIENT, SERVER, ASK, 10.0) is None
    record = questions.feed(SERVER, CLIENT, ANSWER, 12.5)
    assert record is not None
    assert (record.qname, record.qtype, record.answers, record.seconds) == ("a.example", "AAAA", ("2001:db8::1",), 2.5)
    assert (record.client, record.client_port, record.server, record.port) == (*CLIENT, *SERVER)
    assert list(questions.expire(1e9)) == []


def test_an_answer_to_somebody_else_is_a_record_of_its_own() -> None:
    questions = Questions()
    questions.feed(CLIENT, SERVER, ASK, 10.0)
    assert questions.feed(SERVER, ("192.0.2.2", 5000), ANSWER, 11.0) is not None
    (waiting,) = questions.expire(100.0)
    assert (waiting.phase, waiting.qname) == ("request", "a.example")


def test_what_is_no_message_is_passed_over() -> None:
    assert Questions().feed(CLIENT, SERVER, b"\x00nothing", 1.0) is None


def test_messages_over_tcp_stand_behind_their_length() -> None:
    stream = b"".join(len(each).to_bytes(2) + each for each in (ASK, ANSWER))
    messages = Messages()
    assert [found for byte in stream for found in messages.feed(bytes([byte]))] == [ASK, ANSWER]
    assert [*messages.feed(Gap(3)), *messages.feed(stream)] == []
