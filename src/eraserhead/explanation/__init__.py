"""Explain one decision."""
