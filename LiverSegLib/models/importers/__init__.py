"""Models of other programs: read without running anything in them, and described as models of ours.

``archive`` and ``checkpoint`` (with ``plain_pickle``) read files that may be hostile; ``plans``,
``labelling`` and ``architecture`` say in our words what nnU-Net's files say; ``nnunet`` and
``totalsegmentator`` find trained models in a folder; ``described`` makes a manifest of one.
"""
