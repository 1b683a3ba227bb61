"""Tiny tokenizers of the kinds that pretrained models have, made on the spot."""

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def wordpiece() -> PreTrainedTokenizerFast:
    """BERT's: pieces that go on a word have ##, punctuation is words of its own."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "wake", "##s", "up", "don", "t", "'", ".", "3", "東", "京"]
    backend = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return _fast(backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


def byte_level() -> PreTrainedTokenizerFast:
    """GPT-2's: bytes, of which some are merged, with the space before a word as part of it."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "w"), ("a", "k"), ("Ġw", "ak"), ("u", "p"), ("Ġ", "up")]
    pieces = [*alphabet, *(first + second for first, second in merges), "<|endoftext|>"]
    backend = Tokenizer(models.BPE({piece: at for at, piece in enumerate(pieces)}, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.ByteLevel(trim_offsets=True)
    return _fast(backend, eos_token="<|endoftext|>", pad_token="<|endoftext|>")


def unigram() -> PreTrainedTokenizerFast:
    """T5's: SentencePiece with a splitter, whose marker of a space is part of the word behind it."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", "▁the", "▁wake", "s", "▁up", ".", "▁don", "'", "t", "▁3"]
    backend = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return _fast(backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def without_words() -> PreTrainedTokenizerFast:
    """Llama's: SentencePiece without a splitter, to which a text is one word; other characters fall back to bytes."""
    letters = sorted(set("thewakesupdont'.3"))
    merges = [("▁", "t"), ("▁t", "h"), ("▁th", "e"), ("u", "p")]
    pieces = ["<unk>", "<s>", *BYTES, "▁", *letters, *(first + second for first, second in merges)]
    backend = Tokenizer(
        models.BPE({piece: at for at, piece in enumerate(pieces)}, merges, unk_token="<unk>", byte_fallback=True)
    )
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return _fast(backend, bos_token="<s>", pad_token="<unk>", unk_token="<unk>")


def _fast(backend: Tokenizer, **special: str) -> PreTrainedTokenizerFast:
    backend.add_special_tokens([AddedToken(token, special=True) for token in dict.fromkeys(special.values())])
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=512, **special)
