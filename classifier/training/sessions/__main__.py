"""`python -m classifier.training.sessions TRAIN [TEST]`."""

from classifier.training.sessions.encoder import main

main()
