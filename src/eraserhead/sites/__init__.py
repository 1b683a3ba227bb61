"""Places in a model where attention weights can be read and erased."""
