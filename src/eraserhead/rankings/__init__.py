"""Rankings: scores by which a document's components are ordered."""
