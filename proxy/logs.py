"""One line a message on stderr: structlog renders what stdlib loggers are given. No flow's contents are ever logged."""

import logging
import sys

import structlog


def configure() -> None:
    """Set up logging for the process."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # mitmproxy tells of every connection, with addresses and pieces of traffic.
    for name in ("mitmproxy", "hpack", "h2", "quic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ("uvicorn", "watchfiles", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
