"""The variant `crs`: nginx with ModSecurity v3 and the OWASP Core Rule Set, from the distribution's packages.

Rules and settings are as packaged. The engine judges every request and response and stops none (`DetectionOnly`), as
the scored variant does in monitor mode: a request that it refused would cost it less. One process, as one worker.
"""

import shutil
from pathlib import Path
from typing import Final

PACKAGES: Final = "nginx libnginx-mod-http-modsecurity modsecurity-crs"
MODULE: Final = Path("/usr/lib/nginx/modules/ngx_http_modsecurity_module.so")
ENGINE: Final = Path("/etc/nginx/modsecurity.conf")
SETUP: Final = Path("/etc/modsecurity/crs/crs-setup.conf")
RULES: Final = Path("/usr/share/modsecurity-crs/rules")

_RULES: Final = f"""\
Include {ENGINE}
SecRuleEngine DetectionOnly
SecAuditEngine Off
SecStatusEngine Off
SecTmpDir {{folder}}
SecDataDir {{folder}}
Include {SETUP}
Include {RULES}/*.conf
"""
_SERVER: Final = f"""\
load_module {MODULE};
daemon off;
master_process off;
pid {{folder}}/pid;
error_log {{folder}}/nginx.log crit;
events {{{{ worker_connections 1024; }}}}
http {{{{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  client_max_body_size 1m; client_body_buffer_size 64k; large_client_header_buffers 8 64k;
  keepalive_requests 1000000;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
  modsecurity on;
  modsecurity_rules_file {{folder}}/rules.conf;
  upstream origin {{{{ server {{origin}}; keepalive 64; }}}}
  server {{{{ listen 127.0.0.1:{{port}}; location / {{{{ proxy_pass http://origin; }}}} }}}}
}}}}
"""


def missing() -> str:
    """Which of what it needs is not installed; empty when all is."""
    if nginx() is None:
        return "nginx"
    return next((str(path) for path in (MODULE, ENGINE, SETUP, RULES) if not path.exists()), "")


def nginx() -> str | None:
    """The program, which a user's path may lack."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def command(folder: Path, port: int, origin: str) -> list[str]:
    """Write the configuration to `folder`; how to serve `port` of loopback and pass on to `origin` (HOST:PORT)."""
    (folder / "rules.conf").write_text(_RULES.format(folder=folder), "utf-8")
    (folder / "nginx.conf").write_text(_SERVER.format(folder=folder, port=port, origin=origin), "utf-8")
    return [nginx() or "nginx", "-p", str(folder), "-e", "start.log", "-c", "nginx.conf"]
