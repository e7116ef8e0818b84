"""Rules: what a planner can ask of a plan, each a small value that gives rows."""
