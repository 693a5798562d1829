"""One document in, checked fields out: `POST /v1/extract` and the look-up by id."""
