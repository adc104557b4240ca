import sites
from classifier.features import extract
from classifier.records import Label
from classifier.training.corpus import Row
from finetune.comparison.controls import regression
from finetune.dataset import Example
from finetune.transplant import Grafted


def example(number: int, *, weak: bool = False) -> Example:
    record = sites.page(number)
    return Example(record, extract(record), Label.BENIGN, 0.3 if weak else 1.0, "weak" if weak else "file", "", 0.0)


def test_it_learns_from_base_rows_labels_weak_rows_and_grafts() -> None:
    base = [Row(sites.query(n), (Label.BENIGN,), 1.0, "o", "train") for n in range(20)]
    grafts = [Grafted(sites.attack(n), Label.SQLI, sites.page(n)) for n in range(20)]
    fitted = regression([*map(example, range(10)), example(11, weak=True)], grafts, base)
    threats = fitted.score([sites.attack(90), sites.page(90), sites.query(90)])[:, 0]
    assert threats[0] > 0.5 > threats[1:].max()
    assert fitted.size > 100


def test_a_few_labels_outweigh_many_base_rows() -> None:
    """The same page is hostile for the base and harmless for the site."""
    base = [Row(sites.page(n), (Label.SQLI,), 1.0, "o", "train") for n in range(60)]
    base += [Row(sites.query(n), (Label.BENIGN,), 1.0, "o", "train") for n in range(60)]
    before = regression([example(0)._replace(record=sites.query(0))], [], base).score([sites.page(2)])[0, 0]
    after = regression([example(n) for n in range(5)], [], base).score([sites.page(2)])[0, 0]
    assert after < 0.5 < before
