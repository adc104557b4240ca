from pathlib import Path

import pytest
from mitmproxy.test import tflow
from prometheus_client import CollectorRegistry

from classifier.records import FlowRecord
from inside import make_judge
from proxy.judge import Judge
from proxy.policy import Hosts, Match, Rule
from proxy.trace import Tunnels
from proxy.unread import Unread


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def judge(tmp_path: Path, registry: CollectorRegistry) -> Judge:
    return make_judge(tmp_path, registry=registry, rules=[Rule("r", Match(hosts=Hosts(["bad.example"])), "block")])


def test_messages_are_counted_and_only_the_last_is_kept(judge: Judge, registry: CollectorRegistry) -> None:
    unread, flow = Unread(judge.metrics, Tunnels()), tflow.twebsocketflow()
    assert flow.websocket is not None
    last = flow.websocket.messages[-1]
    unread.websocket_message(flow)
    assert flow.websocket.messages == [last]
    size = registry.get_sample_value("sluice_uninspected_bytes_total", {"reason": "websocket"})
    assert size == len(last.content)


def test_what_is_not_http_is_counted_from_start_to_end(judge: Judge, registry: CollectorRegistry) -> None:
    unread, flow = Unread(judge.metrics, Tunnels()), tflow.ttcpflow()
    unread.tcp_start(flow)
    unread.tcp_message(flow)
    unread.tcp_end(flow)
    assert len(flow.messages) == 1
    assert registry.get_sample_value("sluice_uninspected_flows_total", {"reason": "tcp"}) == 1
    assert registry.get_sample_value("sluice_flows_closed_total", {"coverage": "none"}) == 1


def test_a_blocked_connection_does_not_pass_as_something_else(judge: Judge) -> None:
    tunnels, flow = Tunnels(), tflow.ttcpflow()
    record = FlowRecord(kind="tls", phase="connect", host="bad.example", time=5.0)
    tunnels.open(flow.client_conn).trace.add(judge.judge(lambda: record, "connect"))
    Unread(judge.metrics, tunnels).tcp_start(flow)
    assert flow.error is not None


def test_a_failure_is_counted(judge: Judge, registry: CollectorRegistry) -> None:
    Unread(judge.metrics, Tunnels()).websocket_message(tflow.tflow())
    assert registry.get_sample_value("sluice_failures_total", {"cause": "exception"}) == 1
