"""How good a model is, source by source: `sluice evaluate`.

    examples ── judge (`measure`, `systems`, `baseline`, `crs`) ──▶ scores ── `sources`, `phases`, `compare`,
    `evasions` ──▶ figures ── `targets` ──▶ terminal (`report`), page (`page`, `plots`), model card (`card`)

`judging` is the run from the first to the last step; `modern` is harmless traffic that is never trained on.
"""
