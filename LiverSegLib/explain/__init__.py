"""Why does a model draw something here? Grad-CAM and guided backpropagation as volumes beside the scan.

``methods`` has the two methods, ``tiles`` what the network sees around a place, ``targets`` what is asked
about, ``explanation`` puts them together and ``writing`` makes files of the answer. PyTorch is loaded when
something is explained, not before.
"""

from .explanation import Explanation, explain
from .targets import Target, at_lesion, at_point

__all__ = ["Explanation", "Target", "at_lesion", "at_point", "explain"]
