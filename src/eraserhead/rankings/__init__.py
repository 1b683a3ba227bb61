"""What orders components."""
