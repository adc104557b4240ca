"""The filter as a mitmproxy addon: one short method for each hook.

A flow is judged as early as the evidence allows, and again when there is more:

    CONNECT host ──▶ TLS hello (name, fingerprint) ──▶ request ──▶ response
    403 at once      the page inside the tunnel        403         403 in its place

1. A body up to `patches.HELD` is held and judged with its head. A longer one is judged by its head (and by what had
   come, when its length was not announced) and then passes as it comes, counted as not inspected.
2. Another addon's answer is left alone; a flow that ended is counted and captured once.
3. A hook never raises: mitmproxy would log it and let the flow pass. What goes wrong here is the policy's to decide.
"""

import functools
import logging
from typing import Any, Final, Literal

from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow
from mitmproxy.tls import ClientHelloData, TlsData

from classifier.records import Phase
from classifier.store import CaptureWriter
from proxy import observe, respond
from proxy.console.onboard import NAME
from proxy.desk import Desk
from proxy.hooks import guarded
from proxy.judge import Judge, where
from proxy.metrics import Coverage
from proxy.page import NO_OFFERS
from proxy.patches import HELD
from proxy.pins import Key, Pins
from proxy.policy import Cause, Decision, Hosts
from proxy.trace import BEAT, Trace, Tunnels

log = logging.getLogger(__name__)

KEY: Final = "sluice"
"""Where a flow's metadata holds its `Trace`."""

Side = Literal["request", "response"]
_PASSING: Final[dict[Side, Literal["oversized", "streamed"]]] = {"request": "oversized", "response": "streamed"}
"""Cause and reason of a body that passes as it comes."""


