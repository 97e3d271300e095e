//! ONNX Runtime, loaded at run time: one environment a process, one session a worker, no extra threads.
//!
//! The library of the PyPI wheel phones home unless `ORT_DISABLE_TELEMETRY=1` stands in the environment *before* its
//! environment is created; a safe program cannot set that for itself, so whoever starts this process does, and without
//! it nothing is loaded.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use half::{f16, slice::HalfFloatSliceExt};
use ort::{
    environment::Environment,
    session::builder::GraphOptimizationLevel,
    value::{TensorElementType, TensorRef, ValueType},
};

use crate::domain::refusal::Refusal;

/// The variable that keeps ONNX Runtime from phoning home.
pub const TELEMETRY_OFF: (&str, &str) = ("ORT_DISABLE_TELEMETRY", "1");
/// Where the library may be said to lie: a file or a folder.
pub const LIBRARY_VARIABLE: &str = "VONGLAU_ONNXRUNTIME";
/// The release this was tested with; taken first where several lie together.
const PINNED: &str = "libonnxruntime.so.1.31.1";

static ENVIRONMENT: OnceLock<Result<Environment, Refusal>> = OnceLock::new();

/// Whether the variable that switches telemetry off was set when this process started.
#[must_use]
pub fn telemetry_is_off() -> bool {
    std::env::var_os(TELEMETRY_OFF.0).is_some_and(|v| v == TELEMETRY_OFF.1)
}

/// Where ONNX Runtime's library lies, and the places looked at.
#[must_use]
pub fn library() -> (Option<PathBuf>, Vec<PathBuf>) {
    let mut places: Vec<PathBuf> = std::env::var_os(LIBRARY_VARIABLE).map(PathBuf::from).into_iter().collect();
    if let Some(folder) = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)) {
        places.push(folder.clone());
        places.push(folder.join("../lib/vonglau"));
    }
    places.extend(["/usr/lib/vonglau", "/usr/local/lib/vonglau"].map(PathBuf::from));
    places.push(Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/onnxruntime"));
    (places.iter().find_map(|p| library_in(p)), places)
}

fn library_in(place: &Path) -> Option<PathBuf> {
    if place.is_file() {
        return place.canonicalize().ok();
    }
    let pinned = place.join(PINNED);
    if pinned.is_file() {
        return pinned.canonicalize().ok();
    }
    let named = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libonnxruntime.so"));
    let mut found: Vec<_> = place.read_dir().ok()?.filter_map(|e| e.ok().map(|e| e.path())).filter(named).collect();
    found.sort();
    // Absolute: ort takes a relative path from the program's folder.
    found.pop()?.canonicalize().ok()
}

fn environment() -> Result<&'static Environment, Refusal> {
    ENVIRONMENT.get_or_init(create).as_ref().map_err(Clone::clone)
}

fn create() -> Result<Environment, Refusal> {
    if !telemetry_is_off() {
        let (name, value) = TELEMETRY_OFF;
        return Err(Refusal::new(
            "onnxruntime",
            format!("không nạp ONNX Runtime vì nó có thể gửi dữ liệu ra ngoài; khởi động với {name}={value}"),
            format!("ONNX Runtime is not loaded because it could phone home; start with {name}={value}"),
        ));
    }
    let (found, places) = library();
    let Some(path) = found else {
        let places: Vec<_> = places.iter().map(|p| p.display().to_string()).collect();
        let places = places.join(", ");
        return Err(Refusal::new(
            "onnxruntime",
            format!(
                "chưa cài ONNX Runtime (đã tìm {PINNED} trong {places}); cài gói đi kèm hoặc đặt {LIBRARY_VARIABLE}"
            ),
            format!(
                "ONNX Runtime is not installed (looked for {PINNED} in {places}); install its package or set {LIBRARY_VARIABLE}"
            ),
        ));
    };
    let unusable = |said: String| {
        Refusal::new(
            path.display().to_string(),
            format!("không dùng được thư viện ONNX Runtime này ({said}); cài lại bản 1.31.1"),
            format!("this ONNX Runtime library cannot be used ({said}); install release 1.31.1 again"),
        )
    };
    ort::init_from(&path)
        .map_err(|e| unusable(e.to_string()))?
        .with_name("vonglau")
        .with_telemetry(false)
        .build()
        .map_err(|e| unusable(e.to_string()))
}

/// Which numbers a tensor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbers {
    F32,
    F16,
    Others,
}

/// A tensor's shape, -1 for what may vary, and its element type.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tensor {
    name: String,
    shape: Vec<i64>,
    numbers: Numbers,
    told: String,
}

impl Tensor {
    fn of(outlet: &ort::value::Outlet) -> Self {
        let (shape, numbers, kind) = match outlet.dtype() {
            ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => {
                (shape.to_vec(), Numbers::F32, "f32".to_owned())
            }
            ValueType::Tensor { ty: TensorElementType::Float16, shape, .. } => {
                (shape.to_vec(), Numbers::F16, "f16".to_owned())
            }
            ValueType::Tensor { ty, shape, .. } => (shape.to_vec(), Numbers::Others, format!("{ty:?}").to_lowercase()),
            _ => (Vec::new(), Numbers::Others, "no tensor".to_owned()),
        };
        let told = format!("{} {kind} {shape:?}", outlet.name());
        Self { name: outlet.name().to_owned(), shape, numbers, told }
    }
}

