"""What passes and is not read: messages of WebSockets and whatever is not HTTP. It is counted, and not kept."""

from typing import Any

from mitmproxy.http import HTTPFlow
from mitmproxy.tcp import TCPFlow

from proxy.hooks import guarded
from proxy.metrics import Metrics
from proxy.trace import Tunnels


class Unread:
    """A mitmproxy addon beside the filter, with whose `tunnels` it knows what was blocked."""

    name = "sluice-unread"

    def __init__(self, metrics: Metrics, tunnels: Tunnels) -> None:
        self.metrics, self.tunnels = metrics, tunnels

    @guarded
    def websocket_message(self, flow: HTTPFlow) -> None:
        """Messages pass; only the last is kept, or a long connection would fill the memory."""
        assert flow.websocket is not None
        self.metrics.missed("websocket", len(flow.websocket.messages[-1].content), flows=0)
        del flow.websocket.messages[:-1]

    @guarded
    def tcp_start(self, flow: TCPFlow) -> None:
        """Something that is not HTTP."""
        tunnel = self.tunnels.get(flow.client_conn)
        if tunnel is not None and tunnel.trace.blocks:
            flow.kill()
        self.metrics.missed("tcp")

    @guarded
    def tcp_message(self, flow: TCPFlow) -> None:
        """As for WebSocket messages."""
        self.metrics.missed("tcp", len(flow.messages[-1].content), flows=0)
        del flow.messages[:-1]

    @guarded
    def tcp_end(self, flow: TCPFlow) -> None:
        """It is over."""
        self.metrics.closed("none")

    tcp_error = tcp_end

    def fail(self, subject: Any) -> None:
        """Nothing more can be done than to say so."""
        self.metrics.failed("exception")
