"""Parts that more than one screen is built from; none of them knows the session except the run bar."""
