"""Rankings by the margin's derivatives with respect to word embeddings (METHOD section 9); sites have captum do it."""

from eraserhead.method.signals import INPUT_X_GRADIENT, INTEGRATED_GRADIENTS, SALIENCY
from eraserhead.rankings.basic import by_signal
from eraserhead.sites.embeddings import CAPTUM

GRADIENTS = tuple(by_signal(name, CAPTUM) for name in (INPUT_X_GRADIENT, SALIENCY, INTEGRATED_GRADIENTS))
