"""A connection's hooks: run at once, waited for where they wait, stopped where the user stops a flow."""

import asyncio
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.test import tflow

from proxy.core import Core
from proxy.handler import Handler


class Wire:
    """Where a connection's bytes go."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name, default)

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.sent.append(data)


class Asking(layer.Layer):
    """Runs a hook between two pieces that it sends, and sends what came meanwhile."""

    flow: http.HTTPFlow

    def _handle_event(self, event: events.Event) -> layer.CommandGenerator[None]:
        if isinstance(event, events.DataReceived):
            yield commands.SendData(self.context.client, b"<" + event.data)
            yield HttpRequestHook(self.flow)
            yield commands.SendData(self.context.client, event.data + b">")
            if event.data == b"crash":
                raise ValueError("a mistake")


class Hooked:
    """An addon that waits, stops or goes on."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.go = asyncio.Event()

    def request(self, flow: http.HTTPFlow) -> Any:
        if self.kind == "stops":
            flow.intercept()
        return self.go.wait() if self.kind == "waits" else None


def connection(addon: Hooked) -> tuple[Handler, Wire, http.HTTPFlow]:
    master = Core(Options())
    master.addons.add(addon)
    wire = Wire()
    handler = Handler(master, wire, wire, master.options, ProxyMode.parse("regular"))  # type: ignore[no-untyped-call]
    asking = Asking(handler.layer.context)
    asking.flow = tflow.tflow()
    handler.layer = asking
    return handler, wire, asking.flow


async def receive(handler: Handler, data: bytes) -> None:
    await handler.server_event(events.DataReceived(handler.client, data))


async def test_what_nobody_waits_for_is_sent_in_one_piece() -> None:
    handler, wire, _ = connection(Hooked("goes on"))
    await receive(handler, b"1")
    await receive(handler, b"2")
    assert wire.sent == [b"<11>", b"<22>"]


async def test_a_hook_that_waits_is_waited_for() -> None:
    addon = Hooked("waits")
    handler, wire, _ = connection(addon)
    await receive(handler, b"1")
    await receive(handler, b"2")
    assert wire.sent == [b"<1"]
    addon.go.set()
    await asyncio.sleep(0.01)
    assert b"".join(wire.sent) == b"<11><22>"


async def test_a_flow_that_was_stopped_goes_on_when_the_user_says_so() -> None:
    handler, wire, flow = connection(Hooked("stops"))
    await receive(handler, b"1")
    assert wire.sent == [b"<1"]
    flow.resume()
    await asyncio.sleep(0.01)
    assert wire.sent == [b"<1", b"1>"]


async def test_a_crash_is_told_and_harms_no_later_event(caplog: pytest.LogCaptureFixture) -> None:
    handler, wire, _ = connection(Hooked("goes on"))
    await receive(handler, b"crash")
    await receive(handler, b"2")
    assert wire.sent == [b"<crashcrash>", b"<22>"]
    assert "mitmproxy has crashed" in caplog.text
