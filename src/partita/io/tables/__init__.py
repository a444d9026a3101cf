"""Tables over time, of events and of confounds: TSV and CSV, with the names of their columns."""
