from proxy.console.context import Console
from proxy.console.overview import Part, overview


def test_the_figures_are_those_of_the_metrics(console: Console) -> None:
    found = overview(console)
    assert (found.requests, found.flagged, found.blocked, found.would_block) == (3, 1, 1, 0)
    assert {part.name: (part.count, part.share) for part in found.found} == {"sqli": (1, 0.5), "xss": (1, 0.5)}
    assert (found.flows, found.full, found.partial, found.unread) == (2, 1, 1, 0)
    assert found.missed == [Part(name="websocket", count=1, share=0.5)]
    assert (found.mode, found.cause, found.release, found.failures) == (
        "enforce", "policy.mode", console.status.release, 0,
    )  # fmt: skip
