"""Do two losses mean the same, and if not, what changed?"""
