"""Parts for drawing: escapes, tables, figures and templates; independent of the commands."""
