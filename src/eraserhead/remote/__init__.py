"""The hub: how it is asked, how it fails, and what comes from it."""
