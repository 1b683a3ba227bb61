"""Whether a model has the layer and the heads that a site's options name."""

from collections.abc import Sequence

from eraserhead.errors import Setting, UserError
from eraserhead.patch.families import ReadOut
from eraserhead.patch.layers import Layers
from eraserhead.sites.site import CROSS, ENCODER, InsideName


def checked_name(name: InsideName | None, layers: Layers) -> InsideName:
    """Return the name of a site with its layer counted from 0; default: the last layer, or its cross attention.

    Raises:
        UserError: The model has no such site.
    """
    both = layers.encoder is not None
    name = name or InsideName(part=CROSS if both else None)
    if name.layer is None:
        return InsideName(None, every_query=True)
    if both != (name.part is not None):
        has = "encoder:L, decoder:L, cross:L" if both else "layer:L"
        said = f": a '{layers.family.name}' model has {'an encoder and a decoder' if both else 'layers of one kind'}"
        raise UserError(Setting("site", str(name)), f"{said}; choose {has} or all")
    count, of = len(layers), "the model"
    if layers.encoder is not None:
        count = layers.encoder if name.part == ENCODER else len(layers) - layers.encoder
        of = "its encoder" if name.part == ENCODER else "its decoder"
    if not -count <= name.layer < count:
        raise UserError(Setting("site", str(name)), f": {of} has {count} layers, numbered from 0 to {count - 1}")
    # A mean is read from every token (METHOD section 6), and a decoder reads every position of the encoder.
    from_all = layers.read_out is ReadOut.MEAN or name.part == ENCODER
    return InsideName(name.layer % count, name.every_query or from_all, name.part)


def checked_heads(heads: Sequence[int] | None, count: int) -> tuple[int, ...] | None:
    """Return the numbers of heads in order; None for all.

    Raises:
        UserError: A layer has no such heads.
    """
    if heads is None:
        return None
    wrong = [head for head in heads if not isinstance(head, int) or not 0 <= head < count]
    if wrong or not heads:
        raise UserError(
            Setting("heads", wrong), f": a layer of the model has {count} heads, numbered from 0 to {count - 1}"
        )
    return tuple(sorted(set(heads)))
