"""Answers about a plan: what rules, money and single hazards are worth, and what other plans there are."""
