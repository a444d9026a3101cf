"""Numbers only: factorisations and least squares on plain arrays, answers as NamedTuples."""
