"""Tokens that are no text, as tokenizers and configs name them."""

import pytest
from transformers import BertConfig, LlamaConfig

from eraserhead.models.special_tokens import named_padding, padding_id, structural_token_ids
from tiny import tiny_tokenizer


def test_a_tokenizer_and_a_config_are_asked_alike():
    tokenizer = tiny_tokenizer()
    roles = {role: getattr(tokenizer, role) for role in ("cls_token_id", "sep_token_id", "pad_token_id")}
    assert structural_token_ids(tokenizer) == sorted(roles.values())
    assert structural_token_ids(BertConfig(**roles)) == sorted(roles.values())


def test_a_config_may_name_several_ends_none_or_minus_one():
    assert structural_token_ids(LlamaConfig(bos_token_id=7, eos_token_id=[5, 11], pad_token_id=-1)) == [5, 7, 11]
    assert structural_token_ids(LlamaConfig(bos_token_id=None, eos_token_id=None, pad_token_id=None)) == []


@pytest.mark.parametrize(
    ("own", "named", "alone", "both"), [(3, 3, 3, 3), (0, 0, 0, 0), (None, None, 0, 5), (-1, None, 0, 5)]
)
def test_padding_is_that_of_the_first_that_names_one(own, named, alone, both):
    config = LlamaConfig(pad_token_id=own)
    assert named_padding(config) == named
    assert padding_id(config) == alone
    assert padding_id(config, LlamaConfig(pad_token_id=5)) == both
