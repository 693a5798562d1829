"""Reads invoices and credit notes: labelled values, parties, sums, taxes, line items."""
