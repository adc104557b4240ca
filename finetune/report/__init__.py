"""The page about one fine-tuning run: what was learned from, what changed, which gate decided."""
