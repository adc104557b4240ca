import msgspec

from comparisons import RESULT, row
from finetune.comparison import plots

KINDS = ("false-positives", "gain-and-loss", "labels")


def test_three_pictures_a_site() -> None:
    images = dict(plots.draw(RESULT))
    assert list(images) == [f"{site}-{kind}" for site in ("shop", "mail") for kind in KINDS]
    assert all(image.startswith(b"\x89PNG") for image in images.values())


def test_one_number_of_labels_has_no_curve_and_what_was_not_judged_no_picture() -> None:
    rows = [each for each in RESULT.rows if each.labels == 50 and each.site == "shop"]
    rows += [row("mail", site_fpr_at_tpr=None)]
    assert list(dict(plots.draw(msgspec.structs.replace(RESULT, rows=rows)))) == [f"shop-{kind}" for kind in KINDS[:2]]
