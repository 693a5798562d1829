"""How a document reaches an inference server: wire types, the client, its answers."""
