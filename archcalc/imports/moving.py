"""Operations of PyTorch that compute nothing: those that give what they take, and those that compare or move elements.

What moves elements and is an operator here says so itself (`mapping.moves_elements`).
"""

SAME = frozenset(
    [
        *("contiguous", "clone", "detach", "alias", "lift_fresh_copy"),
        *("to", "_to_copy", "type_as", "_assert_tensor_metadata"),
    ]
)
"""Operations that give what they take."""
MOVING = SAME | frozenset(
    [
        *("eq", "ne", "gt", "lt", "ge", "le", "isnan", "argmax", "argmin", "argsort", "sort", "topk"),
        *("logical_and", "logical_or", "logical_not", "bitwise_and", "bitwise_or", "bitwise_not", "one_hot"),
        *("index", "gather", "index_select", "embedding", "narrow", "diagonal", "as_strided", "unfold"),
        *("copy", "fill", "masked_fill", "scatter", "select_scatter", "slice_scatter", "index_put", "tril", "triu"),
        *("repeat", "repeat_interleave", "tile", "broadcast_to", "squeeze", "unsqueeze", "pad"),
    ]
)
"""Others that compare or move elements, which is no arithmetic."""
