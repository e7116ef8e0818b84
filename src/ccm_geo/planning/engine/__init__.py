"""Engines: the paths of hazards at given prices, the matrix, cuts; they know options and rows, not rules."""
