"""mitmproxy's master, tuned through its own seams; what is changed inside of mitmproxy is in `patches`.

Measured on a request through the forward proxy (ratios to stock mitmdump; method in docs/decisions.md):

1. Stock walks ~37 addons for every hook; `Dispatch` remembers who listens and `ADDONS` are those a proxy needs (1.98x).
2. `patches.tune`: messages are not type-checked, hooks without tasks, look-ups in one step.
3. `gc.freeze` once everything is loaded removes pauses of 60 to 110 ms.
"""

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final

from mitmproxy import addons, exceptions, hooks, options
from mitmproxy.addonmanager import AddonManager, traverse
from mitmproxy.flow import Flow
from mitmproxy.master import Master

from classifier.errors import UserError
from proxy.leaves import Tls
from proxy.resumption import Sessions

log = logging.getLogger(__name__)

ASKED: Final = ("regular", "upstream")
"""mitmproxy's modes whose clients speak HTTP to a proxy."""

Hook = Callable[..., Any]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Dispatch(AddonManager):
    """Addons whose hooks are looked up once; the memory is dropped whenever an addon comes or goes."""

    def __init__(self, master: Master) -> None:
        super().__init__(master)
        self._listeners: dict[str, tuple[Hook, ...]] = {}

    def register(self, addon: Any) -> Any:
        """Add an addon's hooks."""
        self._listeners.clear()
        return super().register(addon)

    def add(self, *added: Any) -> None:
        """Add addons to the end of the chain."""
        super().add(*added)
        self._listeners.clear()

    def remove(self, addon: Any) -> None:
        """Remove an addon's hooks."""
        super().remove(addon)
        self._listeners.clear()

    def clear(self) -> None:
        """Remove all addons."""
        super().clear()
        self._listeners.clear()

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        """As stock; nobody is woken for an update that nobody hears."""
        await self.trigger_event(event)
        if self._hooks("update") and isinstance(message := event.args()[0], Flow):
            await self.trigger_event(hooks.UpdateHook([message]))

    async def trigger_event(self, event: hooks.Hook) -> None:
        """As stock: an addon's exception is logged and does not stop the others."""
        if (rest := self._run(event, iter(self._hooks(event.name)))) is not None:
            await rest

    def begin(self, event: hooks.Hook) -> Coroutine[Any, Any, None] | None:
        """As `handle_lifecycle`, as far as nobody has to be waited for; the rest is to be awaited, if there is any."""
        if self._hooks("update"):
            return self.handle_lifecycle(event)
        return self._run(event, iter(self._hooks(event.name)))

    def _run(self, event: hooks.Hook, listeners: Iterator[Hook]) -> Coroutine[Any, Any, None] | None:
        arguments = event.args()
        for hook in listeners:
            try:
                result = hook(*arguments)
            except exceptions.AddonHalt:
                return None
            except exceptions.OptionsError:
                raise
            except Exception as error:
                _failed(event, error)
            else:
                if result is not None and inspect.isawaitable(result):
                    return self._go_on(event, result, listeners)
        return None

    async def _go_on(self, event: hooks.Hook, pending: Awaitable[Any], listeners: Iterator[Hook]) -> None:
        try:
            await pending
        except exceptions.AddonHalt:
            return
        except exceptions.OptionsError:
            raise
        except Exception as error:
            _failed(event, error)
        if (rest := self._run(event, listeners)) is not None:
            await rest

    def _hooks(self, name: str) -> tuple[Hook, ...]:
        found = self._listeners.get(name)
        if found is None:
            listening = (getattr(addon, name, None) for addon in traverse(self.chain))
            found = self._listeners[name] = tuple(hook for hook in listening if callable(hook))
        return found


def _failed(event: hooks.Hook, error: Exception) -> None:
    log.exception("addon error in %s: %s", event.name, type(error).__name__)


class Core(Master):
    """A master that serves one explicit proxy. Raises UserError from `run` when it cannot listen."""

    def __init__(self, opts: options.Options) -> None:
        super().__init__(opts)
        self.addons = Dispatch(self)
        self.addons.add(*(make() for make in ADDONS))
        self.serving = asyncio.Event()

    def listening(self) -> tuple[str, int]:
        """Host and port of the proxy, of the first mode that has one."""
        host, port, *_ = self.addons.get("proxyserver").listen_addrs()[0]
        return host, port

    @property
    def connections(self) -> int:
        """Connections of clients that are open."""
        return len(self.addons.get("proxyserver").connections)

    def asked(self) -> tuple[str, int]:
        """Host and port where a client may ask for a proxy (HTTP), the first of them."""
        servers = self.addons.get("proxyserver").servers
        host, port, *_ = next(s for s in servers if s.mode.type_name in ASKED).listen_addrs[0]
        return host, port

    def tunnel(self) -> str:
        """What a WireGuard client needs to know, with its private key; empty where there is no such server."""
        servers = self.addons.get("proxyserver").servers
        return next((s.client_conf() or "" for s in servers if s.mode.type_name == "wireguard"), "")

    async def refuse(self) -> None:
        """Accept no more connections."""
        await self.addons.get("proxyserver").servers.update([])

    async def running(self) -> None:
        """Start serving, if listening succeeded."""
        for server in self.addons.get("proxyserver").servers:
            if server.last_exception is not None:
                problem = (str(server.last_exception).splitlines() or [type(server.last_exception).__name__])[0]
                raise UserError(f"the proxy cannot listen ({server.mode.full_spec}): {problem}")
        await super().running()
        self.serving.set()


ADDONS: Final[tuple[Callable[[], Any], ...]] = (
    addons.core.Core,
    addons.block.Block,  # without it `block_global` no longer keeps the proxy from being an open one
    addons.strip_dns_https_records.StripDnsHttpsRecords,
    addons.disable_h2c.DisableH2C,
    addons.proxyauth.ProxyAuth,
    addons.proxyserver.Proxyserver,
    addons.dns_resolver.DnsResolver,
    addons.next_layer.NextLayer,
    Tls,
    Sessions,
    addons.upstream_auth.UpstreamAuth,
    addons.update_alt_svc.UpdateAltSvc,
)
