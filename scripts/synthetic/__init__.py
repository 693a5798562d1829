"""Invented receipts and invoices with their answers: facts, layouts, renderers."""
