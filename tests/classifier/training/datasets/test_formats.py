"""One parser a format, and captures through the importers."""

from pathlib import Path

from classifier.importers import BadLine
from classifier.records import FlowRecord
from classifier.training.datasets import manifest
from classifier.training.datasets.files import File
from classifier.training.datasets.formats import FLOWS, FORMATS, capture
from classifier.training.datasets.manifest import UNKNOWN, Source
from repositories import write_capture

SOURCE = Source(name="s", table="flows", pins=("o/n@c",), licence="-", format="capture", paths=("*",))


def test_every_format_is_used_and_every_used_one_is_there() -> None:
    assert {source.format for source in manifest.load()} == FORMATS.keys() | {UNKNOWN}
    assert FORMATS.keys() >= FLOWS


def test_a_capture_is_read_through_the_importers(tmp_path: Path) -> None:
    write_capture(tmp_path / "x.pcap")
    found = list(capture(File("x.pcap", (tmp_path / "x.pcap").read_bytes()), SOURCE))
    kinds = {each.value.kind for each in found if not isinstance(each, BadLine) and isinstance(each.value, FlowRecord)}
    assert kinds == {"http", "dns"}


def test_a_broken_capture_is_named() -> None:
    (bad,) = capture(File("x.har", b"{"), SOURCE)
    assert isinstance(bad, BadLine) and bad.where == "x.har"
