"""The progress bar of `classifier.progress`, by the name that training knows it under."""

from classifier.progress import Bar

__all__ = ["Bar"]
