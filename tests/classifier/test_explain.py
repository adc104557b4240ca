"""Occlusion with real ONNX models: one that counts quotes, one that matches random patterns, and the shipped one."""

import re
from functools import cache
from itertools import accumulate, combinations
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save_model

from classifier import registry
from classifier.artifact import Golden, Model, ModelCard, write_card
from classifier.explain import KEEP, POSITIONS, SPANS, WINDOWS, Occlusion, explain, narrow, odds
from classifier.features import NUMBERS, SCHEMA, vectorize
from classifier.masking import mask
from classifier.parts import Cut, parts, read, without
from classifier.records import LABELS, FlowRecord, Headers, Label
from classifier.runtime import open_session
from classifier.scorer import Scorer
from models import tiny_model

BROWSER: Final[Headers] = (("Host", "shop.example"), ("User-Agent", "Mozilla/5.0"), ("Accept", "text/html"))
QUERIES: Final = (
    "id=1' or '1'='1",
    "q=<script>x()</script>",
    "f=../../../etc/passwd",
    "c=;cat%20/etc/passwd",
    "n=1%27%20or%201=1--",
    "u=http://169.254.1.1/x",
    "id=1'union'select'2",
    "q=shoes",
    "a=1&b='&c=3'&d",
    "x=%2527%2527%2527",
)
TOLERANCE: Final = 1e-3
"""Of a drop in log-odds: batches of other sizes round differently."""
HOSTS: Final = ("xq7-zzk'v.example", "login-bank'.example")


@cache
def base() -> Scorer:
    return Scorer(Model.load(registry.base() / registry.MODEL, "cpu"))


