"""Parts that screens are built from; only the run bar, the rate finder and the choice of a base know the session."""
