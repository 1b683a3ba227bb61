"""From data sets to documents, tokens and batches."""
