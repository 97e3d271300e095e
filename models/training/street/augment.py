"""Training pictures as the program's cameras and its packing show them: parts of pictures side by side on one canvas,
near and far, by day and by night, compressed and blurred."""
import cv2
import numpy as np

PAD = 114
# Of an object that is cut, the share that must be left for it to count, and less than which it is forgotten.
ENOUGH, TRACE = 0.35, 0.05
SMALLEST = 3.0
# Side of the detector's input in use.
NOMINAL = 384


def tiles(rng, side):
    """Rectangles that cover the canvas, with a gap between."""
    kind = rng.random()
    # A small canvas is a window into a large one: objects keep their size, so it is divided less often.
    if side < NOMINAL:
        kind *= 0.85
    if kind < (0.4 if side >= NOMINAL else 0.6):
        return [(0, 0, side, side)]
    if kind < 0.75:
        x, y = (int(rng.uniform(0.3, 0.7) * side) for _ in range(2))
        xs, ys = ((0, x - 2), (x + 2, side)), ((0, y - 2), (y + 2, side))
        return [(x0, y0, x1 - x0, y1 - y0) for x0, x1 in xs for y0, y1 in ys]
    if kind < 0.85:
        cut = int(rng.uniform(0.35, 0.65) * side)
        if rng.random() < 0.5:
            return [(0, 0, cut - 2, side), (cut + 2, 0, side - cut - 2, side)]
        return [(0, 0, side, cut - 2), (0, cut + 2, side, side - cut - 2)]
    third = side // 3
    cells = [(x * third, y * third, third - 4, third - 4) for x in range(3) for y in range(3)]
    return [cell for cell in cells if rng.random() < 0.8] or cells[:1]


def place(rng, picture, known, tile, canvas):
    """Draws a part of a picture into a tile; boxes and areas that remain, in pixels of the canvas."""
    x, y, w, h = tile
    height, width = picture.shape[:2]
    fit = max(w / width, h / height) * max(1.0, NOMINAL / len(canvas)) ** rng.uniform(0.0, 0.9)
    scale = fit * np.exp(rng.uniform(np.log(0.55), np.log(1.9)))
    across = scale * np.exp(rng.normal(0, 0.06))
    # Where there are objects, the window looks at one of them mostly.
    if len(known.boxes) and rng.random() < 0.75:
        likely = 1.0 + 4.0 * ((known.sets & 0b111) != 0)
        box = known.boxes[rng.choice(len(known.boxes), p=likely / likely.sum())]
        centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
        centre = centre * (width * across, height * scale) + rng.uniform(-0.4, 0.4, 2) * (w, h)
    else:
        centre = rng.uniform(0, 1, 2) * (width * across, height * scale)
    left = shift(centre[0], width * across, w)
    top = shift(centre[1], height * scale, h)
    flip = rng.random() < 0.5
    matrix = np.array([[across, 0, -left], [0, scale, -top]], np.float32)
    if flip:
        matrix[0] = -across, 0, w - 1 + left
    # Few pixels of the source would be looked at: shrink by area first.
    source = picture
    if scale < 0.6:
        source = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= 2
    part = cv2.warpAffine(source, matrix, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                          borderValue=(PAD, PAD, PAD))
    canvas[y:y + h, x:x + w] = part

    def moved(boxes):
        xs = boxes[:, 0::2] * width * across - left
        if flip:
            xs = (w - xs)[:, ::-1]
        ys = boxes[:, 1::2] * height * scale - top
        full = np.stack([xs[:, 0], ys[:, 0], xs[:, 1], ys[:, 1]], 1)
        cut = np.clip(full, 0, [w, h, w, h])
        area = lambda r: np.prod(r[:, 2:] - r[:, :2], 1)
        return cut + [x, y, x, y], area(cut) / np.maximum(area(full), 1e-6)

    boxes, rest = moved(known.boxes)
    areas, seen = moved(known.areas)
    small = (boxes[:, 2:] - boxes[:, :2]).min(1, initial=1e9, ) < SMALLEST
    keep = (rest > ENOUGH) & ~small
    lost = ~keep & (rest > TRACE)
    seen = seen > TRACE
    return (boxes[keep], known.sets[keep], np.concatenate([areas[seen], boxes[lost]]),
            np.concatenate([known.left_out[seen], known.sets[lost]]))


def shift(centre, full, window):
    """Start of a window about a centre that does not look past a picture that is larger than it."""
    if full <= window:
        return -(window - full) * 0.5
    return float(np.clip(centre - window / 2, 0, full - window))


def weather(rng, canvas):
    """Light, camera and compression."""
    look = rng.random(8)
    if look[0] < 0.12:
        canvas = cv2.cvtColor(cv2.cvtColor(canvas, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    elif look[0] < 0.6:
        grey = canvas.mean(2, keepdims=True, dtype=np.float32).astype(np.uint8)
        share = float(rng.uniform(0.5, 1.4))
        canvas = cv2.addWeighted(canvas, share, np.broadcast_to(grey, canvas.shape).copy(), 1 - share, 0)
    gamma, gain, lift = np.exp(rng.normal(0, 0.25)), np.exp(rng.normal(0, 0.18)), rng.normal(0, 10)
    if look[1] < 0.12:
        gamma, gain = rng.uniform(1.4, 2.4), rng.uniform(0.5, 0.9)
    tint = np.exp(rng.normal(0, 0.05, 3)) if look[0] >= 0.12 else np.ones(3)
    steps = np.linspace(0, 1, 256)[:, None] ** gamma * 255 * gain * tint + lift
    canvas = cv2.LUT(canvas, np.clip(steps, 0, 255).astype(np.uint8)[None])
    if look[2] < 0.08:
        length = int(rng.integers(3, 8))
        kernel = np.zeros((length, length), np.float32)
        if rng.random() < 0.7:
            kernel[length // 2] = 1 / length
        else:
            np.fill_diagonal(kernel, 1 / length)
        canvas = cv2.filter2D(canvas, -1, kernel)
    elif look[2] < 0.2:
        small = cv2.resize(canvas, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
        canvas = cv2.resize(small, canvas.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    if look[3] < 0.12 or look[1] < 0.12:
        noise = rng.normal(0, rng.uniform(3, 12), canvas.shape[:2]).astype(np.int16)
        canvas = np.clip(canvas.astype(np.int16) + noise[..., None], 0, 255).astype(np.uint8)
    if look[4] < 0.03:
        for x, y in rng.integers(0, canvas.shape[0], (60, 2)):
            cv2.line(canvas, (int(x), int(y)), (int(x) + 2, int(y) + int(rng.integers(8, 20))), (190, 190, 190), 1)
    if look[5] < 0.15:
        quality = int(rng.integers(18, 60))
        canvas = cv2.imdecode(cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return canvas


def sample(rng, pictures, known, chances, side):
    """One canvas with what is on it: picture, boxes, sets, areas, left_out, weights a cell of 8 pixels."""
    canvas = np.full((side, side, 3), PAD, np.uint8)
    cells = side // 8
    weights = np.ones((cells, cells, 6), np.float32)
    parts = []
    for tile in tiles(rng, side):
        i = int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))
        parts.append(place(rng, pictures[i], known[i], tile, canvas))
        x, y, w, h = (v // 8 for v in tile)
        weights[y:y + h + 1, x:x + w + 1] = known[i].weights
    boxes, sets, areas, left_out = (np.concatenate(part) for part in zip(*parts))
    return weather(rng, canvas), boxes.astype(np.float32), sets, areas.astype(np.float32), left_out, weights
