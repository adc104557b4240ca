"""How fast files are read, beside tshark: `python -m classifier.importers.speed [--packets N] FILE…`.

A short capture is read as a long one: its conversations are repeated, each time between other addresses, so that they
are new to either reader. tshark prints the fields that our records hold; what it takes to start is subtracted.
"""

import argparse
import itertools
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from classifier import importers
from classifier.importers import frames
from classifier.importers.frames import Damaged, Frame
from classifier.importers.packets import LINKS
from classifier.records import FlowRecord

PACKETS: Final = 100_000
SECONDS: Final = 2.0
"""How long a file that is no capture is read over and over."""
_FIELDS: Final = (
    "frame.time_epoch ip.src tcp.srcport ip.dst tcp.dstport http.request.method http.host http.request.uri "
    "http.user_agent http.response.code http.content_type http2.headers.path http2.headers.status "
    "tls.handshake.extensions_server_name tls.handshake.ja3 dns.qry.name dns.flags.rcode dns.a"
).split()
_FILTER: Final = "http or http2 or tls.handshake.type == 1 or dns"
_HEADER: Final = struct.Struct("<IHHIIII")
_PACKET: Final = struct.Struct("<IIII")
_MAGIC: Final = 0xA1B2C3D4


class Speed(NamedTuple):
    """What a reading took: seconds for `records` flows out of `packets` packets (0 where there are none)."""

    records: int
    packets: int
    seconds: float


def ours(file: Path, packets: int = 0, least: float = 0.0) -> Speed:
    """Our reading of a file that holds so many packets, repeated until `least` seconds have passed."""
    begun, rounds, count = time.perf_counter(), 0, 0
    while not rounds or time.perf_counter() - begun < least:
        count += sum(isinstance(each, FlowRecord) for each in importers.read(file))
        rounds += 1
    return Speed(count, packets * rounds, time.perf_counter() - begun)


def theirs(tshark: str, file: Path, packets: int) -> Speed:
    """tshark's reading of a capture."""
    fields = [word for name in _FIELDS for word in ("-e", name)]
    begun = time.perf_counter()
    done = subprocess.run(
        [tshark, "-n", "-r", str(file), "-Y", _FILTER, "-T", "fields", *fields], capture_output=True, check=False
    )
    return Speed(done.stdout.count(b"\n"), packets, time.perf_counter() - begun)


def repeated(source: Iterable[Frame], packets: int) -> Iterator[Frame]:
    """At least so many frames: those of `source` again and again, each time later and between other addresses."""
    found = list(source)
    span = max((frame.time for frame in found), default=0.0) - min((frame.time for frame in found), default=0.0) + 1.0
    for number in range(-(-packets // len(found)) if found else 0):
        for frame in found:
            yield Frame(frame.time + number * span, frame.link, _moved(frame, number))


def write(path: Path, source: Iterable[Frame]) -> int:
    """Write frames of one link type as a capture; how many there were."""
    stream = iter(source)
    first = next(stream, None)
    with path.open("wb") as file:
        file.write(_HEADER.pack(_MAGIC, 2, 4, 0, 0, 262_144, first.link if first else 1))
        return sum(_put(file, frame) for frame in (itertools.chain([first], stream) if first else ()))


def _put(file: BinaryIO, frame: Frame) -> int:
    moment = int(frame.time), int(frame.time % 1 * 1_000_000)
    file.write(_PACKET.pack(*moment, len(frame.data), len(frame.data)) + frame.data)
    return 1


def _moved(frame: Frame, number: int) -> bytes:
    """A frame between other addresses: `number` is mixed into both."""
    data = bytearray(frame.data)
    try:
        start = len(data) - len(LINKS[frame.link](frame.data))
        places, size = ((12, 16), 4) if data[start] >> 4 == 4 else ((8, 24), 16)
        for place in places:
            middle = start + place + size - 3
            data[middle : middle + 2] = (int.from_bytes(data[middle : middle + 2]) ^ number & 0xFFFF).to_bytes(2)
    except (LookupError, struct.error):
        return frame.data
    return bytes(data)


def _line(name: str, mine: Speed, other: Speed | None) -> str:
    said = f"{name:<36} {mine.records / mine.seconds:>10,.0f} records/s"
    if mine.packets:
        said += f" {mine.packets / mine.seconds:>12,.0f} packets/s"
    if other:
        said += f"  tshark {other.packets / other.seconds:>10,.0f} packets/s  {other.seconds / mine.seconds:.1f} times"
    return said


def _capture(path: Path, packets: int, tshark: str | None, folder: Path) -> str:
    long, empty = folder / "long.pcap", folder / "empty.pcap"
    write(empty, ())
    with importers.open_file(path) as file:
        count = write(long, repeated(_readable(frames.read(file)), packets))
    if not count:
        return f"{path.name:<36} no packets"
    mine = ours(long, count)
    if tshark is None:
        return _line(path.name, mine, None)
    start = theirs(tshark, empty, 0).seconds
    other = theirs(tshark, long, count)
    return _line(path.name, mine, other._replace(seconds=max(other.seconds - start, 1e-3)))


def _readable(source: Iterator[Frame]) -> Iterator[Frame]:
    try:
        yield from source
    except Damaged:
        return


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each file."""
    parser = argparse.ArgumentParser(description="How fast files are read, beside tshark where it is installed.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--packets", type=int, default=PACKETS, help="least packets that a capture is made to have")
    told = parser.parse_args(arguments)
    tshark = shutil.which("tshark")
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        for path in told.files:
            with importers.open_file(path) as file:
                kind = importers.sniff(file, path.name)
            line = _capture(path, told.packets, tshark, Path(folder)) if kind == "pcap" else ""
            print(line or _line(path.name, ours(path, least=SECONDS), None), flush=True)


if __name__ == "__main__":
    main()
