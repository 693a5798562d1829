"""Webhooks: the end of a job told to who asked for it, signed, until it was heard."""
