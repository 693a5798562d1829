"""Training of the networks of lib/kie: documents, labels by alignment, folds, families, reports."""
