"""Operating points of a candidate: the incumbent's, raised where the candidate's own harmless rows say so. Pure.

A few hundred harmless rows cannot prove a threshold for one false positive in ten thousand, and synthetic ones
would put it far too low. So a point only ever rises: to the order statistic of the candidate's scores where the
rows support the rate (Neyman-Pearson classification, Tong et al. 2018), and never below a laxer rate's point.
Temperatures are parameters that no strategy moves, so scores stay comparable.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from classifier.card import OperatingPoint, OperatingPoints
from classifier.evaluate import threshold_at_fpr
from classifier.thresholds import THREAT
from finetune.acceptance import supports

RATES: Final = ("0.01", "0.001", "0.0001")


def raised(points: OperatingPoints, harmless: Mapping[str, npt.NDArray[np.float64]]) -> OperatingPoints:
    """`points` with the threat points of each kind/phase raised by `harmless`, its candidate's threats [N]."""
    return {
        key: {**named, THREAT: _raised(named[THREAT], harmless.get(key))} if THREAT in named else named
        for key, named in points.items()
    }


def _raised(points: Mapping[str, OperatingPoint], threats: npt.NDArray[np.float64] | None) -> dict[str, OperatingPoint]:
    count = 0 if threats is None else len(threats)
    found: dict[str, OperatingPoint] = {}
    floor = 0.0
    for rate in RATES:
        if rate not in points:
            continue
        point = points[rate]
        if threats is not None and count >= supports(float(rate)):
            own = threshold_at_fpr(threats, float(rate))
            point = own if own.threshold > point.threshold else point
        floor = max(floor, point.threshold)
        found[rate] = msgspec.structs.replace(point, threshold=floor)
    return found
