"""To the hub: push and card."""
