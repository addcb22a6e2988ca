"""The types of numbers by role: weights, activations, gradients, optimizer state, master copy; and named recipes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from archcalc.analysis.sparsity import Sparsity
from archcalc.arithmetic import Shape, ceil_div, product
from archcalc.dtypes import bytes_of, dtype_name
from archcalc.errors import UserError
from archcalc.ops.operator import Operator
from archcalc.ops.vocabulary import Work
from archcalc.structs import Struct, replace
from archcalc.words import did_you_mean, help_line, nearest_or_all, quote


class Quantized(NamedTuple):
    """How the matrices that products read are stored: in groups that share a scale."""

    dtype: str
    group: int
    """Elements of a row that share a scale; 0 for all elements of a row, which is an output feature or channel."""
    overhead: float
    """Bits of a group: its scale and zero point."""

    def scale_bytes(self, shape: Shape) -> Any:
        """Return the bytes of the scales and zero points of a matrix, whose first axis is the rows."""
        groups = shape[0] * (ceil_div(product(shape[1:]), self.group) if self.group else 1)
        numerator, denominator = self.overhead.as_integer_ratio()
        return ceil_div(groups * numerator, 8 * denominator)


_NF4 = Quantized("nf4", 64, 8 + 32 / 256)
"""Double quantization: an 8-bit scale for 64 elements, and a float32 scale for 256 of these."""


class Precision(Struct):
    """The type of each role; a type is a key of `BITS`."""

    weights: str = "float32"
    """Of the parameters with which the network computes, and of the buffers."""
    activations: str = "float32"
    """Of inputs, outputs, saved tensors, and gradients of activations."""
    gradients: str = "float32"
    """Of the gradients of weights that are kept until the update."""
    state: str = "float32"
    """Of what the optimizer stores between steps."""
    master: str = ""
    """Of the copy of the trained weights that the optimizer updates; empty without one."""
    frozen: str = ""
    """Of the parameters of frozen layers; empty if it is that of all weights."""
    cache: str = ""
    """Of the keys and values that generation keeps; empty if it is that of activations."""
    autocast: str = ""
    """The type in which PyTorch's autocast runs the operators of its list; empty without autocast."""
    quantized: Quantized | None = None
    """How the matrices of products are stored, where that is not as the other weights."""
    sparsity: Sparsity | None = None
    """Which weights of the matrices of products are kept; None for all."""
    name: str = ""
    """As the user wrote it."""

    @classmethod
    def all(cls, dtype: str) -> Precision:
        """Return the precision with one type for every role."""
        return cls(dtype, dtype, dtype, dtype, name=dtype)

    @property
    def computing(self) -> str:
        """The type in which products are computed."""
        return self.autocast or self.activations

    def weight_bytes(self, op: Operator, left_out: tuple[str, ...] = ()) -> Any:
        """Return the bytes of an operator's weights, without some of them.

        Quantized are the tensors with at least two axes of operators that multiply them: not an embedding's table.
        """
        multiplies = (self.quantized is not None or self.sparsity is not None) and "mac" in op.work()
        sizes = []
        for name, shape in op.weights().items():
            if name in left_out:
                continue
            if multiplies and len(shape) > 1:
                sizes.append(self._matrix_bytes(shape))
            else:
                sizes.append(bytes_of(product(shape), self.weights))
        return sum(sizes)

    def _matrix_bytes(self, shape: Shape) -> Any:
        """Return the bytes of a matrix of a product: kept elements, and scales of groups."""
        dtype = self.quantized.dtype if self.quantized else self.weights
        elements = product(shape)
        stored = self.sparsity.bytes_of(elements, dtype) if self.sparsity else bytes_of(elements, dtype)
        return stored + (self.quantized.scale_bytes(shape) if self.quantized else 0)

    def work_left(self, work: Work) -> Work:
        """Return the work without multiply-adds with weights that are not kept."""
        return {**work, "mac": self.sparsity.of(work["mac"])} if self.sparsity and "mac" in work else work

    def of_layer(self, dtype: str, is_frozen: bool) -> Precision:
        """Return the precision of a layer: with the type that its step says, or that of frozen weights."""
        if dtype:
            return replace(self, weights=dtype, activations=dtype, quantized=None)
        if is_frozen and self.frozen:
            scaled = _NF4 if self.frozen == "nf4" else None
            return replace(self, quantized=scaled) if scaled else replace(self, weights=self.frozen, quantized=None)
        return self


