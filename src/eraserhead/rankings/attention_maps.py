"""Rankings by the attention of all layers of an encoder or a decoder (METHOD section 9)."""

from eraserhead.method.signals import GRADIENT_ROLLOUT, ROLLOUT, VALUE_ZEROING
from eraserhead.rankings.basic import by_signal

ATTENTION_MAPS = tuple(by_signal(name) for name in (ROLLOUT, GRADIENT_ROLLOUT, VALUE_ZEROING))
