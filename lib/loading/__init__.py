"""Untrusted bytes to pages, behind limits, in a process that can be killed."""