class Recipe(NamedTuple):
    """A named precision, with what it means and its source."""

    precision: Precision
    says: str
    source: str


def _mixed(dtype: str, gradients: str) -> Precision:
    return Precision(dtype, dtype, gradients, "float32", master="float32")


_GROUPS_OF_128 = Quantized("int4", 128, 16 + 4)
RECIPES: Mapping[str, Recipe] = {
    "autocast-bfloat16": Recipe(
        Precision(autocast="bfloat16"),
        "weights, gradients and state in float32; convolution, products and attention run in bfloat16",
        "PyTorch, torch.amp, Autocast Op Reference",
    ),
    "autocast-float16": Recipe(
        Precision(autocast="float16"),
        "the same with float16, and with a gradient scaler",
        "PyTorch, torch.amp, Autocast Op Reference",
    ),
    "bfloat16": Recipe(Precision.all("bfloat16"), "everything in bfloat16, optimizer state too", "module.to(bfloat16)"),
    "mixed-float16": Recipe(
        _mixed("float16", "float16"),
        "weights and gradients in float16, a float32 master copy and state: 16 bytes per parameter with Adam",
        "Micikevicius et al., Mixed Precision Training, 2018; Rajbhandari et al., ZeRO, 2020, section 3.1",
    ),
    "mixed-bfloat16": Recipe(
        _mixed("bfloat16", "bfloat16"),
        "the same with bfloat16",
        "Rajbhandari et al., ZeRO, 2020, section 3.1",
    ),
    "mixed-bfloat16-kept": Recipe(
        _mixed("bfloat16", "float32"),
        "the same with gradients kept and summed in float32: 18 bytes per parameter with Adam",
        "NVIDIA, Megatron-LM, Distributed Optimizer: bf16 parameters, fp32 gradients",
    ),
    "w8a8": Recipe(
        Precision("float16", "int8", "float16", "float32", quantized=Quantized("int8", 0, 32)),
        "matrices in int8 with a float32 scale per output, activations in int8, other weights in float16",
        "Xiao et al., SmoothQuant, 2023",
    ),
    "w4a16": Recipe(
        Precision("float16", "float16", "float16", "float32", quantized=_GROUPS_OF_128),
        "matrices in int4; 128 elements of a row share a float16 scale and an int4 zero point; the rest in float16",
        "Frantar et al., GPTQ, 2023; Lin et al., AWQ, 2024",
    ),
    "float8": Recipe(
        Precision("bfloat16", "bfloat16", "bfloat16", "float32", quantized=Quantized("float8", 0, 32)),
        "matrices in float8 with a float32 scale per output, the rest in bfloat16",
        "Micikevicius et al., FP8 Formats for Deep Learning, 2022",
    ),
    "qlora": Recipe(
        Precision("bfloat16", "bfloat16", "bfloat16", "float32", frozen="nf4"),
        "frozen matrices in nf4 with double quantization (4.127 bits); all else in bfloat16, state in float32",
        "Dettmers et al., QLoRA, 2023",
    ),
}
ROLES = ("weights", "activations", "gradients", "state", "master", "frozen", "cache")
"""The roles whose type an option can say."""


def parse_precision(text: str, dtype: str = "float32") -> Precision:
    """Read a precision; roles that it does not say have the type ``dtype``, or what the recipe says.

        precision = (recipe | role) {"," role}
        role      = ("weights" | "activations" | "gradients" | "state" | "master" | "frozen") "=" type

    Raises:
        UserError: for an unknown recipe, role or type.
    """
    found = Precision.all(dtype)
    for number, part in enumerate(text.split(",")):
        role, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            if number or role not in RECIPES:
                hint = did_you_mean(role, (*RECIPES, *ROLES)) or help_line(
                    f"use one of: {', '.join(RECIPES)}; or ROLE=TYPE with {', '.join(ROLES)}"
                )
                raise UserError(f"unknown precision {quote(role)}{hint}")
            found = RECIPES[role].precision
            continue
        if role not in ROLES:
            raise UserError(f"unknown role {quote(role)} in --precision{nearest_or_all(role, ROLES)}")
        value = dtype_name(value)
        changed: dict[str, Any] = {role: value}
        if role == "weights":  # of the matrices too
            changed["quantized"] = None
        found = replace(found, **changed)
    return replace(found, name=text)
