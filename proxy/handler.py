"""One client's connection, in mitmproxy's stead: a hook that nobody waits in is run at once.

Stock makes a task of each of the four hooks that a request has; the task then waits for a lock, and the loop goes round
before the request goes on. Here the layers go on at once, and what they send meanwhile goes out in one system call.
Whatever else they say is done as stock does it, in the same order.
"""

# mitmproxy's own functions are mostly untyped.
# mypy: disable-error-code="no-untyped-call"

import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from mitmproxy.connection import Connection
from mitmproxy.flow import Flow
from mitmproxy.hooks import Hook
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler
from mitmproxy.proxy.server import ConnectionIO
from mitmproxy.utils import asyncio_utils

Unsent = dict[Connection, list[bytes]]


class Handler(ProxyConnectionHandler):
    """One client's connection. Does what stock does, in the same order."""

    async def server_event(self, event: events.Event) -> None:
        """Let the layers see an event, and do what they say."""
        async with self._server_event_lock:  # no `await` beyond this point
            self.timeout_watchdog.register_activity()
            waiting = deque([event])
            unsent: Unsent = {}
            while waiting:
                try:
                    self._do(waiting.popleft(), waiting, unsent)
                except Exception:
                    self.log("mitmproxy has crashed!", logging.ERROR, exc_info=True)
            try:
                for connection in list(unsent):
                    self._send(connection, unsent)
            except Exception:
                self.log("mitmproxy has crashed!", logging.ERROR, exc_info=True)

    def _do(self, event: events.Event, waiting: deque[events.Event], unsent: Unsent) -> None:
        for command in self.layer.handle_event(event):
            if isinstance(command, commands.SendData):
                if command.connection.transport_protocol == "tcp":
                    unsent.setdefault(command.connection, []).append(command.data)
                elif command.connection in self.transports:  # a datagram is sent as it is
                    self._write(command.connection, command.data)
            elif isinstance(command, commands.StartHook):
                if self._begin(command) and command.blocking:
                    waiting.append(events.HookCompleted(command))
            else:
                if isinstance(command, commands.ConnectionCommand):
                    self._send(command.connection, unsent)
                self._obey(command)

    def _begin(self, hook: commands.StartHook) -> bool:
        """Run a hook; whether it is over already. Otherwise a task sees it to its end."""
        (data,) = hook.args()
        begin: Callable[[Hook], Coroutine[Any, Any, None] | None] | None
        begin = getattr(self.master.addons, "begin", None)
        rest = begin(hook) if begin else self.master.addons.handle_lifecycle(hook)
        if rest is None and not (isinstance(data, Flow) and data.intercepted):
            return True
        asyncio_utils.create_task(
            self._wait(hook, data, rest),
            name=f"handle_hook({hook.name})",
            keep_ref=True,
            client=self.client.peername,
        )
        return False

    async def _wait(self, hook: commands.StartHook, data: Any, rest: Coroutine[Any, Any, None] | None) -> None:
        with self.timeout_watchdog.disarm():
            if rest is not None:
                await rest
            if isinstance(data, Flow):
                await data.wait_for_resume()
        if hook.blocking:
            await self.server_event(events.HookCompleted(hook))

    def _send(self, connection: Connection, unsent: Unsent) -> None:
        data = unsent.pop(connection, None)
        if data and connection in self.transports:
            self._write(connection, data[0] if len(data) == 1 else b"".join(data))

    def _write(self, connection: Connection, data: bytes) -> None:
        writer = self.transports[connection].writer
        assert writer
        if not writer.is_closing():
            writer.write(data)

    def _obey(self, command: commands.Command) -> None:
        """What is seldom."""
        if isinstance(command, commands.OpenConnection):
            assert command.connection not in self.transports
            handler = asyncio_utils.create_task(
                self.open_connection(command),
                name=f"server connection handler {command.connection.address}",
                keep_ref=False,
                client=self.client.peername,
            )
            self.transports[command.connection] = ConnectionIO(handler=handler)
        elif isinstance(command, commands.RequestWakeup):
            task = asyncio_utils.create_task(
                self.wakeup(command),
                name=f"wakeup timer ({command.delay:.1f}s)",
                keep_ref=False,
                client=self.client.peername,
            )
            self.wakeup_timer.add(task)
        elif isinstance(command, commands.ConnectionCommand) and command.connection not in self.transports:
            pass  # closed already
        elif isinstance(command, commands.CloseTcpConnection):
            self.close_connection(command.connection, command.half_close)
        elif isinstance(command, commands.CloseConnection):
            self.close_connection(command.connection, False)
        elif isinstance(command, commands.Log):
            self.log(command.message, command.level)
        else:
            raise RuntimeError(f"Unexpected command: {command}")