class Filter:
    """Judges what passes; `plain` are the servers that are never decrypted, `pins` those that were learned."""

    name = "sluice"

    def __init__(self, judge: Judge, captures: CaptureWriter, plain: Hosts, pins: Pins, desk: Desk) -> None:
        self.judge, self.captures, self.metrics = judge, captures, judge.metrics
        self.plain, self.pins, self.desk = plain, pins, desk
        self.tunnels = Tunnels()
        self.active = 0
        """Flows that have begun and not ended."""

    @guarded
    def client_connected(self, client: Client) -> None:
        """A client is there."""
        self.metrics.connections.inc()

    @guarded
    def client_disconnected(self, client: Client) -> None:
        """A client is gone; what only its tunnel showed is captured now."""
        self.metrics.connections.dec()
        tunnel = self.tunnels.pop(client)
        if tunnel is not None:
            self._capture(tunnel.trace)
            if tunnel.opaque:
                self.metrics.closed("none")

    @guarded
    async def http_connect(self, flow: HTTPFlow) -> None:
        """CONNECT: only a name and a port, but a refusal here costs an eighth of a decrypted connection."""
        if _settled(flow):
            return
        trace = self.tunnels.open(flow.client_conn).trace
        trace.add(await self.judge.wait(functools.partial(observe.record, flow, "connect"), "connect"))
        if trace.decision is not None and self._apply(flow, trace.decision):
            self._finish(trace, "full")

    @guarded
    async def tls_clienthello(self, data: ClientHelloData) -> None:
        """The server's name and the client's fingerprint, before anything is decrypted."""
        if data.client_hello.sni == NAME:  # nobody's traffic: `proxy.portal` and `proxy.heartbeat` answer
            return
        tunnel = self.tunnels.open(data.context.client)
        if observe.names(data, self.plain):
            data.ignore_connection = tunnel.opaque = True
            self.metrics.missed("do_not_decrypt")
            return
        flow_id = tunnel.trace.latest.masked.id if tunnel.trace.latest else data.context.client.id
        look = functools.partial(observe.hello, data, flow_id)
        judged = await self.judge.wait(look, "connect")
        tunnel.ja4 = judged.masked.ja4
        tunnel.trace.add(judged)
        if tunnel.trace.blocks:  # the page is ours to show: the server need not be asked
            data.establish_server_tls_first = False
            return
        key = Key(observe.destination(data), tunnel.ja4)
        if self.pins.holds(key):
            data.ignore_connection = tunnel.opaque = True
            self.metrics.missed("pinned")
        elif judged.decision.action == "allow":  # what looks bad is not to hide behind a certificate of its own
            tunnel.key = key

    @guarded
    def tls_established_client(self, data: TlsData) -> None:
        """The client took our certificate."""
        tunnel = self.tunnels.get(data.context.client)
        if tunnel is not None and tunnel.key is not None:
            self.pins.accepted(tunnel.key)

    @guarded
    def tls_failed_client(self, data: TlsData) -> None:
        """The client would not take our certificate: it saw a filter, we saw nothing."""
        self.metrics.missed("tls_failed")
        tunnel = self.tunnels.open(data.context.client)
        tunnel.opaque = True
        if tunnel.key is not None and observe.refused(data) and self.pins.refused(tunnel.key):
            log.warning("a server passes unread from now on: its clients take no other certificate (policy.pinned)")

    @guarded
    async def requestheaders(self, flow: HTTPFlow) -> None:
        """A body that is announced to be long is judged by its head, now."""
        if not _settled(flow) and (observe.announced(flow.request) or 0) > HELD:
            await self._pass(flow, "request")

    @guarded
    async def request_overflow(self, flow: HTTPFlow) -> None:
        """A body whose length was not announced has grown long."""
        await self._pass(flow, "request")

    @guarded
    async def request(self, flow: HTTPFlow) -> None:
        """The whole request, unless it streamed by."""
        if KEY not in flow.metadata and not _settled(flow) and (reply := self.desk.answer(flow)) is not None:
            respond.answer(flow, reply)
            return
        trace = self._trace(flow)
        if _settled(flow) or "request" in trace.verdicts or trace.partial:
            return
        refused = self._refused(flow)
        if refused is None:
            await self._judge(flow, trace, "request")
        else:
            trace.decision = refused
            self._apply(flow, refused)

    @guarded
    async def responseheaders(self, flow: HTTPFlow) -> None:
        """A body that is long or live is judged by its head, now."""
        if _ours(flow) and observe.endless(flow, HELD):
            await self._pass(flow, "response")

    @guarded
    async def response_overflow(self, flow: HTTPFlow) -> None:
        """A body whose length was not announced has grown long."""
        if _ours(flow):
            await self._pass(flow, "response")

    @guarded
    async def response(self, flow: HTTPFlow) -> None:
        """The whole response, unless it streamed by; the flow's end, unless it becomes a WebSocket."""
        trace: Trace | None = flow.metadata.get(KEY)
        if trace is None or trace.done:
            return
        if trace.decision is not None and trace.blocks:  # the origin's body may have been written into our answer
            self._apply(flow, trace.decision)
        elif "streamed" not in trace.passing and trace.latest is not None:
            await self._judge(flow, trace, "response")
        if flow.websocket is not None:
            trace.partial = True
            self.metrics.missed("websocket")
        self._end(trace)

    @guarded
    def error(self, flow: HTTPFlow) -> None:
        """The flow broke off."""
        trace: Trace | None = flow.metadata.get(KEY)
        if trace is not None and not trace.done:
            trace.partial = True
            self._end(trace)

    def fail(self, subject: Any) -> None:
        """What the policy says of a flow that the filter itself failed on."""
        self.metrics.failed("exception")
        if isinstance(subject, HTTPFlow) and not subject.error:
            respond.apply(subject, self.judge.failed("exception"))

    async def _pass(self, flow: HTTPFlow, side: Side) -> None:
        """Judge what there is of a body that will not be held; unless that blocks, let it pass, counted."""
        trace = self._trace(flow)
        reason = _PASSING[side]
        trace.partial = True
        await self._judge(flow, trace, side, reason)
        if not trace.blocks:
            trace.passing[reason] = respond.stream(flow, side)
            self.metrics.missed(reason)

    async def _judge(self, flow: HTTPFlow, trace: Trace, phase: Phase, part: Cause | None = None) -> None:
        tunnel = self.tunnels.get(flow.client_conn)
        look = functools.partial(observe.record, flow, phase, tunnel.ja4 if tunnel else "")
        judged = await self.judge.wait(look, phase, part, rehearsal=trace.rehearsal)
        trace.add(judged)
        if judged.verdict is None:
            trace.partial = True
            self.metrics.missed("failure")
        elif part is None and (beyond := observe.beyond(flow, phase)):
            request = phase == "request"  # of a response the head is all that is judged: bytes, no flow, are missed
            trace.partial = trace.partial or request
            self.metrics.missed("body_cap", beyond, flows=int(request))
        self._apply(flow, judged.decision)

    def _refused(self, flow: HTTPFlow) -> Decision | None:
        """The block of a flow's whole connection, unless its client was allowed past it here."""
        tunnel = self.tunnels.get(flow.client_conn)
        if tunnel is None or tunnel.trace.decision is None or not tunnel.trace.blocks:
            return None
        record = observe.record(flow, "request", tunnel.ja4)
        return None if self.judge.permitted(record, tunnel.trace.decision) else tunnel.trace.decision

    def _apply(self, flow: HTTPFlow, decision: Decision) -> bool:
        """Put a block into effect, if it is one; whether it was."""
        if not decision.blocks:
            return False
        offers = NO_OFFERS
        if flow.request.data.method != b"CONNECT":  # no browser shows the answer to a CONNECT
            try:
                offers = self.desk.offers(flow, decision)
            except Exception as error:  # a page without buttons is better than no block
                log.error("a block page has no buttons: %s", where(error))
        seen = respond.apply(flow, decision, offers)
        if decision.event:
            self.judge.saw(decision.event, seen)
        return True

    def _trace(self, flow: HTTPFlow) -> Trace:
        trace: Trace | None = flow.metadata.get(KEY)
        if trace is None:
            trace = flow.metadata[KEY] = Trace(rehearsal=BEAT in flow.metadata)
            self.active += 1
        return trace

    def _end(self, trace: Trace) -> None:
        self.active -= 1
        coverage: Coverage = "partial" if trace.partial else "full"
        self._finish(trace, coverage)

    def _finish(self, trace: Trace, coverage: Coverage) -> None:
        trace.done = True
        if trace.rehearsal:
            return
        self.metrics.closed(coverage)
        for reason, meter in trace.passing.items():
            self.metrics.missed(reason, meter.bytes, flows=0)
        self._capture(trace)

    def _capture(self, trace: Trace) -> None:
        row = trace.row()
        if row is not None and not trace.captured:
            trace.captured = True
            self.captures.offer(row)


def _settled(flow: HTTPFlow) -> bool:
    """Whether somebody has answered already, or there is nobody to answer."""
    return flow.response is not None or flow.error is not None or not flow.live


def _ours(flow: HTTPFlow) -> bool:
    """Whether a response comes from the origin of a request that was judged."""
    trace: Trace | None = flow.metadata.get(KEY)
    return trace is not None and trace.latest is not None and not trace.blocks
