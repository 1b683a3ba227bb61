import torch

from eraserhead.sites.budget import budget_for


def test_a_processor_takes_small_batches_and_an_accelerator_large_ones():
    processor, accelerator = (budget_for(torch.device(name)) for name in ("cpu", "cuda"))
    assert (processor.tokens, processor.replayed_tokens) == (1024, 2048)
    assert (accelerator.tokens, accelerator.replayed_tokens) == (32768, 65536)
    assert (processor.trained_tokens, processor.head_tokens) == (2048, 16384)
    assert (accelerator.trained_tokens, accelerator.head_tokens) == (32768, 262_144)
    assert processor.memory == accelerator.memory == 1e9


def test_the_user_says_how_much_memory_replays_take():
    budget = budget_for(torch.device("cuda"), memory=0.25)
    assert (budget.memory, budget.tokens, budget.replayed_tokens) == (0.25e9, 32768, 65536)
