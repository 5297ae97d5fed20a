"""From an image to a label image: device choice, resampling, tiles, and the cascade of locating and
segmenting.
"""
