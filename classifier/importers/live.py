"""Packets as they pass an interface: scapy's listening socket with a filter in the kernel, the assembler of captures.

with Sniffer("eth0", "tcp port 80") as sniffer:
    for record in watch(sniffer, stopped): ...
"""

import contextlib
import logging
import select
import struct
import time
from collections.abc import Callable, Iterator
from socket import if_nameindex
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

import msgspec

from classifier.errors import UserError
from classifier.importers.fragments import Fragments
from classifier.importers.frames import Frame
from classifier.importers.packets import LINKS, decode
from classifier.importers.pcap import Flows
from classifier.records import FlowRecord

TICK: Final = 0.5
"""Seconds after which somebody who waits for packets looks whether to stop."""
BATCH: Final = 500
"""Frames taken at once."""
_BUFFER: Final = 16 * 1024 * 1024
"""Bytes of packets that the kernel keeps for us, as far as it allows."""
_RAW_IP: Final = 101
_STATISTICS: Final = (263, 6)
"""SOL_PACKET, PACKET_STATISTICS (packet(7)): two unsigned integers, packets and drops since it was last asked."""


class Sniffer:
    """An interface to listen on. `seen` and `dropped` count packets; what the kernel had no room for was dropped.

    Raises UserError for an interface that is not there, a filter that is none, and without the right to listen.
    """

    def __init__(self, interface: str, bpf: str = "") -> None:
        self.seen = self.dropped = 0
        self._socket = _open(interface, bpf)
        self._last = b""

    def frames(self) -> list[Frame]:
        """What has come, at most `BATCH` frames; after `TICK` seconds without any, none."""
        found: list[Frame] = []
        wait = TICK
        while len(found) < BATCH and select.select([self._socket], [], [], wait)[0]:
            layer, data, moment = self._socket.recv_raw()
            wait = 0.0
            # The loopback interface shows each packet twice, as it leaves and as it arrives.
            if data and data != self._last:
                found.append(Frame(float(moment or time.time()), _link(layer), data))
                self._last = data
        self.seen += len(found)
        self._count_drops()
        return found

    def _count_drops(self) -> None:
        with contextlib.suppress(OSError, AttributeError, struct.error):  # Linux alone tells
            self.dropped += struct.unpack("II", self._socket.ins.getsockopt(*_STATISTICS, 8))[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()


def watch(sniffer: Sniffer, stopped: Callable[[], bool]) -> Iterator[FlowRecord | None]:
    """The flows that pass by until `stopped`, then those under way; None after each look at the interface."""
    flows, fragments = Flows(), Fragments()
    swept = time.time()
    while not stopped():
        for packet in decode(sniffer.frames(), fragments):
            yield from map(_named, flows.feed(packet))
        if time.time() - swept > 1.0:
            swept = time.time()
            yield from map(_named, flows.expire(swept))
        yield None
    yield from map(_named, flows.finish())


def _named(record: FlowRecord) -> FlowRecord:
    return msgspec.structs.replace(record, id=uuid4().hex)


def _open(interface: str, bpf: str) -> Any:
    import scapy.arch  # makes the sockets known
    import scapy.layers.inet  # and these the links
    import scapy.layers.l2  # noqa: F401
    from scapy.config import conf
    from scapy.error import Scapy_Exception

    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # what it has to say, we say ourselves
    conf.bufsize = _BUFFER
    known = [name for _, name in if_nameindex()]
    if interface not in known:
        raise UserError(f"no interface {interface}; there is {', '.join(known) or 'none'}")
    try:
        socket: Any = conf.L2listen(iface=interface, filter=bpf or None)
    except PermissionError:
        raise UserError(
            f"listening on {interface} needs a right: run as root, or give it to the interpreter with "
            "`setcap cap_net_raw+ep`"
        ) from None
    except Scapy_Exception as error:
        raise UserError(f"--filter {bpf!r} is no filter for {interface}: {error}") from None
    except OSError as error:
        raise UserError(f"cannot listen on {interface}: {error.strerror or error}") from None
    if _link(socket.LL) not in LINKS:
        socket.close()
        raise UserError(f"packets of {interface} ({socket.LL.__name__}) are not understood")
    return socket


def _link(layer: Any) -> int:
    """scapy's class of a frame as a link type."""
    from scapy.config import conf

    return int(conf.l2types.layer2num.get(layer, _RAW_IP if layer.__name__ in ("IP", "IPv6") else -1))
