"""Models of other programs (nnU-Net, TotalSegmentator, MONAI), run as those programs would run them.

``find.find_structures`` takes a scan and gives the structures that a model finds in it. The way there:
``layout`` (orientation, order of axes, crop), ``intensity``, ``axis_map`` and ``image`` (resampling),
``previous`` (labels of an earlier stage as input), ``plan`` and ``predict`` (tiles), ``labels`` (class scores
back to the scan's voxels). ``load`` loads the networks.

Nothing here holds class scores of the whole scan: planes of blended scores are resampled and classified as
soon as the last tile over them has run.
"""
