"""Where jobs run: in this process, or in Celery's workers."""
