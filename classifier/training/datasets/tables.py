"""The six tables as files: their columns, and writing them so that a reader finds the old ones or the new."""

import os
from collections.abc import Iterable, Iterator
from itertools import batched
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from classifier.training.corpus import TABLES

_PAIRS: Final = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
_ANSWERS: Final = pa.list_(pa.struct([("type", pa.int32()), ("ttl", pa.int64()), ("value", pa.string())]))
_OTHER: Final[dict[str, Any]] = {
    **dict.fromkeys(("headers", "req_headers", "resp_headers"), _PAIRS),
    **dict.fromkeys(("body", "payload", "req_body", "resp_body"), pa.binary()),
    **dict.fromkeys(("ts", "duration"), pa.float64()),
    **dict.fromkeys(("server_port", "status", "qtype"), pa.int32()),
    **dict.fromkeys(("mixed_domain", "is_response"), pa.bool_()),
    "w_struct": pa.float32(),
    "resp_size": pa.int64(),
    "rcode": pa.int8(),
    "alpn": pa.list_(pa.string()),
    "answers": _ANSWERS,
}
"""The types of columns that are not text."""
_FLOW: Final = " label family source_file source_repo licence"
_COLUMNS: Final = {
    "requests": "method scheme host path headers body label original_label source licence split_hint group "
    "label_quality",
    "payloads": "payload label original_label source licence encoding context split_hint label_quality",
    "urls": "url kind label original_label source repository licence registered_domain split_hint mixed_domain "
    "w_struct",
    "transactions": "ts duration client server_port http_version method scheme host path req_headers req_body status "
    "resp_headers resp_body resp_size" + _FLOW,
    "handshakes": "ts client server_port sni alpn ja4" + _FLOW,
    "dns": "ts client is_response rcode qname qtype answers" + _FLOW,
}
SCHEMAS: Final = {
    table: pa.schema([(name, _OTHER.get(name, pa.string())) for name in columns.split()])
    for table, columns in _COLUMNS.items()
}
"""What `classifier.training.corpus` reads, and where a row came from."""
_BATCH: Final = 20_000


def write(out: Path, rows: dict[str, Iterable[dict[str, Any]]]) -> None:
    """Every table under `out`, an empty one where there are no rows. None is replaced before all are written."""
    drafts = []
    for table, path in TABLES.items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.tmp")
        drafts.append((draft, target))
        with pq.ParquetWriter(draft, SCHEMAS[table], compression="zstd") as writer:
            for batch in _batches(rows.get(table, ())):
                writer.write_table(pa.Table.from_pylist(batch, SCHEMAS[table]))
    for draft, target in drafts:
        os.replace(draft, target)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    yield from (list(batch) for batch in batched(rows, _BATCH))
