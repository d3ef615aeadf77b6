"""Networks as other tools save them: files that are read so that nothing in them is run."""
