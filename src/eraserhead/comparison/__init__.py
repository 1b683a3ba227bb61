"""Compares results on the same documents."""
