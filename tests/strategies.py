"""Hypothesis strategies: any record that an importer or the wire could make."""

from hypothesis import strategies as st

from classifier.records import BODY_CAP, LABELS, FlowRecord

# No surrogates: text from the wire never has them (classifier.records.text).
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
headers = st.lists(st.tuples(words, words), max_size=5).map(tuple)
bodies = st.binary(max_size=300) | st.just(b"a=b&password=hunter2") | st.just(b"x" * (BODY_CAP + 1))

records = st.builds(
    FlowRecord,
    id=words,
    kind=st.sampled_from(("http", "tls", "dns", "tcp", "websocket")),
    phase=st.sampled_from(("connect", "request", "response", "end")),
    host=words,
    port=st.integers(0, 65535),
    sni=words,
    alpn=st.lists(words, max_size=2).map(tuple),
    ja4=words,
    method=words,
    scheme=words,
    path=words | st.builds("{}?{}={}".format, words, words, words),
    request_headers=headers,
    request_body=bodies,
    status=st.integers(0, 999),
    response_headers=headers,
    response_body=bodies,
    qname=words,
    qtype=words,
    rcode=words,
    answers=st.lists(words, max_size=3).map(tuple),
    message=bodies,
    label=st.none() | st.sampled_from(LABELS),
)
