"""Evaluations: documents with known answers through the pipeline or a server, and what came out."""
