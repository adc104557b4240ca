"""Made-up repositories in the formats of the public sources: a few rows of every format, none of them copied.

They stand in for sources of the shipped manifest, so its paths, columns and rules are exercised too.
"""

import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.utils import wrpcap

_GET: Final = b"GET /a?b=c HTTP/1.1\r\nHost: camera.example\r\n\r\n"
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_REQUEST: Final = {"method": "GET", "url": "/shop?item=1", "headers": {"Host": "shop.example", "X-A": "b"}, "data": ""}
_ATTACK: Final = _REQUEST | {"url": "/?p=1%27%20or%201=1", "headers": {"Host": "shop.example"}}
_CASSETTE: Final = {
    "http_interactions": [
        {
            "request": {
                "method": "post",
                "uri": "https://api.example/v1/things",
                "body": {"encoding": "UTF-8", "string": '{"a":1}'},
                "headers": {"Accept": ["*/*"]},
            }
        }
    ]
}
_HAR: Final = {"log": {"entries": [{"request": {"method": "GET", "url": "https://page.example/x.js", "headers": []}}]}}
_LOG: Final = '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET {} HTTP/1.1" {} 12 "-" "Browser/1"\n'
_CSIC: Final = """GET http://localhost:8080/shop/a.jsp?id=1 HTTP/1.1
Host: localhost:8080
Cookie: S=1

POST http://localhost:8080/shop/b.jsp HTTP/1.1
Host: localhost:8080

id=1%27+or+1%3D1--+

"""
_NUCLEI: Final = """id: made-up-sqli
info: {name: Made up, tags: sqli}
http:
  - method: GET
    path: ["{{BaseURL}}/a.php?id=1'+union+select+{{num}}--"]
  - raw:
      - |
        @timeout: 5s
        POST /b.php HTTP/1.1
        Host: {{Hostname}}

        cb={{interactsh-url}}
"""
_AFROG: Final = """id: made-up
info: {name: made-up file read}
rules:
  r0: {request: {method: GET, path: "/x?f=../../etc/passwd"}}
"""

TEXTS: Final[dict[str, str]] = {
    "client9__libinjection/data/sqli-made.txt": "1' or 1=1 --\n# a line of its own\n",
    "client9__libinjection/data/false_positives.txt": "rock and roll\n",
    "opendns__public-domain-lists/opendns-top-domains.txt": (
        "# names\nGood.example.com\nwww.other.example.net\nbad.example.org\n"
    ),
    "durablenapkin__scamblocklist/hosts.txt": "127.0.0.1 localhost\n0.0.0.0 scam.example.com # seen\n",
    "brave__adblock-rust/data/easylist.to/easylist/easylist.txt": (
        "! list\n||ads.example.com^\n||ads.example.net/banner/$third-party\n@@||fine.example^\n##.ad\n"
        "||x.example^$domain=y\n"
    ),
    "v2fly__domain-list-community/data/shop": (
        "include:other\nshop.example.org\nfull:pay.example.org @ads # note\nregexp:a\n"
    ),
    "ScoopInstaller__Main/bucket/tool.json": '{"url": "https://tool.example.com/v1/tool.zip#/x", "b": "http://x.example.org/"}',
    "payloadbox__command-injection-payload-list/README.md": "# List\n```\n; id\n| cat /etc/passwd\n```\nend\n",
    "tldr-pages__tldr/pages/common/made.md": "# made\n\n> A tool.\n\n- Show all:\n\n`made --all {{file}}`\n",
    "sqlfluff__sqlfluff/test/fixtures/dialects/ansi/made.sql": "SELECT a\nFROM b\n",
    "Morzeux__HttpParamsDataset/payload_full.csv": (
        'payload,length,attack_type,label\nhello,5,norm,norm\n"a,<b>",3,xss,anom\nshort\n'
    ),
    "citizenlab__test-lists/lists/xx.csv": (
        "url,category_code\nhttps://news.example.com/,NEWS\nhttp://bad.example.org/x,MALW\n"
    ),
    "stamparm__blackbook/blackbook.csv": "Domain,Malware\nc2.example.org,made\nbad.example.org,made\n",
    "GoogleChrome__lighthouse/a/b.devtoolslog.json": json.dumps(
        [{"params": {"request": {"url": "https://page.example.com/a?b=1"}}}, {"method": "x"}]
    ),
    "polkadot-js__phishing/all.json": json.dumps({"allow": ["ok.example.com"], "deny": ["fake.example.com"]}),
    "tuannm99__waf-comparison-project-resource/Legitimate/a.json": json.dumps([_REQUEST, _REQUEST, {"url": "/"}]),
    "octokit__octokit.rb/spec/cassettes/a/b.json": json.dumps(_CASSETTE),
    "elastic__examples/Common Data Formats/apache_logs/apache_logs": _LOG.format("/blog?x=1", 200) + "?\n",
    "ocatak__apache-http-logs/w3af.txt": _LOG.format("/old.bak", 404)
    + _LOG.format("/?q=<script>alert(1)</script>", 200),
    "team-missing-one__csic-2010-classifier/csic/norm_test.txt": _CSIC.partition("POST")[0],
    "team-missing-one__csic-2010-classifier/csic/anomal_test.txt": _CSIC,
    "20142995__nuclei-templates/nuclei-templates/cves/a.yaml": _NUCLEI,
    "20142995__nuclei-templates/nuclei-templates/broken.yaml": "id: [",
    "zan8in__afrog/pocs/a.yaml": _AFROG,
    "microsoft__playwright/tests/a.har": json.dumps(_HAR),
}
"""Content by place in a folder for `--from`."""


def write(folder: Path) -> Path:
    """All repositories in `folder`; one is an archive as git makes it."""
    for name, content in TEXTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    with zipfile.ZipFile(folder / "tuannm99__waf-comparison-project-resource/malicious.zip", "w") as archive:
        archive.writestr("Malicious/sqli.json", json.dumps([_ATTACK]))
    capture = folder / "andypitcher__IoT_Sentinel/captures/camera.pcap"
    capture.parent.mkdir(parents=True)
    write_capture(capture)
    (folder / "eset__malware-ioc").mkdir()
    pack(folder / "hanhvxhou__JISIS-WBDGA-Detection.tar.gz", {"wordBased/made.txt": b"greenhouse.example.com\n"})
    return folder


def pack(path: Path, files: dict[str, bytes], commit: str = "") -> Path:
    """An archive in which one folder holds everything, and which says its commit as git's do."""
    headers = {"comment": commit} if commit else {}
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, pax_headers=headers) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"repository-1/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_capture(path: Path) -> None:
    """A capture of one web request and one name looked up."""
    there, back = IP(src="192.0.2.1", dst="192.0.2.2"), IP(src="192.0.2.2", dst="192.0.2.1")
    question = DNS(id=1, rd=1, qd=DNSQR(qname="camera.example"))
    answer = DNS(id=1, qr=1, qd=DNSQR(qname="camera.example"), an=DNSRR(rrname="camera.example", rdata="192.0.2.9"))
    packets = [
        there / UDP(sport=5000, dport=53) / question,
        back / UDP(sport=53, dport=5000) / answer,
        there / TCP(sport=4000, dport=80, flags="S", seq=9),
        back / TCP(sport=80, dport=4000, flags="SA", seq=9),
        there / TCP(sport=4000, dport=80, flags="PA", seq=10) / _GET,
        back / TCP(sport=80, dport=4000, flags="PA", seq=10) / _OK,
    ]
    for second, packet in enumerate(packets):
        packet.time = 1000.0 + second
    wrpcap(str(path), packets)
