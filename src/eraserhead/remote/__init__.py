"""Downloads from the hub, with retries, and the hub's errors in one line."""
