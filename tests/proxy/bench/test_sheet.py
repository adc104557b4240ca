"""Figures as a table, as sentences and as a plot."""

import io
from xml.etree import ElementTree

from rich.console import Console

from proxy.bench.floor import Needs, Rates
from proxy.bench.offered import Offered
from proxy.bench.scorer import Outcome, Speed
from proxy.bench.sheet import plot, remarks, table

OUTCOME = Outcome(
    "CUDAExecutionProvider",
    "r1",
    [
        Speed(rows, length, graph, 1000.0 * rows * (1 + graph), 1.0, 2.0, 0.25)
        for length in (64, 1024)
        for rows in (1, 128)
        for graph in (False, True)
    ],
    Offered(10_000.0, 4.0, 40_000, 39_990, 6, 4, 0.8, 2.5),
    42.0,
    200.0,
    Rates(2e12, 4e14, 2e10, 1.8e10),
    [Needs(64, 1e5, 6e5, 90_000)],
)


def test_the_table_has_a_line_for_each_lane_and_how_far_it_is_from_the_floor() -> None:
    console = Console(width=100, file=io.StringIO())
    with console.capture() as caught:
        console.print(table(OUTCOME))
    text = caught.get()
    assert len(text.strip().splitlines()) == 1 + len(OUTCOME.batches)
    assert "256,000" in text and "4.0" in text and "yes" in text


def test_the_sentences_name_the_provider_and_what_was_lost() -> None:
    told = " ".join(remarks(OUTCOME))
    assert "CUDAExecutionProvider, release r1" in told
    assert "256,000 flows/s" in told and "5,000/s inline" in told
    assert "2.50 ms (p99); 39,990 of 40,000 judged, 6 late, 4 refused" in told
    assert "copy 2,000.0 GB/s, matmul 400.000 Tflop/s" in told


def test_the_plot_has_a_line_for_each_length_and_stays_in_its_frame() -> None:
    root = ElementTree.fromstring(plot(OUTCOME))
    space = "{http://www.w3.org/2000/svg}"
    dots = root.findall(f"{space}circle")
    assert len(dots) == 4  # the best of each batch
    for dot in dots:
        assert 0 <= float(dot.get("cx", -1)) <= 640 and 0 <= float(dot.get("cy", -1)) <= 400
    texts = [text.text for text in root.iter(f"{space}text")]
    assert "64 tokens" in texts and "1024 tokens" in texts
    assert any("CUDAExecutionProvider" in (text or "") for text in texts)
