"""The English template of every sentence about why a model draws something; see ``sentence_texts``."""

from typing import Dict

_ = str

EXPLAINING: Dict[str, str] = {
    "explain.guide": _(
        "Hot colors: what in the image speaks for {structure} here to the model (layer {layer}; probability "
        "{percent:.0f} %). They show what it looked at, and are no proof that it is right."
    ),
    "explain.guide-empty": _(
        "The heat map is empty: nothing in the image speaks for {structure} here to the model (layer "
        "{layer}; probability {percent:.0f} %). That is no proof that there is none."
    ),
    "explain.no-torch": _(
        "Explaining needs PyTorch, which is not installed: pip install torch, or in 3D Slicer the module "
        "PyTorch Utils of the extension PyTorch."
    ),
    "explain.memory": _("There is not enough memory to explain this; close other programs and try again."),
    "explain.outside": _("The point {x:g}, {y:g}, {z:g} (RAS, mm) lies outside the scan."),
    "explain.no-structure": _("There is no structure {value} to explain."),
    "explain.no-lesion": _("Lesion {number} is not where it was measured: measure the segmentation again."),
    "explain.no-such-lesion": _("There is no lesion {number}; the segmentation has {count}."),
    "explain.no-layer": _("The network has no layer {wanted!r}; among others there are {known}."),
    "explain.not-drawn": _("The model {name} does not draw {structure}, so there is nothing to explain."),
    "explain.cascade": _(
        "The model's last network also sees the labels of an earlier one: LiverSeg cannot explain that."
    ),
}
"""Identifier -> English template."""
