"""Maps that open with no internet."""
