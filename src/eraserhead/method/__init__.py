"""The mathematics of erasure: pure functions over tensors; no files, devices, models or tokenizers."""
