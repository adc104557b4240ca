"""The cost of a new TLS connection: what is measured, and how it is told."""

from proxy.bench.handshakes import lines, measure


def test_both_variants_serve_and_are_measured() -> None:
    told: list[str] = []
    costs = measure(1, 0.5, told.append)
    assert list(costs) == ["stock", "scored"] and told == ["starting", "round 1, stock", "round 1, scored"]
    assert all(figure > 0 for own in costs.values() for figure in own.values())


def test_the_figures_are_ratios_to_stock() -> None:
    told = lines({"stock": {"per_second": 80.0, "cpu_us": 8000.0}, "scored": {"per_second": 120.0, "cpu_us": 6000.0}})
    assert told[1] == "scored: 120 new TLS connections/s (1.50 x stock), 6,000 µs of the processor each (0.75 x stock)"
