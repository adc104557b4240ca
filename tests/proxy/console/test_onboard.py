import json
import plistlib

import pytest
from cryptography import x509

from proxy.console import onboard
from proxy.console.status import Status


@pytest.mark.parametrize(
    ("listen", "host", "proxy"),
    [
        ("127.0.0.1:8080", "gate.example:8081", "127.0.0.1:8080"),
        ("0.0.0.0:8080", "gate.example:8081", "gate.example:8080"),
        ("0.0.0.0:8080", "10.0.0.1", "10.0.0.1:8080"),
        ("[::]:8080", "[fd00::1]:8081", "[fd00::1]:8080"),
        ("0.0.0.0:8080", 'x"; alert(1)', "x:8080"),
        ("0.0.0.0:8080", '"; alert(1)', "0.0.0.0:8080"),
        ("0.0.0.0:8080", "sluice.internal", "0.0.0.0:8080"),
        ("", "", "127.0.0.1:8080"),
    ],
)
def test_the_proxys_address_as_a_client_reaches_it(status: Status, listen: str, host: str, proxy: str) -> None:
    status.listen = listen
    assert onboard.address(status, host) == proxy
    assert f'"PROXY {proxy}"' in onboard.pac(onboard.address(status, host))


def test_the_certificate_in_three_forms(status: Status) -> None:
    pem, der, profile = (onboard.file(f"/ca.{kind}", status, "") for kind in ("pem", "crt", "mobileconfig"))
    assert pem and der and profile
    found = x509.load_pem_x509_certificate(pem.content)
    assert x509.load_der_x509_certificate(der.content) == found
    payload = plistlib.loads(profile.content)["PayloadContent"][0]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert x509.load_der_x509_certificate(payload["PayloadContent"]) == found
    assert pem.headers == {"Content-Disposition": 'attachment; filename="sluice-ca.pem"'}


def test_wpad_is_the_pac_file(status: Status) -> None:
    pac = onboard.file("/proxy.pac", status, "")
    assert pac == onboard.file("/wpad.dat", status, "")
    assert pac and pac.kind == "application/x-ns-proxy-autoconfig" and pac.headers == {}
    assert onboard.file("/nothing", status, "") is None


@pytest.mark.parametrize(("scheme", "trusted"), [("http", False), ("https", True)])
def test_the_self_test_says_what_it_proves(scheme: str, trusted: bool) -> None:
    assert json.loads(onboard.check(scheme).content) == {"filtered": True, "certificate": trusted}


def test_the_page_names_the_proxy_and_the_fingerprint(status: Status) -> None:
    text = onboard.setup(status, "", console=False)
    assert "http://127.0.0.1:8080/proxy.pac" in text
    assert "Back to the console" not in text and "Back to the console" in onboard.setup(status, "", console=True)
    for tool in ("pip", "npm", "git", "curl", "Docker", "Java", "Firefox", "Windows", "Android", "macOS"):
        assert tool in text
