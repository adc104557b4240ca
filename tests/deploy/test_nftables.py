"""nft reads the example; where it may, two network namespaces try it: a client that knows of no proxy is filtered."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import SLUICE, publish
from needs import ROOT, require

FILE = ROOT / "deploy/nftables/transparent.nft"
GATEWAY = """
set -eu
ip link set lo up
unshare -n sleep 600 & client=$!
trap 'kill $client $origin $tls $proxy 2>/dev/null || true; wait' EXIT
while test "$(readlink /proc/$client/ns/net)" = "$(readlink /proc/self/ns/net)"; do sleep 0.05; done
ip link add lan0 type veth peer name up0
ip link set up0 netns $client
ip address add 192.0.2.1/24 dev lan0
ip link set lan0 up
ip address add 198.51.100.7/32 dev lo
inside() { nsenter --net=/proc/$client/ns/net "$@"; }
inside ip link set lo up
inside ip address add 192.0.2.2/24 dev up0
inside ip link set up0 up
inside ip route add default via 192.0.2.1
"$NFT" -f "$FILE"
mkdir -p site && echo hello > site/index.html
"$PYTHON" -m http.server --directory site --bind 198.51.100.7 80 > origin.log 2>&1 & origin=$!
openssl req -x509 -newkey rsa:2048 -nodes -keyout site.key -out site.pem -days 2 -subj /CN=shop.example \\
  -addext subjectAltName=DNS:shop.example 2> openssl.log
openssl s_server -accept 198.51.100.7:443 -cert site.pem -key site.key -www > tls.log 2>&1 & tls=$!
"$SLUICE" run --config sluice.toml --state state --admin 127.0.0.1:8081 > proxy.log 2>&1 & proxy=$!
until curl --silent --fail --output ready http://127.0.0.1:8081/-/ready; do kill -0 $proxy; sleep 0.2; done
ask() { inside curl --silent --max-time 20 --resolve shop.example:80:198.51.100.7 --write-out '%{http_code}\\n' "$@"; }
ask --output calm http://shop.example/
ask --output attack "http://shop.example/?q='"
ask --output other http://198.51.100.7/ --header 'Host: blocked.example'
secure() { ask --cacert state/ca/mitmproxy-ca-cert.pem --resolve shop.example:443:198.51.100.7 --output "$@"; }
secure tls-calm https://shop.example/
secure tls-attack "https://shop.example/?q='"
ask --output direct --max-time 2 http://192.0.2.1:8082/ || true
curl --silent http://127.0.0.1:8081/metrics > metrics
"""


def test_nft_can_read_the_example() -> None:
    program = require("nft")
    done = subprocess.run([program, "-c", "-f", str(FILE)], capture_output=True, text=True)
    if "Operation not permitted" in done.stderr:
        pytest.skip("nft may not ask the kernel here (CAP_NET_ADMIN)")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the script has left what a redirected client was answered."""
    tools = {name: require(name) for name in ("nft", "ip", "nsenter", "curl", "openssl")}
    if (
        os.geteuid()
        or subprocess.run(["unshare", "-n", tools["nft"], "list", "ruleset"], capture_output=True).returncode
    ):
        pytest.skip("network namespaces with nftables need root")
    folder = tmp_path_factory.mktemp("gateway")
    publish(folder / "state", folder / "model")
    rule = '[[policy.rules]]\nname = "not there"\nhost = "blocked.example"\naction = "block"\n'
    modes = 'upstream_ca = "site.pem"\nmodes = ["transparent@0.0.0.0:8082"]\nheartbeat = "off"\n'
    (folder / "sluice.toml").write_text(f'[proxy]\n{modes}[policy]\nmode = "enforce"\n{rule}')
    variables = os.environ | {
        "NFT": tools["nft"],
        "FILE": str(FILE),
        "PYTHON": shutil.which("python3") or "python3",
        "SLUICE": SLUICE[0],
    }
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", GATEWAY], cwd=folder, env=variables, capture_output=True, text=True, timeout=180
    )
    log = (folder / "proxy.log").read_text() if (folder / "proxy.log").exists() else ""
    assert done.returncode == 0, done.stdout + done.stderr + log
    (folder / "codes").write_text(done.stdout)
    return folder


def test_a_client_that_knows_of_no_proxy_is_filtered(tried: Path) -> None:
    codes = (tried / "codes").read_text().split()
    assert codes[:2] == ["200", "403"]
    assert (tried / "calm").read_text() == "hello\n"


def test_so_is_what_it_asks_for_over_tls(tried: Path) -> None:
    assert (tried / "codes").read_text().split()[3:5] == ["200", "403"]


def test_rules_hold_for_the_name_that_the_client_gave(tried: Path) -> None:
    assert (tried / "codes").read_text().split()[2] == "403"


def test_nobody_reaches_the_port_itself(tried: Path) -> None:
    assert (tried / "codes").read_text().split()[5] == "000"


def test_what_was_redirected_is_counted_like_any_flow(tried: Path) -> None:
    assert (
        'sluice_flows_total{action="block",enforced="true",label="sqli",phase="request"} 2.0'
        in (tried / "metrics").read_text()
    )
