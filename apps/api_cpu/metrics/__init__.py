"""What the server says of itself to Prometheus."""
