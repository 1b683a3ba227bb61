"""Reproduce: many models on many data sets."""
