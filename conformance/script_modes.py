"""The lines of a script that holds an execution mode against the eager call."""

from __future__ import annotations

from collections.abc import Iterator

from conformance import oracle
from conformance.modes import GRADIENT_MODES
from conformance.program import specified
from conformance.script import Call, placeholders


def mode(call: Call, name: str) -> Iterator[str]:
    """The bits of an execution mode beside those of the eager call."""
    yield "def bits(x):"
    yield "    return np.shape(x), str(np.asarray(x).dtype), repr(np.asarray(x).tolist())"
    yield f"expected = [{call.text}]"
    differentiated = name in GRADIENT_MODES and bool(call.asked)
    if differentiated:
        asked = ", ".join(call.asked)
        yield f"cotangent = {call.weights('expected[0]', oracle.cotangent((7,)).tolist())}"
        yield f"expected += paddle.grad(expected, [{asked}], [cotangent], allow_unused=True)"
    yield "print('expected', *expected, '(eager)')"
    yield from (_program if name.startswith("program") else _traced)(call, name, differentiated)
    yield "print('received', *received)"
    yield "wrong = bits(received[0]) != bits(expected[0])"
    if differentiated:
        # The order in which gradients are added decides the sign of a zero.
        yield "for got, wanted in zip(received[1:], expected[1:]):"
        yield "    wrong |= bits(np.asarray(got) + 0) != bits(np.asarray(wanted) + 0)"


def _program(call: Call, name: str, differentiated: bool) -> Iterator[str]:
    names = [*call.variables, *(["cotangent"] if differentiated else [])]
    yield f"feed = {{{', '.join(f'{key!r}: {key}.numpy()' for key in names)}}}"
    yield "paddle.enable_static()"
    yield from placeholders(call, name.rpartition("_")[2])
    yield f"fetched = [{call.text}]"
    if differentiated:
        dtype = call.row.result_dtype
        yield f"cotangent = paddle.static.data('cotangent', feed['cotangent'].shape, {dtype!r})"
        asked = ", ".join(call.asked)
        yield f"fetched += paddle.static.gradients(fetched, [{asked}], [cotangent])"
    yield "received = paddle.static.Executor().run(feed=feed, fetch_list=fetched)"


def _traced(call: Call, name: str, differentiated: bool) -> Iterator[str]:
    yield "class Net(paddle.nn.Layer):"
    yield f"    def forward(self, {call.names}):"
    yield f"        return {call.text}"
    if name == "to_static_sot":
        yield "net = paddle.jit.to_static(Net(), full_graph=False)"
        yield "with paddle.no_grad():"
        yield f"    received = [net({call.names})]"
        return
    row = call.row
    given = specified(row.loss, row.case, row.dtype, name.rpartition("_")[2])
    specs = ", ".join(
        f"paddle.static.InputSpec({dimensions}, '{tensor.dtype}', {variable!r}, {not tensor.grad})"
        for variable, (dimensions, tensor) in zip(call.variables, given)
    )
    yield f"net = paddle.jit.to_static(Net(), input_spec=[{specs}], full_graph=True)"
    if name.startswith("to_static_ast"):
        yield f"received = [net({call.names})]"
        if differentiated:
            asked = ", ".join(call.asked)
            yield f"received += paddle.grad(received, [{asked}], [cotangent], allow_unused=True)"
        return
    yield "path = __import__('tempfile').mkdtemp() + '/net'"
    yield "paddle.jit.save(net, path)"
    if name.startswith("saved"):
        yield "with paddle.no_grad():"
        yield f"    received = [paddle.jit.load(path)({call.names})]"
        return
    yield "config = paddle.inference.Config(path + '.json', path + '.pdiparams')"
    yield "config.disable_mkldnn()"
    yield "predictor = paddle.inference.create_predictor(config)"
    yield f"received = [predictor.run([{call.names}])[0].numpy()]"
