"""A detector of the family `yolov8` through ONNX Runtime, as the program runs it."""
import numpy as np

from .boxes import nms
from .yolox import letterbox, session


class Detector:
    """Called with a BGR picture: rows of label, score, x0, y0, x1, y1 in its pixels."""

    def __init__(self, path, least=0.05):
        self.session = session(path)
        self.side = self.session.get_inputs()[0].shape[2]
        self.least = least

    def __call__(self, picture):
        canvas, scale = letterbox(picture, self.side)
        tensor = np.ascontiguousarray(canvas[..., ::-1].transpose(2, 0, 1)[None], np.float32) / 255
        return rows_of(self.session.run(None, {"images": tensor})[0][0], scale, self.least)


def rows_of(out, scale, least):
    """One output `[4+classes,N]` after suppression within each class."""
    label = out[4:].argmax(0)
    score = out[4 + label, np.arange(out.shape[1])]
    keep = score > least
    middle, size = out[:2, keep].T, out[2:4, keep].T
    boxes = np.concatenate([middle - size / 2, middle + size / 2], 1) / scale
    rows = np.concatenate([label[keep, None], score[keep, None], boxes], 1).astype(np.float32)
    return rows[nms(rows[:, 2:], rows[:, 1], 0.5, rows[:, 0])]
