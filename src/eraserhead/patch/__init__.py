"""Erasure masks for the attention of transformers' models."""
