"""Asking models: calls and answers, the client with its journal, model names, prices, and a loopback server."""
