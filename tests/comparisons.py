"""A made-up result of `sluice finetune compare`: two sites, three controls, two strategies, two seeds."""

from typing import Any

from finetune.comparison.rows import Result, Row, SiteInfo

SITES = ("shop", "mail")
NAMES = ("incumbent", "n-gram", "from-scratch", "two-stage", "full+plain")
AREAS = dict(zip(NAMES, (0.9, 0.92, 0.7, 0.96, 0.5), strict=True))
ALARMS = dict(zip(NAMES, (0.2, 0.1, 0.6, 0.02, 0.8), strict=True))


def row(site: str = "shop", strategy: str = "two-stage", labels: int = 200, seed: int = 0, **fields: Any) -> Row:
    """A row; `fields` replace what is made up."""
    area, alarms = AREAS[strategy], ALARMS[strategy] * (1 + seed / 10)
    won = area - AREAS["incumbent"]
    trained = strategy not in ("incumbent", "n-gram")
    known: dict[str, Any] = {
        "labels_used": labels,
        "labels_hostile": 3,
        "site_auroc": area,
        "site_fpr_at_tpr": alarms,
        "site_fpr_at_tpr_low": alarms / 2,
        "site_fpr_at_tpr_high": min(1.0, alarms * 2),
        "site_gain": won,
        "site_gain_low": won - 0.01,
        "site_gain_high": won + 0.01,
        "transfer": "negative" if won < -0.01 else "positive" if won > 0.01 else "none",
        "forward_transfer": 0.4,
        "backward_transfer": -0.002,
        "base_auroc_drop": 0.002,
        "base_auroc_drop_low": 0.001,
        "base_auroc_drop_high": 0.003,
        "base_detection_drop": 0.01 if trained else None,
        "base_detection_drop_high": 0.015 if trained else None,
        "seconds": 12.0,
        "parameters_moved": 1806,
    }
    return Row(site=site, strategy=strategy, labels=labels, seed=seed, **{**known, **fields})


def info(site: str) -> SiteInfo:
    """What a site consists of."""
    return SiteInfo(
        site=site, digest="0" * 16, grouped_by="skeleton", learning=600, learning_hostile=9, held_harmless=400,
        held_hostile=0, grafts=300,
    )  # fmt: skip


RESULT = Result(
    rows=[row(site, name, labels, seed) for site in SITES for labels in (50, 200) for name in NAMES for seed in (0, 1)],
    sites=[info(site) for site in SITES],
    base="20260101-0123456789ab",
    detection=0.95,
    replay="synthetic",
    threads=1,
)
