"""Every layer and every head of a checkpoint from one reading: which of them move decisions (METHOD section 13)."""
