"""The sample that is kept while flows go by."""

from classifier.records import FlowRecord, Label
from classifier.training.evaluation.measure import Example
from classifier.training.evaluation.sample import Sample


def _flows(source: str, label: Label, count: int, family: str = "http") -> list[Example]:
    return [Example(source, family, FlowRecord(port=port, label=label)) for port in range(count)]


def test_each_source_and_side_has_its_share() -> None:
    sample = Sample(5)
    sample([*_flows("a", Label.BENIGN, 100), *_flows("a", Label.XSS, 3), *_flows("b", Label.C2, 9, "flows")], {})
    sample(_flows("a", Label.BENIGN, 50), {})
    kept = sample.examples()
    count = {(source, label): 0 for source in "ab" for label in (Label.BENIGN, Label.XSS, Label.C2)}
    for each in kept:
        assert each.record.label
        count[each.source, each.record.label] += 1
    assert {key: value for key, value in count.items() if value} == {
        ("a", Label.BENIGN): 5,
        ("a", Label.XSS): 3,
        ("b", Label.C2): 5,
    }
    assert {each.family for each in sample.examples("flows")} == {"flows"}


def test_later_flows_are_kept_as_often_and_a_seed_repeats() -> None:
    def kept(seed: int) -> list[int]:
        sample = Sample(10, seed)
        for start in range(0, 1000, 100):
            sample(_flows("a", Label.BENIGN, 1000)[start : start + 100], {})
        return [each.record.port for each in sample.examples()]

    assert kept(1) == kept(1) != kept(2)
    ports = [port for seed in range(40) for port in kept(seed)]
    assert 400 < sum(ports) / len(ports) < 600
