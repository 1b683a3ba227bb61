"""Push models to the hub, with their model cards."""
