"""The extraction tasks that the server offers."""
