"""Money that may not come: plans that adapt to what does, and a halt that leaves nobody unwarned."""
