from finetune.report.story import Story


def test_a_story_begins_without_training_reports() -> None:
    assert Story._field_defaults == {"reports": (), "seconds": 0.0}
