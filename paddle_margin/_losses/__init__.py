"""One loss in one module: formula, function, layer, documentation."""
