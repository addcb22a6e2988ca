"""Generation of text, token by token: the cache of keys and values, and the work and bytes of a step.

The prompt runs once through the network. Then each step runs one token of every sequence. Its attention reads the keys
and values of all tokens before, which are kept (Pope et al., *Efficiently Scaling Transformer Inference*, 2022). The
step reads the weights once for all sequences of the batch. It reads a row of an embedding's table for each token, and
of a mixture of experts only the active experts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archcalc.analysis.costs import Analysis, analyze
from archcalc.analysis.counting import Counting
from archcalc.arithmetic import product
from archcalc.dtypes import bytes_of
from archcalc.errors import UserError
from archcalc.network import Network
from archcalc.ops.operator import Operator
from archcalc.structs import Struct
from archcalc.words import help_line


class Phase(Struct):
    """What a run of some tokens of every sequence costs, for the whole batch."""

    tokens: int
    """Tokens of each sequence that run."""
    macs: int
    flops: int
    """Every arithmetic operation: the convention `full`."""
    weights_read: int
    """Bytes of the weights, which are read once."""
    cache_read: int
    """Bytes of the keys and values of tokens before."""
    cache_written: int
    """Bytes of the keys and values of these tokens."""

    @property
    def bytes(self) -> int:
        """Bytes that no implementation can avoid moving."""
        return self.weights_read + self.cache_read + self.cache_written


class Generation(Struct):
    """The cost of generation after a prompt."""

    analysis: Analysis
    """Of the network at the length of the context."""
    context: int
    """Tokens of each sequence before the next one."""
    weights: int
    """Bytes of the weights."""
    cached: int
    """Elements of keys and values that are kept for each token of a sequence."""
    cache: int
    """Bytes of the keys and values of the context, for the whole batch."""
    prompt: Phase
    """The context as a prompt."""
    token: Phase
    """The token after it."""

    @property
    def memory(self) -> int:
        """Bytes of weights and cache."""
        return self.weights + self.cache


def generation(at_length: Callable[[int], Network], context: int, counting: Counting) -> Generation:
    """Compute generation with a network.

    Args:
        at_length: gives the network for a number of tokens.
        context: tokens of each sequence before the next one.
        counting: the batch, which is the number of sequences, and the precision.

    Raises:
        UserError: for a network without causal attention.
    """
    long, short = at_length(context), at_length(1)
    batch, roles = counting.batch, counting.roles
    full = Counting(batch, counting.dtype, "full", counting.precision)
    prompt, token = analyze(long, full), analyze(short, full)
    attending = [row.layer.op for row in token.rows if row.layer.op.cached_elements()]
    if not attending:
        raise UserError(
            f"{long.name} has no attention that is causal, so it keeps no keys and values"
            + help_line("generation needs a decoder, such as llama_7b; its attention says causal: true")
        )
    cached = sum(op.cached_elements() for op in attending)
    written = bytes_of(cached * batch, roles.cache or roles.activations)
    cache = bytes_of(cached * batch * context, roles.cache or roles.activations)
    more_macs, more_flops = (
        sum(counts) for counts in zip(*(_attention(op, context + 1, full, less=1) for op in attending), strict=True)
    )
    return Generation(
        analysis=prompt,
        context=context,
        weights=prompt.totals.weight_memory,
        cached=cached,
        cache=cache,
        prompt=Phase(context, prompt.totals.macs, prompt.totals.flops, _weights_read(prompt, context), 0, cache),
        token=Phase(
            1, token.totals.macs + more_macs, token.totals.flops + more_flops, _weights_read(token, 1), cache, written
        ),
    )


def cache_bytes(analysis: Analysis) -> Any:
    """Return the bytes of the keys and values of all tokens of the input, for the whole batch."""
    roles = analysis.counting.roles
    tokens = next(iter(analysis.network.inputs.values()))[0]
    cached = sum(row.layer.op.cached_elements() for row in analysis.rows)
    return bytes_of(cached * tokens * analysis.batch, roles.cache or roles.activations)


def _attention(op: Operator, keys: int, counting: Counting, less: int) -> tuple[Any, Any]:
    """Return the MACs and FLOPs of attention of one token to so many keys, without those of ``less`` keys."""
    many, few = op.attending_to(keys), op.attending_to(less)
    rule, batch = counting.rule, counting.batch
    macs = many.work()["matmul"] - few.work()["matmul"]
    return macs * batch, (rule.flops(many, many.work()) - rule.flops(few, few.work())) * batch


def _weights_read(analysis: Analysis, tokens: int) -> Any:
    """Return the bytes of the weights that a run reads: of a table its rows, of experts the active ones."""
    roles = analysis.counting.roles
    total = 0
    for row in analysis.rows:
        op = row.layer.op
        own = roles.of_layer(row.layer.dtype, row.layer.is_frozen)
        if op.takes_indices:
            total += bytes_of(product(op.output) * analysis.batch, own.weights)
            continue
        size = own.weight_bytes(op)
        params = sum(map(product, op.weights().values()))
        idle = op.idle_params()
        used = min(params, (params - idle) * tokens * analysis.batch) if idle else params
        total += size * used // params if params else 0
    return total
