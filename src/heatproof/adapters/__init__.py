"""Faces that users of other packages know, in front of what heatproof measures."""
