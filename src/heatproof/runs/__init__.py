"""Where a study's results lie, and in which form."""
