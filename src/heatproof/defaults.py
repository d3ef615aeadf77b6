"""What is taken where nothing else is said; no room has to be loaded to know it."""

OFFLINE_DEFAULT = "efficientnet-lite0"  # the network: with weights from an installed package
DEFAULT_METHODS = (
    "lrp-epsilon-gamma-box",
    "lrp-epsilon-plus-flat",
    "lrp-alphabeta",
    "lrp-epsilon",
    "gradient-x-input",
    "sensitivity-l2",
    "deconvolution-l2",
)
DEFAULT_METHOD = "lrp-alphabeta"  # where there is one: the paper's "LRP"
DEFAULT_REPLACEMENTS = ("uniform", "dirichlet", "constant", "blur")  # the paper's
DEFAULT_MEMORY = 2 * 2**30  # bytes
PILOT_IMAGES = 16
SEEN = 0.05  # probability, above which a network sees a class in a mosaic
SHOWN = 8  # pictures of a page
FLOAT32 = "float32"  # of evaluation: the network's own precision, with TF32 off
ALL = "all"  # instead of a number of steps
CANDIDATES = ("coarse-blur", "coarse-uniform", "medium-blur", "large-blur", "fine-uniform")  # protocols to choose from
OF_TRANSFORMERS = ("dropped-tokens",)  # further ones, where the network can leave out tokens
AUTO = "auto"  # as the protocol says, or a protocol that is chosen on a pilot
