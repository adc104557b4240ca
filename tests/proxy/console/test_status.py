from pathlib import Path

from prometheus_client import CollectorRegistry

from proxy.console.status import Status


def test_a_proxy_is_not_ready_until_it_says_so(tmp_path: Path) -> None:
    one, two = (
        Status(ca=tmp_path, mode="monitor", registry=CollectorRegistry(), state=tmp_path, home=tmp_path)
        for _ in range(2)
    )
    assert one.waiting == ["the model is not loaded", "the proxy does not listen"]
    one.waiting.clear()
    assert two.waiting
