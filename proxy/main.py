"""`sluice run`: settings to a running proxy, or one line that says why not.

prometheus_client decides at import whether values are shared between processes, so the environment is set here before
anything that imports it.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proxy import config, logs, state


def run(file: Path | None, folder: Path, options: Mapping[str, Mapping[str, Any]]) -> None:
    """Serve until told to stop. Raises UserError."""
    settings = config.load(file, options)
    state.prepare(folder)
    logs.configure()
    shared = state.metrics_folder(folder)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared)
    import asyncio

    from proxy.serve import serve

    try:
        asyncio.run(serve(settings, folder))
    finally:
        shutil.rmtree(shared, ignore_errors=True)
        (folder / "run" / f"trust-{os.getpid()}.pem").unlink(missing_ok=True)
