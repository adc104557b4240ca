"""The encoder on raw sessions (USTC-TFC2016): `python -m classifier.training.sessions`."""
