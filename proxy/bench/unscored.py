"""The variant `core`: the master of `sluice run` without the filter, as one process of the benchmark.

python -m proxy.bench.unscored PORT FOLDER      FOLDER holds its certificate authority; SIGTERM ends it
"""

import asyncio
import gc
import signal
import sys

from mitmproxy.options import Options

from proxy import core, patches


async def serve(port: int, folder: str) -> None:
    """Serve on loopback until told to stop."""
    patches.tune()
    master = core.Core(Options())
    master.options.update(listen_host="127.0.0.1", listen_port=port, confdir=folder)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, master.shutdown)
    running = asyncio.ensure_future(master.run())
    await asyncio.wait([running, asyncio.ensure_future(master.serving.wait())], return_when=asyncio.FIRST_COMPLETED)
    gc.collect()
    gc.freeze()
    await running


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
