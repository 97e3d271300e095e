"""YOLOX-nano through ONNX Runtime: the teacher, and the peer of the benchmark (Megvii, `yolox/models/yolo_head.py`)."""
import cv2
import numpy as np
import onnxruntime

from .boxes import nms


def session(path_or_bytes, threads=1):
    """ONNX Runtime on so many threads, as the program uses it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = path_or_bytes if isinstance(path_or_bytes, bytes) else str(path_or_bytes)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def letterbox(picture, side):
    """Scaled to fit into the upper left corner, grey around; and the scale."""
    height, width = picture.shape[:2]
    scale = min(side / height, side / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = np.full((side, side, 3), 114, np.uint8)
    canvas[:size[1], :size[0]] = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    return canvas, scale


class Yolox:
    """Called with a BGR picture: rows of label, score, x0, y0, x1, y1 in its pixels."""

    side = 416

    def __init__(self, path, least=0.05):
        self.session = session(path)
        self.least = least
        grids = []
        for stride in (8, 16, 32):
            n = self.side // stride
            y, x = np.mgrid[:n, :n]
            grids.append(np.stack([x.ravel(), y.ravel(), np.full(n * n, stride)], 1))
        self.grid = np.concatenate(grids).astype(np.float32)

    def __call__(self, picture):
        canvas, scale = letterbox(picture, self.side)
        out = self.session.run(None, {"images": canvas.transpose(2, 0, 1)[None].astype(np.float32)})[0][0]
        keep = out[:, 4] > self.least
        out, grid = out[keep], self.grid[keep]
        scores = out[:, 4:5] * out[:, 5:]
        label = scores.argmax(1)
        score = scores[np.arange(len(scores)), label]
        keep = score > self.least
        out, grid, label, score = out[keep], grid[keep], label[keep], score[keep]
        centre = (out[:, :2] + grid[:, :2]) * grid[:, 2:]
        size = np.exp(out[:, 2:4]) * grid[:, 2:]
        boxes = np.concatenate([centre - size / 2, centre + size / 2], 1) / scale
        rows = np.concatenate([label[:, None], score[:, None], boxes], 1).astype(np.float32)
        return rows[nms(rows[:, 2:], rows[:, 1], 0.5, rows[:, 0])]
