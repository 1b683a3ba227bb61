"""How anything is drawn: escapes, tables, figures, templates; knows no command."""
