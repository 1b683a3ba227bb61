"""The self-attention of a hub classifier."""
