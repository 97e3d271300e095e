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

/// ValueInfoProto of a f32 tensor.
fn value(name: &str, shape: &[i64]) -> Message {
    let dims = shape.iter().fold(Message::default(), |m, d| m.message(1, &Message::default().int(1, *d)));
    let tensor = Message::default().int(1, 1).message(2, &dims);
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

/// A detector in the layout of YOLOX that finds red: `images` [1,3,128,128] BGR to `output` [1,336,7]; the labels, in
/// its metadata unless `names` is `None`, should be two. A cell of the finest grid that is red by at least a third says
/// class 0 with a score of its redness and a box of 40 pixels around its middle.
#[must_use]
pub fn red_detector(names: Option<&str>) -> Vec<u8> {
    let grey = 1.0 / 255.0;
    // Outputs: cx, cy, w, h, object, class 0, class 1. Blue, green and red go into `object` alone.
    let mut weights = vec![0.0f32; 7 * 3];
    weights[4 * 3..5 * 3].copy_from_slice(&[-grey / 2.0, -grey / 2.0, grey]);
    let width = 5.0f32.ln();
    let fine = [0.5, 0.5, width, width, 0.0, 1.0, 0.0];
    let coarse = [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0];
    let mut graph = Message::default();
    let mut joined = Vec::new();
    for stride in [8i64, 16, 32] {
        let named = |what: &str| format!("{what}{stride}");
        let size = Attribute::Ints("kernel_shape", vec![stride, stride]);
        let steps = Attribute::Ints("strides", vec![stride, stride]);
        graph = graph.message(1, &node("AveragePool", &["images"], &named("mean"), &[size, steps]));
        let inputs = [named("mean"), named("weights"), named("bias")];
        graph = graph.message(1, &node("Conv", &inputs.each_ref().map(String::as_str), &named("grid"), &[]));
        graph = graph.message(1, &node("Reshape", &[&named("grid"), "flat"], &named("rows"), &[]));
        let (w, b) = if stride == 8 { (weights.clone(), fine) } else { (vec![0.0; 21], coarse) };
        graph = graph.message(5, &floats(&named("weights"), &[7, 3, 1, 1], &w));
        graph = graph.message(5, &floats(&named("bias"), &[7], &b));
        joined.push(named("rows"));
    }
    let joined: Vec<_> = joined.iter().map(String::as_str).collect();
    graph = graph
        .message(1, &node("Concat", &joined, "all", &[Attribute::Int("axis", 2)]))
        .message(1, &node("Transpose", &["all"], "output", &[Attribute::Ints("perm", vec![0, 2, 1])]))
        .message(5, &ints("flat", &[1, 7, -1]))
        .text(2, "red")
        .message(11, &value("images", &[1, 3, SIDE, SIDE]))
        .message(12, &value("output", &[1, 336, 7]));
    model(&graph, names)
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
