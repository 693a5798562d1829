"""Field readers: processes beside the server's that read fields by rules, and can be killed."""
