"""Small forms of every network of the laboratory, for tests: name -> arguments beside the usual.

A network that is added to the laboratory needs a row here; ``test_networks`` says so where it lacks.
"""

from typing import Any, Dict, List, Tuple

DENSE = {"layers": [2, 2, 1], "growth": 4, "stem": 8}
FIVE = [4, 8, 12, 16, 20]

SMALL: Dict[str, Dict[str, Any]] = {
    "ResidualUNet": {"channels": [4, 6, 8]},
    "BlockUNet": {"channels": [4, 8, 12]},
    "UNet3D": {"channels": [4, 8, 12]},
    "UNet": {"channels": FIVE},
    "AttentionUNet": {"channels": [4, 8, 12]},
    "VNetMONAI": {},
    "UNetPlusPlus": {"channels": FIVE},
    "DynUNet": {"channels": [4, 8, 12, 12]},
    "SegResNet": {"width": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]},
    "UNETR": {"image_size": 32, "width": 4, "hidden_size": 24, "heads": 2},
    "SwinUNETR": {"width": 12, "depths": [1, 1, 1, 1], "window": 3},
    "ModifiedUNet": {"features": [4, 6, 8]},
    "VNet": {
        "features": [4, 6, 8],
        "encoder_convolutions": [1, 2, 1],
        "decoder_convolutions": [2, 1],
        "convolution_kernel": 3,
    },
    "DenseUNet167": DENSE,
    "DenseUNet65": DENSE,
    "HybridDenseUNet": {f"{name}_{axes}d": value for axes in (2, 3) for name, value in DENSE.items()},
    "R2UNet": {"features": [4, 6]},
    "ConvLSTMUNet": {"features": [4, 6]},
    "KiUNet": {"features": [4, 6]},
    "NestedUNet": {"features": [4, 6, 8]},
    "Slices25D": {"network": {"name": "UNet", "arguments": {"channels": FIVE}}},
    "Cascade": {
        "deep_supervision": True,
        "coarse": {"name": "BlockUNet", "arguments": {"channels": [4, 8]}},
        "fine": {"name": "DynUNet", "arguments": {"channels": [4, 8, 12], "deep_supervision": True}},
    },
}
SIZES: Dict[int, Tuple[int, ...]] = {2: (31, 29), 3: (13, 25, 22)}
"""Odd sizes: no multiple of any network's."""
EXPORTED: Dict[int, Tuple[int, ...]] = {2: (48, 48), 3: (16, 32, 32)}
"""Multiples of 16, as tiles are; of every network's, for those that say so in ``EXPORTED_AT``."""
EXPORTED_AT: Dict[str, int] = {"UNETR": 32, "SwinUNETR": 64}
"""Edge of the tiles of networks that need larger ones."""
DEEP: List[str] = ["BlockUNet", "UNetPlusPlus", "DynUNet", "NestedUNet", "Cascade"]
"""Networks with deep supervision."""
