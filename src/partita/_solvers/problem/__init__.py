"""What a fit is asked and answers with: problem, start, stopping rule, solution."""
