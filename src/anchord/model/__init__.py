"""What the words mean: names, questions, responses, verdicts. Data only, standard library only."""
