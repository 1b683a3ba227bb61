"""A model opened at a site, and how it reads documents."""