@pytest.fixture(scope="module")
def quotes(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    return Scorer(Model.load(tiny_model(tmp_path_factory.mktemp("quotes") / "model.onnx", weight=3.0), "cpu"))


@pytest.fixture(scope="module")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    """Random patterns of three bytes, the best match of each counts: no monotone function of the text."""
    return Scorer(Model.load(pattern_model(tmp_path_factory.mktemp("patterns") / "model.onnx"), "cpu"))


def pattern_model(path: Path) -> Path:
    random = np.random.default_rng(7)
    constants = {
        "byte": np.int32(256),
        "table": random.normal(size=(256, 8)).astype(np.float32),
        "filters": random.normal(size=(16, 8, 3)).astype(np.float32),
        "weights": (0.7 * random.normal(size=(16, len(LABELS)))).astype(np.float32),
        "nothing": np.zeros((len(NUMBERS), len(LABELS)), np.float32),
    }
    nodes = [
        helper.make_node("Mod", ["tokens", "byte"], ["bytes"]),
        helper.make_node("Gather", ["table", "bytes"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["channels"], perm=[0, 2, 1]),
        helper.make_node("Conv", ["channels", "filters"], ["matches"]),
        helper.make_node("GlobalMaxPool", ["matches"], ["best"]),
        helper.make_node("Flatten", ["best"], ["embedding"]),
        helper.make_node("MatMul", ["embedding", "weights"], ["seen"]),
        helper.make_node("MatMul", ["numbers", "nothing"], ["unseen"]),
        helper.make_node("Add", ["seen", "unseen"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs = {"probabilities": len(LABELS), "embedding": 16}
    graph = helper.make_graph(
        nodes,
        "patterns",
        [
            helper.make_tensor_value_info("tokens", TensorProto.INT32, ["N", "L"]),
            helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["N", len(NUMBERS)]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width]) for name, width in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    save_model(model, path)
    tokens = random.integers(0, 256, (2, 64)).astype(np.int32)
    numbers = np.zeros((2, len(NUMBERS)), np.float32)
    session = open_session(path.read_bytes(), "cpu")
    (probabilities,) = session.run(["probabilities"], {"tokens": tokens, "numbers": numbers})
    card = ModelCard(release="patterns", schema=SCHEMA, labels=list(LABELS), method="tiny", operating_points={})
    write_card(path, card, Golden(tokens, numbers, probabilities))
    return path


def requests() -> list[tuple[FlowRecord, str]]:
    """A dozen requests and the part to search in."""
    found = [(FlowRecord(method="GET", host="a.example", path=f"/?{query}"), "query") for query in QUERIES]
    return found + [(FlowRecord(host=host, phase="connect"), "host") for host in HOSTS]


def atoms(content: str) -> list[str]:
    """Characters; an escape is one, since half of it is another text and not a piece of this one."""
    return re.findall("%..|.", content)


def exhaustive(record: FlowRecord, unit: Cut, target: float, scorer: Scorer) -> tuple[int, float]:
    """How short a piece of `unit` may be that takes `target`, and what the best of that length takes: all are tried."""
    edges = list(accumulate(map(len, atoms(read(record, unit))), initial=unit.start))
    pairs = list(combinations(range(len(edges)), 2))
    cuts = [unit._replace(start=edges[i], end=edges[j]) for i, j in pairs]
    rows = [vectorize(record), *(vectorize(without(record, [cut])) for cut in cuts)]
    now, *left = [odds(verdict, None) for verdict in scorer.score_many(rows)]
    size, rest = min((j - i, rest) for (i, j), rest in zip(pairs, left, strict=True) if now - rest >= target)
    return size, now - rest


def disagreements(scorer: Scorer) -> tuple[int, list[str]]:
    """On how many requests some piece counts, and the pieces found that are longer or take less than need be."""
    compared, wrong = 0, []
    for record, name in requests():
        (unit,) = [part.cut for part in parts(record) if part.name == name]
        assert unit.size <= POSITIONS
        occlusion = Occlusion(record, scorer)
        (most,) = occlusion.drops((), [unit])
        if most < 0.5:
            continue
        compared += 1
        span = narrow(occlusion, (), unit, KEEP * most)
        (drop,) = occlusion.drops((), [span])
        size, best = exhaustive(record, unit, KEEP * most, scorer)
        if len(atoms(read(record, span))) != size or drop < best - TOLERANCE:
            wrong.append(read(record, span))
    return compared, wrong


def test_short_inputs_agree_with_an_exhaustive_check(quotes: Scorer, patterns: Scorer) -> None:
    assert disagreements(quotes) == (7, [])
    assert disagreements(patterns) == (11, [])


def test_short_inputs_agree_with_an_exhaustive_check_of_the_shipped_model() -> None:
    compared, wrong = disagreements(base())
    assert compared >= 6 and wrong == []


def test_the_span_is_named_and_the_score_without_it_is_that_of_the_record_without_it(quotes: Scorer) -> None:
    record = FlowRecord(method="GET", host="a.example", path="/p?page=2&id=1'''x", request_headers=BROWSER)
    told = explain(record, quotes)
    (span,) = told.spans
    assert (span.part, span.text, (span.start, span.end)) == ("query parameter `id`", "'''", (4, 7))
    alone = quotes.score(vectorize(without(record, [Cut("path", 0, 14, 17)])))
    assert told.without == alone.threat < 0.05
    assert (told.label, told.threat, told.subject, told.score) == (Label.SQLI, told.score, "threat", told.threat)
    before = quotes.score(vectorize(record))
    assert (told.threat, told.release) == (before.threat, before.model)
    assert span.weight == pytest.approx(odds(before, None) - odds(alone, None))


@pytest.mark.parametrize(
    ("record", "part"),
    [
        (FlowRecord(host="a.b'''.example", phase="connect"), "host"),
        (FlowRecord(kind="tls", sni="b'''.example", phase="connect"), "host"),
        (FlowRecord(kind="dns", qname="q'''.example", qtype="TXT"), "host"),
        (FlowRecord(host="h.example", path="/a/b'''c/d"), "path"),
        (FlowRecord(host="h.example", path="/?'''"), "query"),
        (FlowRecord(host="h.example", path="/", request_headers=(*BROWSER, ("Cookie", "a=1; b='''"))), "header Cookie"),
        (FlowRecord(host="h.example", path="/", request_body=b"a=1&b=2'''"), "body field `b`"),
        (FlowRecord(host="h.example", path="/", request_body=b'{"k": 1, "t": "\'\'\'"}'), "body field `t`"),
        (FlowRecord(host="h.example", path="/", request_body=b"<p>'''</p>"), "body"),
        (FlowRecord(kind="websocket", host="h.example", message=b"hello '''"), "message"),
        (FlowRecord(host="h.example", phase="response", status=200, response_body=b"x '''"), "answer"),
        (
            FlowRecord(host="h.example", phase="response", status=302, response_headers=(("Location", "/'''"),)),
            "answer's header Location",
        ),
    ],
)
def test_a_span_is_found_wherever_it_stands(record: FlowRecord, part: str, quotes: Scorer) -> None:
    told = explain(record, quotes)
    assert [(span.part, span.text.strip(".;/ ")) for span in told.spans] == [(part, "'''")]
    assert told.without < 0.05 < told.threat


def test_two_attacks_are_two_spans(quotes: Scorer) -> None:
    told = explain(FlowRecord(host="h.example", path="/?a='''''''&b=1&c=2&d=3&e=4&f='''"), quotes)
    assert {span.part for span in told.spans} == {"query parameter `a`", "query parameter `f`"}
    assert [span.weight for span in told.spans] == sorted((span.weight for span in told.spans), reverse=True)
    assert told.without < 0.05


def test_an_attack_deep_in_a_long_body_is_found_within_the_budget(quotes: Scorer) -> None:
    seen: list[int] = []

    class Counting(Scorer):
        def score_many(self, rows):  # type: ignore[no-untyped-def]
            seen.append(sum(len(row.tokens) for row in rows))
            return super().score_many(rows)

    body = b"word " * 2000 + b"''''" + b" more" * 1000
    told = explain(FlowRecord(method="POST", host="h.example", path="/", request_body=body), Counting(quotes.model))
    assert [(span.part, span.text) for span in told.spans] == [("body", "''''")]
    one = 20  # windows of the whole record: the last batch before the budget ends may go beyond it by one record
    assert sum(seen) <= WINDOWS + one + (3 * SPANS + 1) * one


def test_beyond_the_budget_nothing_seems_to_carry(quotes: Scorer) -> None:
    record = FlowRecord(host="h.example", path="/?q=" + "x" * 700 + "'''")
    occlusion = Occlusion(record, quotes)
    cuts = [Cut("path", 0, start, start + 1) for start in range(WINDOWS + 20)]
    drops = occlusion.drops((), cuts)
    assert drops.count(-np.inf) == 21  # the whole record took one
    assert occlusion.drops(cuts[-1:], cuts[:2]) == [-np.inf, -np.inf]


def test_a_label_that_is_no_threat_can_be_explained(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "model.onnx", label=Label.SCANNER, weight=3.0)
    told = explain(FlowRecord(host="h.example", path="/?q='''"), Scorer(Model.load(model, "cpu")), Label.SCANNER)
    assert (told.subject, [span.text for span in told.spans]) == ("scanner", ["'''"])
    assert told.without < 0.1 < 0.9 < told.score


def test_no_span_is_named_where_nothing_carries(quotes: Scorer) -> None:
    told = explain(FlowRecord(host="h.example", path="/quiet"), quotes)
    assert told.spans == () and told.without == told.threat
    assert explain(FlowRecord(), quotes).spans == ()


def test_the_same_record_gives_the_same_explanation(patterns: Scorer) -> None:
    record = FlowRecord(host="h.example", path=f"/?{QUERIES[1]}&{QUERIES[0]}", request_headers=BROWSER)
    assert explain(record, patterns) == explain(record, patterns)


ATTACKS: Final = (
    ("/item?page=2&id=1%27+union+select+name,pass+from+users--", b"", "query parameter `id`"),
    ("/list?sort=asc&q=%3Cscript%3Ealert(document.cookie)%3C/script%3E", b"", "query parameter `q`"),
    ("/../../../../../../etc/passwd", b"", "path"),
    ("/run", b"name=bob&host=1.example;cat+/etc/passwd", "body field `host`"),
    ("/api", b'{"n": 1, "text": "<img src=x onerror=alert(1)>"}', "body field `text`"),
)


@pytest.mark.parametrize(("path", "body", "part"), ATTACKS)
def test_the_shipped_model_points_at_the_attack(path: str, body: bytes, part: str) -> None:
    method = "POST" if body else "GET"
    record = FlowRecord(method=method, host="shop.example", path=path, request_headers=BROWSER, request_body=body)
    told = explain(mask(record), base())
    assert told.spans and told.spans[0].part == part
    assert told.without < told.threat / 2
