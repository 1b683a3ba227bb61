"""Attention-pooling classifiers over pretrained encoders."""
