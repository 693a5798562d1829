"""`Idempotency-Key`: the same request sent again is answered again, and nothing is done twice."""
