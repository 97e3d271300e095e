//! Writes tiny ONNX graphs (onnx.proto3, IR version 8), so that the detector's path is tested without any weights.

/// Side of the input of [`red_detector`] in pixels.
pub const SIDE: i64 = 128;

/// One protobuf message being written.
#[derive(Default, Clone)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
    fn int(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }
    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }
    fn text(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }
    fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }
}

/// TensorProto.DataType.
const F32: i64 = 1;
const F16: i64 = 10;

/// ValueInfoProto of a f32 tensor.
fn value(name: &str, shape: &[i64]) -> Message {
    value_of(F32, name, shape)
}

fn value_of(kind: i64, name: &str, shape: &[i64]) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, d| m.message(1, &Message::default().int(1, *d)));
    let tensor = Message::default().int(1, kind).message(2, &dims);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

/// TensorProto of f32 values.
fn floats(name: &str, shape: &[i64], values: &[f32]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let dims = shape.iter().fold(Message::default(), |m, d| m.int(1, *d));
    dims.int(2, 1).text(8, name).bytes(9, &raw)
}

/// TensorProto of i64 values.
fn ints(name: &str, values: &[i64]) -> Message {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Message::default().int(1, values.len() as i64).int(2, 7).text(8, name).bytes(9, &raw)
}

enum Attribute {
    Int(&'static str, i64),
    Ints(&'static str, Vec<i64>),
}

fn node(kind: &str, inputs: &[&str], output: &str, attributes: &[Attribute]) -> Message {
    let node = inputs.iter().fold(Message::default(), |m, i| m.text(1, i)).text(2, output).text(4, kind);
    attributes.iter().fold(node, |m, a| {
        let attribute = match a {
            Attribute::Int(name, v) => Message::default().text(1, name).int(3, *v).int(20, 2),
            Attribute::Ints(name, v) => v.iter().fold(Message::default().text(1, name), |m, v| m.int(8, *v)).int(20, 7),
        };
        m.message(5, &attribute)
    })
}

fn model(graph: &Message, names: Option<&str>) -> Vec<u8> {
    let opset = Message::default().text(1, "").int(2, 13);
    let model = Message::default().int(1, 8).message(7, graph).message(8, &opset);
    match names {
        Some(names) => model.message(14, &Message::default().text(1, "names").text(2, names)).0,
        None => model.0,
    }
}

/// Cells of the finest grid over which something red is gathered.
const REACH: i64 = 9;

/// A detector in the layout of YOLOX that finds red things of any size up to half its input: `images` [1,3,128,128] BGR to
/// `output` [1,336,7]; the labels, in its metadata unless `names` is `None`, should be two. The cell of the finest grid
/// that lies in the middle of something red says class 0 with a score of its redness and a square as large as what is red.
#[must_use]
pub fn red_detector(names: Option<&str>) -> Vec<u8> {
    red_detector_around(names, 1.0)
}

/// The same with boxes so many times as large: what is red is the middle of something.
#[must_use]
pub fn red_detector_around(names: Option<&str>, times: f32) -> Vec<u8> {
    let grey = 1.0 / 255.0;
    let square = |cell: &dyn Fn(i64, i64) -> f32| -> Vec<f32> {
        let middle = REACH / 2;
        (0..REACH * REACH).map(|i| cell(i % REACH - middle, i / REACH - middle)).collect()
    };
    let around = || {
        let half = REACH / 2;
        [Attribute::Ints("kernel_shape", vec![REACH, REACH]), Attribute::Ints("pads", vec![half; 4])]
    };
    let cells =
        |stride: i64| [Attribute::Ints("kernel_shape", vec![stride; 2]), Attribute::Ints("strides", vec![stride; 2])];
    // A little more to the right and below: two cells that share the middle of something must not both be it.
    let cone = |x: i64, y: i64| 1.0 - (x.abs() + y.abs()) as f32 / REACH as f32 + 0.02 * x as f32 + 0.03 * y as f32;
    // Where the weighted redness around is greatest, something red has its middle.
    let mut graph = Message::default()
        .message(1, &node("AveragePool", &["images"], "mean8", &cells(8)))
        .message(1, &node("Conv", &["mean8", "redness"], "signed", &[]))
        .message(1, &node("Relu", &["signed"], "red", &[]))
        .message(1, &node("Conv", &["red", "all"], "amount", &around()))
        .message(1, &node("Conv", &["red", "cone"], "heaped", &around()))
        .message(1, &node("MaxPool", &["heaped"], "summit", &around()))
        .message(1, &node("Sub", &["heaped", "summit"], "below", &[]))
        .message(1, &node("Mul", &["below", "steep"], "steeply", &[]))
        .message(1, &node("Add", &["steeply", "one"], "near", &[]))
        .message(1, &node("Relu", &["near"], "top", &[]))
        .message(1, &node("Mul", &["top", "red"], "object", &[]))
        .message(1, &node("Add", &["amount", "little"], "some", &[]))
        .message(1, &node("Log", &["some"], "area", &[]))
        .message(1, &node("Mul", &["area", "half"], "red_side", &[]))
        .message(1, &node("Add", &["red_side", "times"], "side", &[]))
        .message(1, &node("Mul", &["red", "zero"], "nought", &[]))
        .message(1, &node("Add", &["nought", "half"], "middle", &[]))
        .message(1, &node("Add", &["nought", "one"], "certain", &[]));
    let channels = ["middle", "middle", "side", "side", "object", "certain", "nought"];
    graph = graph.message(1, &node("Concat", &channels, "grid8", &[Attribute::Int("axis", 1)]));
    // The coarser grids say nothing.
    for stride in [16i64, 32] {
        let [mean, grid] = ["mean", "grid"].map(|what| format!("{what}{stride}"));
        graph = graph
            .message(1, &node("AveragePool", &["images"], &mean, &cells(stride)))
            .message(1, &node("Conv", &[&mean, "nothing"], &grid, &[]));
    }
    let rows = [8, 16, 32].map(|stride| format!("rows{stride}"));
    for (rows, stride) in rows.iter().zip([8, 16, 32]) {
        graph = graph.message(1, &node("Reshape", &[&format!("grid{stride}"), "flat"], rows, &[]));
    }
    let scalars =
        [("steep", 50.0), ("one", 1.0), ("little", 0.01), ("half", 0.5), ("zero", 0.0), ("times", times.ln())];
    for (name, number) in scalars {
        graph = graph.message(5, &floats(name, &[1], &[number]));
    }
    graph = graph
        .message(1, &node("Concat", &rows.each_ref().map(String::as_str), "joined", &[Attribute::Int("axis", 2)]))
        .message(1, &node("Transpose", &["joined"], "output", &[Attribute::Ints("perm", vec![0, 2, 1])]))
        .message(5, &floats("redness", &[1, 3, 1, 1], &[-grey / 2.0, -grey / 2.0, grey]))
        .message(5, &floats("all", &[1, 1, REACH, REACH], &square(&|_, _| 1.0)))
        .message(5, &floats("cone", &[1, 1, REACH, REACH], &square(&cone)))
        .message(5, &floats("nothing", &[7, 3, 1, 1], &[0.0; 21]))
        .message(5, &ints("flat", &[1, 7, -1]))
        .text(2, "red")
        .message(11, &value("images", &[1, 3, SIDE, SIDE]))
        .message(12, &value("output", &[1, 336, 7]));
    model(&graph, names)
}

/// Side of the input of [`blue_classifier`] in pixels.
pub const CLASSIFIER_SIDE: i64 = 32;

/// A classifier of two labels: `image` [1,3,32,32], red, green, blue of 0 to 1, to `logits` [1,2]: on the whole more
/// blue than green, and the other way round.
#[must_use]
pub fn blue_classifier() -> Vec<u8> {
    let graph = Message::default()
        .message(1, &node("GlobalAveragePool", &["image"], "mean", &[]))
        .message(1, &node("Conv", &["mean", "weights"], "both", &[]))
        .message(1, &node("Reshape", &["both", "flat"], "logits", &[]))
        .message(5, &floats("weights", &[2, 3, 1, 1], &[0.0, -20.0, 20.0, 0.0, 20.0, -20.0]))
        .message(5, &ints("flat", &[1, 2]))
        .text(2, "blue")
        .message(11, &value("image", &[1, 3, CLASSIFIER_SIDE, CLASSIFIER_SIDE]))
        .message(12, &value("logits", &[1, 2]));
    model(&graph, None)
}

/// The same shapes, but every number that comes out is none.
#[must_use]
pub fn broken_detector() -> Vec<u8> {
    let graph = Message::default()
        .message(1, &node("ReduceMax", &["images"], "most", &[Attribute::Int("keepdims", 0)]))
        .message(1, &node("Mul", &["most", "none"], "output", &[]))
        .message(5, &floats("none", &[1, 336, 7], &vec![f32::NAN; 336 * 7]))
        .text(2, "broken")
        .message(11, &value("images", &[1, 3, SIDE, SIDE]))
        .message(12, &value("output", &[1, 336, 7]));
    model(&graph, Some("{0: 'person', 1: 'car'}"))
}

/// A graph whose output fits no layout the product knows.
#[must_use]
pub fn foreign_detector() -> Vec<u8> {
    let graph = Message::default()
        .message(1, &node("AveragePool", &["images"], "output", &[Attribute::Ints("kernel_shape", vec![64, 64])]))
        .text(2, "foreign")
        .message(11, &value("images", &[1, 3, SIDE, SIDE]))
        .message(12, &value("output", &[1, 3, 65, 65]));
    model(&graph, None)
}

/// A detector of one of the layouts that want red, green, blue from 0 to 1: `yolov8` `[1,6,336]` or `end2end`
/// `[1,256,6]`, with two labels; `half` for 16-bit numbers in and out. A cell of 8 pixels that is red says class 0 with a
/// score of its redness and a box of 40 pixels around its middle.
#[must_use]
pub fn red_detector_of(family: &str, half: bool, names: Option<&str>) -> Vec<u8> {
    let channel_first = family == "yolov8";
    let strides: &[i64] = if channel_first { &[8, 16, 32] } else { &[8] };
    let kind = if half { F16 } else { F32 };
    let mut graph = Message::default().message(1, &node("Cast", &["images"], "wide", &[Attribute::Int("to", F32)]));
    let (mut joined, mut places) = (Vec::new(), vec![Vec::new(); 6]);
    for &stride in strides {
        let named = |what: &str| format!("{what}{stride}");
        let size = Attribute::Ints("kernel_shape", vec![stride, stride]);
        let steps = Attribute::Ints("strides", vec![stride, stride]);
        graph = graph.message(1, &node("AveragePool", &["wide"], &named("mean"), &[size, steps]));
        let inputs = [named("mean"), named("weights")];
        graph = graph.message(1, &node("Conv", &inputs.each_ref().map(String::as_str), &named("grid"), &[]));
        graph = graph.message(1, &node("Reshape", &[&named("grid"), "flat"], &named("columns"), &[]));
        let mut weights = [0.0f32; 6 * 3];
        if stride == 8 {
            weights[4 * 3..5 * 3].copy_from_slice(&[1.0, -0.5, -0.5]);
        }
        graph = graph.message(5, &floats(&named("weights"), &[6, 3, 1, 1], &weights));
        joined.push(named("columns"));
        for cell in 0..(SIDE / stride) * (SIDE / stride) {
            let middle = |at: i64| (at * stride) as f32 + stride as f32 / 2.0;
            let (x, y) = (middle(cell % (SIDE / stride)), middle(cell / (SIDE / stride)));
            let numbers = if channel_first {
                [x, y, 40.0, 40.0, 0.0, 0.0]
            } else {
                [x - 20.0, y - 20.0, x + 20.0, y + 20.0, 0.0, 0.0]
            };
            places.iter_mut().zip(numbers).for_each(|(channel, n)| channel.push(n));
        }
    }
    let cells = places[0].len() as i64;
    let joined: Vec<_> = joined.iter().map(String::as_str).collect();
    let (order, shape) = if channel_first { ([0, 1, 2], [1, 6, cells]) } else { ([0, 2, 1], [1, cells, 6]) };
    graph = graph
        .message(1, &node("Concat", &joined, "scores", &[Attribute::Int("axis", 2)]))
        .message(1, &node("Add", &["scores", "places"], "all", &[]))
        .message(1, &node("Transpose", &["all"], "turned", &[Attribute::Ints("perm", order.to_vec())]))
        .message(1, &node("Cast", &["turned"], "output", &[Attribute::Int("to", kind)]))
        .message(5, &floats("places", &[1, 6, cells], &places.concat()))
        .message(5, &ints("flat", &[1, 6, -1]))
        .text(2, "red")
        .message(11, &value_of(kind, "images", &[1, 3, SIDE, SIDE]))
        .message(12, &value_of(kind, "output", &shape));
    model(&graph, names)
}
