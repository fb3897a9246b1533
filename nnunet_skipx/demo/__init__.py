"""`skipx demo`: the whole main job in miniature."""
