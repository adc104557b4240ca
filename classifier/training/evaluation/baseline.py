"""The baseline to beat: TF-IDF of character n-grams and a logistic regression (scikit-learn).

It reads the text of a record as it stands, masked like the model's, and is trained on the same rows. Needs no
features of ours, so what it reaches is what the data gives away for nothing.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

import numpy as np

from classifier.card import OperatingPoints
from classifier.errors import UserError
from classifier.evaluate import Floats
from classifier.masking import mask
from classifier.records import HARMLESS, FlowRecord, Label, text
from classifier.training.corpus import Row

NAME: Final = "TF-IDF + LR"
GRAMS: Final = (1, 4)
TERMS: Final = 200_000
"""N-grams kept, the most frequent ones."""
LENGTH: Final = 2_000
"""Characters read of a record; n-grams of whole bodies would not fit into memory."""
HEADERS: Final = frozenset({"user-agent", "referer", "cookie", "content-type", "x-forwarded-for", "authorization"})

_CLASSES: Final = ("benign", "scanner", "threat", "tracker")


class Baseline:
    """A fitted baseline; a system like any release."""

    def __init__(self, rows: Iterable[Row], limit: int) -> None:
        """Fit to the first `limit` training rows. Raises UserError when they are all of one class."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        chosen = list(islice((row for row in rows if row.part == "train"), limit))
        classes = [_class(row.labels[0]) for row in chosen]
        if len(set(classes)) < 2:
            raise UserError("the baseline needs harmless and hostile training rows; is --corpus complete?")
        self.name, self.release = NAME, ""
        self.points: OperatingPoints = {}
        self._vectorizer: Any = TfidfVectorizer(
            analyzer="char", ngram_range=GRAMS, max_features=TERMS, min_df=2, sublinear_tf=True, dtype=np.float32
        )
        terms = self._vectorizer.fit_transform([read(row.record) for row in chosen])
        self._model: Any = LogisticRegression(C=10.0, max_iter=200, tol=1e-3)
        self._model.fit(terms, classes, sample_weight=[row.weight for row in chosen])

    @property
    def size(self) -> int:
        """Coefficients that were fitted."""
        return int(self._model.coef_.size)

    def score(self, records: Sequence[FlowRecord]) -> Floats:
        """See `measure.System`."""
        seen = self._model.predict_proba(self._vectorizer.transform([read(record) for record in records]))
        by_class = {name: seen[:, column] for column, name in enumerate(self._model.classes_)}
        none = np.zeros(len(records))
        _, scanner, threat, tracker = (by_class.get(name, none) for name in _CLASSES)
        return np.stack([threat, threat + scanner, tracker], axis=1).astype(np.float64)


def read(record: FlowRecord) -> str:
    """The record as one text: request line, chosen header values, body, and the answer where there is one."""
    record = mask(record)
    values = [value for name, value in record.request_headers if name.lower() in HEADERS]
    asked = f"{record.method or record.qtype} {record.site}{record.path}"
    body = text(record.message or record.request_body)
    answer = [f"{record.status or record.rcode}", *record.answers, text(record.response_body)]
    return "\n".join([asked, *values, body, *(answer if record.phase == "response" else ())])[:LENGTH]


def _class(label: Label) -> str:
    return str(label) if label in HARMLESS else "threat"
