"""How many clients there are, from the captures alone."""

import contextlib
from pathlib import Path

import pyarrow as pa

from classifier.segments import batches


def clients(folder: Path, since: float) -> int:
    """Different clients of flows captured since `since` (Unix seconds); what cannot be read does not count."""
    found: set[str] = set()
    for path in folder.glob("date=*/proxy=*/*"):
        if path.suffix in (".parquet", ".arrows") and path.stat().st_mtime >= since:
            with contextlib.suppress(OSError, pa.ArrowException, KeyError):
                for batch in batches(path, ("client", "time")):
                    pairs = zip(batch.column("client").to_pylist(), batch.column("time").to_pylist(), strict=True)
                    found |= {client for client, moment in pairs if client and moment >= since}
    return len(found)
