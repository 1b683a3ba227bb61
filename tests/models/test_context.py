"""Context encoders against sums by hand, written-out equations, and padding of every kind."""

import math

import pytest
import torch
from torch.testing import assert_close

from eraserhead.models.architecture import Architecture
from eraserhead.models.context import ENCODERS, sinusoidal_positions

SIZES = Architecture(
    recurrent_size=5, filters=3, filter_widths=[3, 5], filter_dropout=0.3, transformer_heads=2,
    transformer_feedforward=13,
)  # fmt: skip
HIDDEN = 14
LENGTHS = [7, 3, 0, 1, 5]


def context(kind, hidden=HIDDEN, sizes=SIZES):
    """A context encoder whose every parameter, biases too, is large enough to matter."""
    torch.manual_seed(3)
    encoder = ENCODERS[kind](hidden, sizes).double().eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.copy_(0.4 * torch.randn_like(parameter))
    return encoder


def rows(lengths, width, at_padding=0.0):
    torch.manual_seed(5)
    mask = torch.arange(width) < torch.tensor(lengths).unsqueeze(1)
    vectors = torch.randn(len(lengths), width, HIDDEN, dtype=torch.float64)
    return vectors.masked_fill(~mask.unsqueeze(-1), at_padding), mask


@pytest.mark.parametrize("gradients", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("at_padding", [0.0, 1e9, torch.nan, torch.inf])
@pytest.mark.parametrize("kind", ENCODERS)
def test_a_row_is_the_same_alone_and_beside_longer_ones(kind, at_padding, gradients):
    """Without gradients torch takes other, quicker paths."""
    encoder = context(kind)
    vectors, mask = rows(LENGTHS, 11, at_padding)
    with torch.set_grad_enabled(gradients):
        together = encoder(vectors, mask)
        assert together.shape[-1] == encoder.output_size
        assert (together[~mask] == 0).all()
        assert (together[mask].abs().amax(-1) > 1e-3).all()
        for row, length in enumerate(LENGTHS):
            alone = encoder(vectors[row : row + 1, :length], mask[row : row + 1, :length]) if length else together[:1]
            assert_close(together[row, :length], alone[0, :length], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ENCODERS)
def test_rows_without_components_give_zeros_and_gradients_without_nan(kind):
    encoder = context(kind)
    vectors, mask = rows([0, 0], 3, torch.nan)
    assert encoder(vectors, mask).tolist() == torch.zeros(2, 3, encoder.output_size).tolist()
    vectors, mask = rows([3, 0], 5, torch.nan)
    vectors.requires_grad_()
    encoder(vectors, mask).square().sum().backward()
    assert vectors.grad[mask].abs().min() > 0
    assert (vectors.grad[~mask] == 0).all()
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())


@pytest.mark.parametrize(
    ("kind", "seen"),
    [("none", [5]), ("conv", [3, 4, 5, 6, 7]), ("rnn", list(range(11))), ("transformer", list(range(11)))],
)
def test_how_far_a_component_sees(kind, seen):
    """By the gradient of the sixth output of eleven: a convolution of width 5 sees two neighbours on either side."""
    encoder = context(kind)
    if kind == "conv":  # so that no rectifier is shut
        for convolution in encoder.convolutions:
            torch.nn.init.constant_(convolution.bias, 50.0)
    vectors, mask = rows([11], 11)
    vectors.requires_grad_()
    (encoder(vectors, mask)[0, 5] * torch.arange(1, encoder.output_size + 1)).sum().backward()
    assert (vectors.grad[0].abs().amax(-1) > 1e-9).nonzero().squeeze(1).tolist() == seen


def test_no_context_returns_the_vectors():
    vectors, mask = rows([3, 2], 3)
    assert torch.equal(context("none")(vectors, mask), vectors)


def test_convolutions_by_hand():
    """Vectors (1, 2), (3, -1), (-2, 5); beyond the edges there are zeros, and at padding too.

    Width 3, ``2 left[0] + 3 own[1] - right[0] + 0.5``: 0 + 6 - 3 + 0.5 = 3.5; 2 - 3 + 2 + 0.5 = 1.5;
    6 + 15 - 0 + 0.5 = 21.5. Width 5, ``7 x (two to the left)[0] + (two to the right)[1] - 1``: 0 + 5 - 1 = 4;
    0 + 0 - 1, rectified to 0; 7 + 0 - 1 = 6. The second row lacks the third vector: 3.5 and -0.5, rectified to 0;
    -1 and -1, likewise.
    """
    encoder = ENCODERS["conv"](2, Architecture(filters=1, filter_widths=[3, 5])).double().eval()
    three, five = encoder.convolutions
    with torch.no_grad():
        three.weight.copy_(torch.tensor([[[2.0, 0.0, -1.0], [0.0, 3.0, 0.0]]]))
        three.bias.copy_(torch.tensor([0.5]))
        five.weight.copy_(torch.tensor([[[7.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]]]))
        five.bias.copy_(torch.tensor([-1.0]))
    vectors = torch.tensor([[[1.0, 2.0], [3.0, -1.0], [-2.0, 5.0]]] * 2, dtype=torch.float64)
    found = encoder(vectors, torch.tensor([[True] * 3, [True, True, False]]))
    assert found.tolist() == [[[3.5, 4.0], [1.5, 0.0], [21.5, 6.0]], [[3.5, 0.0], [0.0, 0.0], [0.0, 0.0]]]


