"""Training and erasure as runs: devices, folders, resumption."""
