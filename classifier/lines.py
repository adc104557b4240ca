"""A line of a grammar file as a `FlowRecord`, with its answer where it has one.

GET https://api.example.com/v1/items⏎Accept: */*⏎⏎body ⇒ 200 application/json⏎⏎{}
DNS TXT name.example ⇒ NOERROR answer answer
CONNECT host:443 · TLS server-name · WS wss://host/path⏎⏎message · TCP host:port⏎⏎first bytes
"""

from urllib.parse import urlsplit

import msgspec

from classifier.records import FlowRecord, Headers


def parse(line: str) -> FlowRecord:
    """The flow that `line` spells out, without anything that it does not say. Raises ValueError."""
    asked, _, told = line.partition(" ⇒ ")
    verb, _, rest = asked.partition(" ")
    if verb == "DNS":
        return _dns(rest, told)
    if verb == "TLS":
        return FlowRecord(kind="tls", phase="connect", sni=rest.lower(), alpn=("h2", "http/1.1"))
    if verb in ("CONNECT", "TCP"):
        target, _, sent = rest.partition("\n\n")
        host, _, port = target.partition(":")
        if verb == "CONNECT":
            return FlowRecord(phase="connect", method=verb, host=host, port=int(port))
        return FlowRecord(kind="tcp", phase="end", host=host, port=int(port), message=_raw(sent), bytes_up=len(sent))
    record = _http(verb, rest)
    return answer(record, told) if told else record


def _dns(asked: str, told: str) -> FlowRecord:
    qtype, _, qname = asked.partition(" ")
    rcode, _, answers = told.partition(" ")
    values = (answers,) if qtype == "TXT" and answers else tuple(answers.split())
    return FlowRecord(
        kind="dns", phase="response" if told else "request", qname=qname, qtype=qtype, rcode=rcode, answers=values
    )


def _http(verb: str, rest: str) -> FlowRecord:
    url, headers, sent = _message(rest)
    parts = urlsplit(url)
    host, _, port = parts.netloc.partition(":")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    record = FlowRecord(method=verb, scheme=parts.scheme, host=host, port=int(port or 0), path=path)
    if verb == "WS":
        return msgspec.structs.replace(record, kind="websocket", method="", message=_raw(sent), direction="up")
    return msgspec.structs.replace(record, request_headers=headers, request_body=_raw(sent))


def answer(record: FlowRecord, told: str) -> FlowRecord:
    """The request `record` with the answer that `told` spells out. Raises ValueError."""
    first, headers, body = _message(told)
    status, _, kind = first.partition(" ")
    return msgspec.structs.replace(
        record,
        phase="response",
        status=int(status),
        response_headers=((("Content-Type", kind),) if kind else ()) + headers,
        response_body=_raw(body),
        bytes_down=len(body),
    )


def _message(content: str) -> tuple[str, Headers, str]:
    """First line, header pairs and body of a little HTTP message."""
    head, _, body = content.partition("\n\n")
    first, *lines = head.split("\n")
    return first, tuple((name, value) for name, _, value in (line.partition(": ") for line in lines)), body


def _raw(content: str) -> bytes:
    """Text as UTF-8; where it holds raw bytes (`«byte:9»`, `«chr:0»`), as Latin-1."""
    binary = "\x00" in content or any("\x80" <= letter <= "\x9f" for letter in content)
    return content.encode("latin-1" if binary else "utf-8", "replace")
