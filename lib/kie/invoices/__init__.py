"""Reads invoices and credit notes: labelled values, parties, sums, taxes and the table of line items."""
