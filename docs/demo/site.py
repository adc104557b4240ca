"""A make-believe intranet for the README's transcripts: https://localhost:8443, certified by an authority of its own.

python docs/demo/site.py FOLDER      writes FOLDER/site-ca-cert.pem, then serves until stopped
"""

import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.x509 import DNSName
from mitmproxy.certs import CertStore

PORT = 8443
ROWS = b'[{"order": 1021, "region": "north", "total": 84}]\n'


class Site(BaseHTTPRequestHandler):
    """Answers everything alike, and writes no log."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """One row of orders."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ROWS)))
        self.end_headers()
        self.wfile.write(ROWS)

    def do_POST(self) -> None:
        """The same, whatever was sent."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the transcript clean."""


def certificate(folder: Path) -> Path:
    """Make an authority in `folder` and a certificate for localhost; returns the file with the latter and its key."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    entry = CertStore.from_store(folder, "site", 2048).get_cert("localhost", [DNSName("localhost")])
    key = entry.privatekey.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "localhost.pem"
    path.write_bytes(key + entry.cert.to_pem())
    return path


def main(folder: Path) -> None:
    """Serve until stopped."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(folder))
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Site)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(f"https://localhost:{PORT} answers", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
