"""Our dispatch behaves as mitmproxy's own."""

from typing import Any

import pytest
from mitmproxy import exceptions, http
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.server_hooks import ClientConnectedHook
from mitmproxy.test import tflow

from proxy.core import ADDONS, Core, Dispatch


class Recorder:
    def __init__(self, name: str, calls: list[str], error: Exception | None = None) -> None:
        self.name, self.calls, self.error = name, calls, error

    def request(self, _: http.HTTPFlow) -> None:
        self.calls.append(self.name)
        if self.error is not None:
            raise self.error


class Waiting(Recorder):
    async def request(self, flow: http.HTTPFlow) -> None:  # type: ignore[override]
        super().request(flow)


async def trigger(*addons: Any) -> None:
    master = Core(Options())
    master.addons.add(*addons)
    await master.addons.handle_lifecycle(HttpRequestHook(tflow.tflow()))


async def test_hooks_run_in_the_order_of_their_addons() -> None:
    calls: list[str] = []
    await trigger(Recorder("one", calls), Waiting("two", calls), Recorder("three", calls))
    assert calls == ["one", "two", "three"]


@pytest.mark.parametrize("kind", [Recorder, Waiting])
async def test_what_needs_no_waiting_is_done_at_once(kind: type[Recorder]) -> None:
    calls: list[str] = []
    master = Core(Options())
    master.addons.add(Recorder("one", calls), kind("two", calls), Recorder("three", calls))
    assert isinstance(master.addons, Dispatch)
    rest = master.addons.begin(HttpRequestHook(tflow.tflow()))
    assert (rest is None) == (kind is Recorder) == (len(calls) == 3)
    if rest is not None:
        await rest
    assert calls == ["one", "two", "three"]


async def test_an_exception_stops_only_its_own_addon() -> None:
    calls: list[str] = []
    await trigger(Recorder("one", calls, ValueError()), Waiting("two", calls, ValueError()), Recorder("three", calls))
    assert calls == ["one", "two", "three"]


async def test_a_halt_stops_those_behind() -> None:
    calls: list[str] = []
    await trigger(Recorder("one", calls, exceptions.AddonHalt()), Recorder("two", calls))
    assert calls == ["one"]


async def test_an_options_error_is_raised() -> None:
    with pytest.raises(exceptions.OptionsError):
        await trigger(Recorder("one", [], exceptions.OptionsError("x")))


async def test_addons_that_come_and_go_are_noticed() -> None:
    calls: list[str] = []
    master = Core(Options())
    event = HttpRequestHook(tflow.tflow())
    one, two = Recorder("one", calls), Recorder("two", calls)
    for change in (lambda: master.addons.add(one), lambda: master.addons.add(two), lambda: master.addons.remove(one)):
        change()  # type: ignore[no-untyped-call]
        await master.addons.trigger_event(event)
    assert calls == ["one", "one", "two", "two"]
    master.addons.clear()
    await master.addons.trigger_event(event)
    assert len(calls) == 4


async def test_an_update_is_sent_to_those_who_listen() -> None:
    seen: list[Any] = []

    class Listener:
        def update(self, flows: list[Any]) -> None:
            seen.extend(flows)

    flow = tflow.tflow()
    master = Core(Options())
    master.addons.add(Listener())
    await master.addons.handle_lifecycle(HttpRequestHook(flow))
    assert seen == [flow]


async def test_an_open_proxy_is_still_prevented() -> None:
    master = Core(Options())
    client = tflow.tclient_conn()
    client.peername = ("8.8.8.8", 1)
    await master.addons.trigger_event(ClientConnectedHook(client))
    assert client.error
    assert "block" in {make().__class__.__name__.lower() for make in ADDONS}
