"""A private nginx with ModSecurity v3 and the OWASP Core Rule Set, both from the distribution's packages.

It has a folder, a configuration and loopback ports of its own, reads nothing of a server that may run on the machine,
and ends with the block (and with this process, whatever ends that). Rules and their settings are as packaged, with
`SecRuleEngine On`: paranoia level 1, blocked from an anomaly score of 5. Passed requests are really proxied, to an
origin in the same nginx behind a socket file; it answers every one with 200.

    client ──▶ judged | timed | plain  ──▶ origin
"""

import contextlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from classifier.errors import UserError

PACKAGES: Final = "nginx libnginx-mod-http-modsecurity modsecurity-crs"
"""What brings the programs and files below on Debian and its relatives."""
PROGRAMS: Final = ("nginx", "setpriv")
MODULE: Final = Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
ENGINE: Final = Path("/etc/nginx/modsecurity.conf")
SETUP: Final = Path("/etc/modsecurity/crs/crs-setup.conf")
RULES: Final = Path("/usr/share/modsecurity-crs/rules")
LOW: Final = 1_000_001
"""Id of the rule that tells the anomaly score of what passes; ids of CRS lie below a million."""
START: Final = 30.0
"""Seconds until the rules are compiled; a loaded machine needs a few."""

_INITIAL: Final = RULES / "REQUEST-901-INITIALIZATION.conf"
_VERSION: Final = re.compile(r"ver:'OWASP_CRS/([0-9.]+)")

_ENGINE: Final = f"""\
Include {ENGINE}
SecRuleEngine On
SecAuditEngine Off
SecStatusEngine Off
SecTmpDir {{folder}}
SecDataDir {{folder}}
Include {SETUP}
Include {RULES}/REQUEST-*.conf
SecRule TX:ANOMALY_SCORE "@ge 1" "id:{LOW},phase:2,pass,log,msg:'score %{{{{tx.anomaly_score}}}}'"
Include {RULES}/RESPONSE-*.conf
"""
_SERVER: Final = f"""\
load_module {MODULE};
daemon off;
master_process off;
pid {{folder}}/pid;
error_log {{folder}}/start.log;
events {{{{ worker_connections 64; }}}}
http {{{{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_max_body_size 1m; client_body_buffer_size 64k; large_client_header_buffers 8 64k;
  keepalive_timeout 1d; keepalive_requests 10000;
  proxy_http_version 1.1; proxy_set_header Connection "";
  modsecurity on;
  modsecurity_rules_file {{folder}}/rules.conf;
  upstream origin {{{{ server unix:{{folder}}/origin; keepalive 3; }}}}
  server {{{{
    listen 127.0.0.1:{{judged}};
    error_log {{folder}}/judged.log info;
    location / {{{{ proxy_pass http://origin; }}}}
  }}}}
  server {{{{ listen 127.0.0.1:{{timed}}; location / {{{{ proxy_pass http://origin; }}}} }}}}
  server {{{{ listen 127.0.0.1:{{plain}}; modsecurity off; location / {{{{ proxy_pass http://origin; }}}} }}}}
  server {{{{
    listen unix:{{folder}}/origin;
    modsecurity off;
    default_type text/plain;
    location / {{{{ return 200 ok; }}}}
  }}}}
}}}}
"""


class Server(NamedTuple):
    """A running nginx: ports of 127.0.0.1, and what is written down of each request at `judged`.

    `judged` logs what the rules find, `timed` logs as nginx does by default, `plain` has no rules.
    """

    pid: int
    judged: int
    timed: int
    plain: int
    log: Path

    def processor_time(self) -> int:
        """Nanoseconds that it has used (`/proc/PID/schedstat`, proc(5))."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0])


def installed() -> None:
    """Raises UserError naming the packages where something is missing."""
    files = (MODULE, ENGINE, SETUP, _INITIAL)
    missing = [name for name in PROGRAMS if not _program(name)] + [str(path) for path in files if not path.is_file()]
    if missing:
        raise UserError(f"ModSecurity with CRS is not installed (no {missing[0]}): apt-get install {PACKAGES}")


def version() -> str:
    """The version of the Core Rule Set, such as `3.3.4`. Raises UserError."""
    installed()
    found = _VERSION.search(_INITIAL.read_text("utf-8", "replace"))
    return found[1] if found else "?"


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """Run it until the block ends. Raises UserError when it is not installed or does not start."""
    installed()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-crs-")))
        ports = _free_ports()
        (folder / "rules.conf").write_text(_ENGINE.format(folder=folder), "utf-8")
        (folder / "nginx.conf").write_text(_SERVER.format(folder=folder, **ports), "utf-8")
        process = stack.enter_context(_started(folder))
        _wait(process, folder, ports["judged"])
        yield Server(process.pid, log=folder / "judged.log", **ports)


@contextlib.contextmanager
def _started(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which the kernel ends too should this one be killed (prctl(2), PR_SET_PDEATHSIG)."""
    nginx, setpriv = str(_program("nginx")), str(_program("setpriv"))
    command = [setpriv, "--pdeathsig", "KILL", nginx, "-p", str(folder), "-e", "start.log", "-c", "nginx.conf"]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], folder: Path, port: int) -> None:
    deadline = time.monotonic() + START
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    said = (folder / "output").read_text("utf-8", "replace").strip().splitlines()
    raise UserError(f"nginx does not start: {said[-1] if said else 'it says nothing'}; apt-get install {PACKAGES}")


def _program(name: str) -> str | None:
    """Where a program is; a user's own path often lacks the folders of system programs."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")


def _free_ports() -> dict[str, int]:
    """Ports of 127.0.0.1 that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        probes = {name: stack.enter_context(socket.socket()) for name in ("judged", "timed", "plain")}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        return {name: probe.getsockname()[1] for name, probe in probes.items()}
