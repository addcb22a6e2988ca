"""The logarithm of softmax."""

from archcalc.ops.activation import Softmax
from archcalc.ops.vocabulary import Torch, Work


class LogSoftmax(Softmax):
    """The logarithm of the softmax: each number minus the logarithm of the sum of exponentials along the axis."""

    kind = "log_softmax"
    aten = "log_softmax"
    onnx = "LogSoftmax"
    synonyms = "logsoftmax"

    def work(self) -> Work:
        """The largest number is subtracted first, as every implementation does."""
        elements, rows = self.elements, self.elements // self.x[self.axis]
        return {"compare": elements - rows, "exp": elements, "log": rows, "add": 3 * elements - rows}

    def torch(self) -> Torch:
        return Torch("nn.LogSoftmax", (), {"dim": self.axis if self.axis < 0 else self.axis + 1})
