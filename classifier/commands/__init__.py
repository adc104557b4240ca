"""Commands that need no policy and no torch: `sluice score`, `sluice capture`, `sluice label`, `sluice model`.

Each module offers `register(app)` and imports what is heavy inside its functions.
"""

import typer

from classifier.commands import capture, label, model, score


def register(app: typer.Typer) -> None:
    """Add this package's commands to the root."""
    for module in (score, capture, label, model):
        module.register(app)
