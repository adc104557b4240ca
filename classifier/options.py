"""Options that several commands share, so that they read and behave alike."""

from pathlib import Path
from typing import Annotated, Final

import typer

State = Annotated[Path, typer.Option("--state", help="State directory.", envvar="SLUICE_STATE")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Config = Annotated[Path | None, typer.Option("--config", help="Configuration; ./sluice.toml where there is one.")]

STATE: Final = Path("state")
"""Default of `--state`."""
