"""Pictures of which it is known where the evidence for a class lies: mosaics of photographs, and a pasted patch."""
