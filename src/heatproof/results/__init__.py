"""What studies found: data and statistics of it; what is said and drawn of it stands in ``report``."""