/// A loaded graph.
#[derive(Debug)]
pub struct Session {
    inner: ort::session::Session,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    /// The input of a graph that takes f16, and the output of one that gives f16; their memory is used again.
    halves: Vec<f16>,
    wide: Vec<f32>,
}

impl Session {
    /// Loads a graph from memory: one thread inside and between operators, no spinning.
    ///
    /// # Errors
    /// No ONNX Runtime, or bytes it does not take.
    pub fn load(bytes: &[u8]) -> Result<Self, Refusal> {
        let environment = environment()?;
        let inner = (|| {
            ort::session::Session::builder(environment)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                .with_intra_op_spinning(false)?
                .with_inter_op_spinning(false)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .commit_from_memory(bytes)
        })()
        .map_err(|e: ort::Error| {
            let said = e.to_string();
            let said = said.lines().next().unwrap_or_default();
            Refusal::new(
                "model",
                format!("đây không phải mô hình ONNX chạy được ({said}); kiểm tra lại tệp"),
                format!("this is no ONNX model that runs ({said}); check the file"),
            )
        })?;
        let inputs = inner.inputs().iter().map(Tensor::of).collect();
        let outputs = inner.outputs().iter().map(Tensor::of).collect();
        Ok(Self { inner, inputs, outputs, halves: Vec::new(), wide: Vec::new() })
    }
    /// Inputs and outputs with their shapes, for a person.
    #[must_use]
    pub fn shapes(&self) -> String {
        let list = |tensors: &[Tensor]| tensors.iter().map(|t| t.told.as_str()).collect::<Vec<_>>().join(", ");
        format!("input {}; output {}", list(&self.inputs), list(&self.outputs))
    }
    /// Width and height of the single f32 or f16 `[1,3,H,W]` input; `told` fills in what the graph leaves open and must
    /// agree with the rest.
    #[must_use]
    pub fn input(&self, told: Option<[u32; 2]>) -> Option<[u32; 2]> {
        let [input] = self.inputs.as_slice() else { return None };
        let [batch, channels, height, width] = input.shape.as_slice() else { return None };
        if input.numbers == Numbers::Others || !matches!(batch, -1 | 1) || *channels != 3 {
            return None;
        }
        let side = |found: i64, told: Option<u32>| match (u32::try_from(found).ok(), told) {
            (Some(found), Some(told)) => (found == told).then_some(found),
            (found, told) => found.or(told),
        };
        let [width, height] = [side(*width, told.map(|t| t[0]))?, side(*height, told.map(|t| t[1]))?];
        (1..=4096).contains(&width).then_some([width, height]).filter(|_| (1..=4096).contains(&height))
    }
    /// The two lengths of the single f32 or f16 `[1,a,b]` output; `None` for one that the graph leaves open.
    #[must_use]
    pub fn output(&self) -> Option<[Option<usize>; 2]> {
        let [output] = self.outputs.as_slice() else { return None };
        let [batch, a, b] = *output.shape.as_slice() else { return None };
        let fits = output.numbers != Numbers::Others && matches!(batch, -1 | 1);
        fits.then(|| [a, b].map(|length| usize::try_from(length).ok()))
    }
    /// A text in the model's own metadata.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<String> {
        self.inner.metadata().ok()?.custom(key)
    }
    /// Runs the graph on its one input and hands its first output to `read`.
    ///
    /// # Errors
    /// What ONNX Runtime said.
    pub fn run<T>(
        &mut self,
        shape: [usize; 4],
        input: &[f32],
        read: impl FnOnce(&[i64], &[f32]) -> T,
    ) -> Result<T, String> {
        let said = |e: ort::Error| e.to_string();
        let Some(Tensor { name, numbers, .. }) = self.inputs.first() else { return Err("it has no input".to_owned()) };
        let outputs = if *numbers == Numbers::F16 {
            self.halves.resize(input.len(), f16::ZERO);
            self.halves.convert_from_f32_slice(input);
            let tensor = TensorRef::from_array_view((shape, self.halves.as_slice())).map_err(said)?;
            self.inner.run(ort::inputs![name.as_str() => tensor]).map_err(said)?
        } else {
            let tensor = TensorRef::from_array_view((shape, input)).map_err(said)?;
            self.inner.run(ort::inputs![name.as_str() => tensor]).map_err(said)?
        };
        if self.outputs.first().is_some_and(|o| o.numbers == Numbers::F16) {
            let (shape, values) = outputs[0].try_extract_tensor::<f16>().map_err(said)?;
            self.wide.resize(values.len(), 0.0);
            values.convert_to_f32_slice(&mut self.wide);
            return Ok(read(shape, &self.wide));
        }
        let (shape, values) = outputs[0].try_extract_tensor::<f32>().map_err(said)?;
        Ok(read(shape, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tested_release_is_taken_before_a_newer_one_and_a_folder_without_any_gives_none() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        assert_eq!(library_in(folder.path()), None);
        assert_eq!(library_in(&at("nowhere")), None);
        for (name, taken) in [
            ("libonnxruntime_providers_shared.so", None),
            ("libonnxruntime.so.1.30.0", Some("libonnxruntime.so.1.30.0")),
            ("libonnxruntime.so.1.32.0", Some("libonnxruntime.so.1.32.0")),
            (PINNED, Some(PINNED)),
        ] {
            std::fs::write(at(name), b"").unwrap();
            assert_eq!(library_in(folder.path()), taken.map(at));
        }
        assert_eq!(library_in(&at("libonnxruntime.so.1.30.0")), Some(at("libonnxruntime.so.1.30.0")), "a file said");
    }
}
