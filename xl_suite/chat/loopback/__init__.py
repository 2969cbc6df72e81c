"""A scripted model server on the loopback address, for tests and demonstrations."""
