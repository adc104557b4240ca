import json
import re
from pathlib import Path

import pytest

from classifier.errors import UserError
from classifier.records import FlowRecord, Label
from finetune import labels
from finetune.labels import Word
from needs import ROOT


def test_a_label_file_gives_each_flow_its_last_word(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(
        '{"id": "a", "label": "benign"}\n\n'
        '{"id": "b", "label": "sqli", "weight": 0.5, "origin": "suricata"}\n'
        '{"id": "a", "label": "xss"}\n'
    )
    assert labels.read(path) == {
        "a": Word(label=Label.XSS),
        "b": Word(label=Label.SQLI, weight=0.5, origin="suricata"),
    }


def test_a_label_without_a_weight_has_its_origins(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    lines = [{"id": origin, "label": "xss", "origin": origin} for origin in (*labels.WEIGHTS, "somebody")]
    path.write_text("\n".join(map(json.dumps, lines)))
    assert {name: word.weight for name, word in labels.read(path).items()} == labels.WEIGHTS | {"somebody": 1.0}


def test_every_default_weight_is_documented() -> None:
    text = (ROOT / "docs/data.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| .* \| ([\d.]+) \|$", text, re.MULTILINE)
    assert {origin: float(weight) for origin, weight in told} == labels.WEIGHTS


def test_an_eve_log_is_known_by_its_content_and_labels_the_flows_its_alerts_are_about(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    event = {
        "timestamp": "1970-01-01T00:16:41.000000+0000", "event_type": "alert", "http": {"hostname": "a.b", "url": "/x"},
        "alert": {"signature": "ET MALWARE CnC Checkin", "severity": 1},
    }  # fmt: skip
    path.write_text("junk\n" + json.dumps(event))
    assert not labels.is_log(path)
    path.write_text(json.dumps(event) + "\njunk\n")
    assert labels.is_log(path)
    flows = [FlowRecord(id=name, time=1000.0, host="a.b", path=f"/{name}", method="GET") for name in "xy"]
    words, join, bad = labels.alerted(path, flows)
    assert words == {"x": Word(label=Label.C2, weight=0.7, origin="suricata")}
    assert (join.alerts, join.unmatched, len(bad)) == (1, 0, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"id": "a", "label": "benign"}\n{"id": "b", "lab', ":2: "),
        ('{"id": "a", "label": "good"}', "unknown label 'good'; one of benign, tracker"),
        ('{"id": "a", "label": "benign", "weight": 2}', "weight 2.0 is not between 0 and 1"),
        ('{"label": "benign"}', "missing required field `id`"),
        ("[]", ":1: "),
        ("\n", "no label in it"),
    ],
)
def test_a_bad_label_file_is_one_line_that_names_the_place(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(content)
    with pytest.raises(UserError, match=r"^labels ") as error:
        labels.read(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_label_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        labels.read(tmp_path / "none")


def test_own_labels_are_those_of_records_that_have_one() -> None:
    records = [FlowRecord(id="a", label=Label.C2), FlowRecord(id="b"), FlowRecord(label=Label.C2)]
    assert labels.own(records) == {"a": Word(label=Label.C2, origin="record")}


def test_later_sources_outrank_earlier_ones() -> None:
    first, second = Word(label=Label.BENIGN), Word(label=Label.XSS)
    assert labels.merge([{"a": first, "b": first}, {"a": second}]) == {"a": second, "b": first}


def test_words_find_their_flows_by_flow_event_and_journal() -> None:
    word = Word(label=Label.BENIGN)
    held = FlowRecord(id="flow-3", host="h")
    nameless = FlowRecord(host="n")
    words = dict.fromkeys(("flow-1", "event-2", "event-3", "event-4", "lost"), word)
    found, extra, unknown = labels.resolve(
        words, ["flow-1", "flow-2"], {"event-2": "flow-2"}, {"event-3": held, "event-4": nameless}.get
    )
    assert found == dict.fromkeys(("flow-1", "flow-2", "flow-3", "event-4"), word)
    assert [record.id for record in extra] == ["flow-3", "event-4"]
    assert unknown == ["lost"]
