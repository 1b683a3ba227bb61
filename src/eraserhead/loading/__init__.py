"""Load a model at a site, and read documents with it."""