def gated(network, vectors, suffix):
    """One direction's states, gate by gate (Cho et al. 2014, as torch orders them: reset, update, new)."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    parts = [getattr(network, name + suffix).chunk(3) for name in names]
    inputs, recurrent, input_bias, recurrent_bias = parts
    state, states = torch.zeros_like(input_bias[0]), []
    for vector in vectors:
        of_input = [inputs[gate] @ vector + input_bias[gate] for gate in range(3)]
        of_state = [recurrent[gate] @ state + recurrent_bias[gate] for gate in range(3)]
        reset, update = (torch.sigmoid(of_input[gate] + of_state[gate]) for gate in (0, 1))
        state = (1 - update) * torch.tanh(of_input[2] + reset * of_state[2]) + update * state
        states.append(state)
    return torch.stack(states)


def test_recurrent_network_is_its_gate_equations_in_both_directions():
    """The backward direction begins at the last component of each row, not at its padding."""
    encoder = context("rnn")
    vectors, mask = rows(LENGTHS, 7, 1e9)
    found = encoder(vectors, mask)
    for row, length in enumerate(LENGTHS):
        if length:
            own = vectors[row, :length]
            backward = gated(encoder.network, own.flip(0), "_reverse").flip(0)
            expected = torch.cat([gated(encoder.network, own, ""), backward], dim=-1)
            assert_close(found[row, :length], expected, rtol=0, atol=1e-12)


def written_out(layer, vectors, heads):
    """Pre-norm: x + attention(norm(x)), then x + feedforward(norm(x)); Vaswani et al. 2017 otherwise."""

    def norm(values, module):
        centred = values - values.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + module.eps).sqrt() * module.weight + module.bias

    count, size = vectors.shape
    places = torch.tensor(
        [
            [
                (math.cos if entry % 2 else math.sin)(place / 10_000 ** ((entry - entry % 2) / size))
                for entry in range(size)
            ]
            for place in range(count)
        ],
        dtype=torch.float64,
    )
    states = vectors + places
    projected = norm(states, layer.norm1) @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias
    attended = []
    for head in range(heads):
        own = slice(head * size // heads, (head + 1) * size // heads)
        queries, keys, values = (part[:, own] for part in projected.chunk(3, dim=-1))
        scores = (queries @ keys.T / math.sqrt(size / heads)).exp()
        attended.append(scores / scores.sum(-1, keepdim=True) @ values)
    out = layer.self_attn.out_proj
    states = states + torch.cat(attended, dim=-1) @ out.weight.T + out.bias
    hidden = (norm(states, layer.norm2) @ layer.linear1.weight.T + layer.linear1.bias).clamp(min=0)
    return states + hidden @ layer.linear2.weight.T + layer.linear2.bias


@pytest.mark.parametrize("gradients", [True, False], ids=["training", "inference"])
def test_transformer_is_one_layer_written_out(gradients):
    encoder = context("transformer")
    vectors, mask = rows(LENGTHS, 7, torch.nan)
    with torch.set_grad_enabled(gradients):
        found = encoder(vectors, mask)
        for row, length in enumerate(LENGTHS):
            if length:
                expected = written_out(encoder.layer, vectors[row, :length], heads=2)
                assert_close(found[row, :length], expected, rtol=0, atol=1e-12)


def test_transformer_knows_the_order_and_position_zero_is_first():
    """Without positions a permutation of the components would permute the outputs."""
    encoder = context("transformer")
    vectors, mask = rows([7], 7)
    order = torch.tensor([6, 2, 0, 5, 1, 4, 3])
    assert (encoder(vectors[:, order], mask) - encoder(vectors, mask)[:, order]).abs().max() > 1e-2
    assert sinusoidal_positions(torch.zeros(1, 3, dtype=torch.float64)).tolist() == [[0.0, 1.0, 0.0]]


def test_heads_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="transformer_heads 3 must divide 14"):
        ENCODERS["transformer"](HIDDEN, Architecture(transformer_heads=3))


def test_feedforward_is_four_times_as_wide_by_default():
    layer = ENCODERS["transformer"](HIDDEN, Architecture(transformer_heads=7)).layer
    assert layer.linear1.out_features == 4 * HIDDEN
    assert context("transformer").layer.linear1.out_features == 13
