"""Training of the networks: a compact data pack, augmentation, partial-label losses and a trainer that
resumes.
"""
