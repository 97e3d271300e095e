"""From a checkpoint to ONNX, written operator by operator: normalisation folded into the convolutions, weights kept as
16 bit numbers (half the size, widened when the file is loaded), the output as the family `yolov8` has it."""
import argparse
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import checkpoint
from .labels import NAMES
from .net import CLASSES, STRIDES, Street, centres


class Graph:
    """Nodes and numbers, and names for them."""

    def __init__(self):
        self.nodes, self.numbers = [], []

    def name(self):
        return f"v{len(self.nodes) + len(self.numbers)}"

    def put(self, kind, inputs, output=None, **attributes):
        output = output or self.name()
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def number(self, values):
        name = self.name()
        self.numbers.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def wide(self, values):
        """A constant kept in 16 bits."""
        return self.put("Cast", [self.number(values.astype(np.float16))], to=TensorProto.FLOAT)

    def conv(self, layer, x):
        """street.net.Conv"""
        norm = layer.norm
        scale = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach()
        weight = (layer.conv.weight.detach() * scale[:, None, None, None]).numpy()
        bias = (norm.bias.detach() - norm.running_mean * scale).numpy()
        x = self.plain(weight, bias, x, layer.conv.stride[0])
        return self.put("Relu", [x]) if layer.relu else x

    def plain(self, weight, bias, x, stride=1):
        side = weight.shape[-1]
        return self.put("Conv", [x, self.wide(weight), self.number(bias.astype(np.float32))], kernel_shape=[side, side],
                        strides=[stride, stride], pads=[side // 2] * 4)

    def block(self, layer, x):
        y = self.conv(layer.right, x)
        for pair in layer.pairs:
            z = self.conv(pair.second, self.conv(pair.first, y))
            y = self.put("Add", [y, z]) if pair.add else z
        return self.conv(layer.join, self.join([self.conv(layer.left, x), y]))

    def join(self, parts, axis=1):
        return self.put("Concat", parts, axis=axis)

    def pool(self, layer, x):
        parts = [self.conv(layer.enter, x)]
        for _ in range(3):
            parts.append(self.put("MaxPool", [parts[-1]], kernel_shape=[5, 5], pads=[2, 2, 2, 2], strides=[1, 1]))
        return self.conv(layer.leave, self.join(parts))

    def twice(self, x):
        return self.put("Resize", [x, "", self.number(np.array([1, 1, 2, 2], np.float32))], mode="nearest",
                        coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    def body(self, net, x):
        """street.net.Street.forward"""
        x8 = self.block(net.block8, self.conv(net.down8, self.conv(net.down4, self.conv(net.stem, x))))
        x16 = self.block(net.block16, self.conv(net.down16, x8))
        x32 = self.pool(net.pool, self.block(net.block32, self.conv(net.down32, x16)))
        p16 = self.block(net.up16, self.join([x16, self.twice(self.conv(net.narrow32, x32))]))
        p8 = self.block(net.up8, self.join([x8, self.twice(self.conv(net.narrow16, p16))]))
        p16 = self.block(net.out16, self.join([self.conv(net.again16, p8), p16]))
        p32 = self.block(net.out32, self.join([self.conv(net.again32, p16), x32]))
        return p8, p16, p32

    def head(self, head, x):
        """Sides and scores of one grid, `[1,channels,cells]` each. Both by one convolution, whose weights are 0 where
        the one does not look at what the other does."""
        x = self.conv(head.look, x)
        sides, scores = head.sides.weight.detach().numpy(), head.scores.weight.detach().numpy()
        weight = np.zeros((4 + CLASSES, sides.shape[1] + scores.shape[1], 1, 1), np.float32)
        weight[:4, :sides.shape[1]], weight[4:, sides.shape[1]:] = sides, scores
        bias = np.concatenate([head.sides.bias.detach().numpy(), head.scores.bias.detach().numpy()])
        x = self.plain(weight, bias, x)
        return self.put("Reshape", [x, self.number(np.array([1, 4 + CLASSES, -1], np.int64))])

    def whole(self, net, side):
        found = self.join([self.head(h, p) for h, p in zip(net.heads, self.body(net, "images"))], 2)
        part = lambda a, b: self.put("Slice", [found, self.number(np.array([a])), self.number(np.array([b])),
                                               self.number(np.array([1]))])
        cells = [centres(side // s, side // s).numpy().T * s for s in STRIDES]
        stride = np.concatenate([np.full(c.shape[1], s) for c, s in zip(cells, STRIDES)]).astype(np.float32)
        sides = self.put("Mul", [self.put("Softplus", [part(0, 4)]), self.number(stride[None, None])])
        low, high = (self.put("Slice", [sides, self.number(np.array([a])), self.number(np.array([a + 2])),
                                        self.number(np.array([1]))]) for a in (0, 2))
        middle = self.number(np.concatenate(cells, 1)[None].astype(np.float32))
        half = self.put("Mul", [self.put("Sub", [high, low]), self.number(np.float32(0.5))])
        boxes = [self.put("Add", [middle, half]), self.put("Add", [low, high])]
        return self.put("Concat", boxes + [self.put("Sigmoid", [part(4, 4 + CLASSES)])], "output0", axis=1)


def onnx_of(net, side, about):
    """The file's bytes."""
    net = net.eval().cpu().float()
    graph = Graph()
    graph.whole(net, side)
    count = sum((side // s) ** 2 for s in STRIDES)
    inner = helper.make_graph(
        graph.nodes, "street", [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + CLASSES, count])], graph.numbers)
    model = helper.make_model(inner, opset_imports=[helper.make_opsetid("", 13)], producer_name="vonglau")
    model.ir_version = 8
    about = {"names": json.dumps(list(NAMES)), **about}
    helper.set_model_props(model, about)
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0])
    parser.add_argument("--weights", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--size", default="street")
    parser.add_argument("--side", type=int, default=416)
    parser.add_argument("--licence", default="")
    args = parser.parse_args()
    args.out.write_bytes(onnx_of(checkpoint.fill(Street(args.size), args.weights), args.side, {"license": args.licence}))


if __name__ == "__main__":
    main()
