"""The plan: options, rules, model, solver, proof."""
