"""Erase attention weights of a data set's documents."""
