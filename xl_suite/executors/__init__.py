"""One run on many machines: its work in units, which ranks take, each with a journal of its own."""
