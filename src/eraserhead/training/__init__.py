"""Train classifiers."""
