"""The self-attention of a hub classifier: its sites, and what is run again at each (METHOD section 6).

Each way to run a model again is one module, and exact; `site._way_to_read` chooses the cheapest for a site:

- ``layer:L``: `read_out`. Layer L runs on the read-out position alone, the layers above it whole.
- ``layer:L`` where the read-out is a mean, which is every position: `layer`, as for ``layer:L:all``.
- ``layer:L`` in a family without the attention interface (`Route.DROPOUT`), whose queries, keys and values cannot be
  had: `layer`.
- ``layer:L:all``: `layer`. Layer L and those above it run whole, from the stored input of layer L; in the last layer
  `read_out`, as for ``layer:L``.
- ``all``: `all_layers`. The whole model runs; erased tokens are left out of their rows where that changes nothing.
- ``encoder:L``, ``decoder:L``, ``cross:L``, and ``all`` in a model with an encoder and a decoder: `encoder_decoder`.
  The decoder runs whole, and the encoder where weights in it are erased.

What runs whole does so up to the last layer, of which the read-out position runs alone, with the keys and values of all
(`Runner.decide`). A run of the opened model proves that this gives the same logits; where it does not, where the
read-out is a mean, and in families without the attention interface, the last layer runs whole too.

`site` reads and erases through any of them, `runner` has what they share, and `row` the attention of one position.
"""
