"""Images or weights are changed a little, or step by step, and the heatmaps are made again."""
