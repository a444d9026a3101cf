"""How far an answer is from an optimum, and when a fit stops."""
