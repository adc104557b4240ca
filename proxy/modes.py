"""How traffic comes to the proxy: `[proxy] modes`, in mitmproxy's own words.

    regular, upstream:URL    clients ask for a proxy (HTTP)
    socks5                   clients ask for a proxy (SOCKS)
    reverse:URL              the proxy stands for one site
    transparent              a gateway redirects to it (deploy/nftables)
    wireguard, local         a tunnel, or programs of this machine

A mode without `@PORT` listens where `proxy.listen` says. All workers take connections from there; of another TCP port
each opens its own (SO_REUSEPORT). A tunnel and the machine's programs can have one worker only.
"""

from collections.abc import Sequence

from mitmproxy.exceptions import OptionsError
from mitmproxy.options import Options

from classifier.errors import UserError
from proxy import core, patches
from proxy.values import Address


def master(modes: Sequence[str], addons: Sequence[object], *, listen: Address, confdir: str, trusted: str) -> core.Core:
    """mitmproxy as the settings want it, not yet listening; `trusted` certifies origins. Raises UserError."""
    patches.tune()
    made = core.Core(Options())
    made.addons.add(*addons)
    try:
        made.options.update(
            listen_host=listen.host,
            listen_port=listen.port,
            mode=specs(modes),
            confdir=confdir,
            ssl_verify_upstream_trusted_ca=trusted,
        )
    except OptionsError as error:
        raise UserError(f"proxy.modes: {error}; give each mode a port of its own, as in socks5@1080") from None
    return made


def asked(modes: Sequence[str]) -> bool:
    """Whether clients may ask for a proxy (HTTP)."""
    return any(mode.startswith(core.ASKED) for mode in modes)


def specs(modes: Sequence[str]) -> list[str]:
    """The modes, with a port on loopback for the heartbeat alone where clients have none to ask for a proxy."""
    return [*modes, *([] if asked(modes) else ["regular@127.0.0.1:0"])]


def place(modes: Sequence[str], running: core.Core) -> tuple[str, str]:
    """Where clients come to, HOST:PORT, and the same for people."""
    if asked(modes):
        listen = str(Address(*running.asked()))
        return listen, f"http://{listen}"
    listen = str(Address(*running.listening()))
    return listen, f"{listen} ({modes[0].partition('@')[0]})"
