"""The walk of a query: from a client's question to an answer with a verdict."""
