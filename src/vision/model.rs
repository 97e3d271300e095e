//! What a detector is: bytes, layout, labels, licence. This side reads no ONNX: a hostile file meets only the child.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::classifier::is_classifier;
use crate::domain::{detection::Class, refusal::Refusal};

/// The most bytes a model file may have.
pub const MODEL_BYTES_MAX: u64 = 512 << 20;

/// What is said where there is no detector.
pub const NO_DETECTOR: &str =
    "không dùng mô hình nhận dạng, chỉ phát hiện chuyển động / no detector in use: only motion is seen";
/// What is said of one that ends the child.
pub const DEADLY_MODEL: &str = "mô hình nhận dạng làm tiến trình phân tích dừng đột ngột; hãy đổi mô hình / the detector's model crashes the \
     analysis; use another one";

const CATALOG: &str = include_str!("../../models/catalog.toml");
/// The detector trained here (`models/README.md` says with what and how well it sees).
const STREET: &[u8] = include_bytes!("../../models/street.onnx");
const STREET_TOLD: &str = include_str!("../../models/street.toml");

/// How a detector's input and output are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Megvii YOLOX: input BGR 0–255; output `[1,N,5+classes]`, a row a grid cell.
    Yolox,
    /// YOLOv8 and its kin: input RGB 0–1; output `[1,4+classes,N]`, channel first, no objectness.
    Yolov8,
    /// Detectors that suppress by themselves: input RGB 0–1; output `[1,N,6]`: corners, score, label.
    End2end,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Yolox, Self::Yolov8, Self::End2end];

    /// Its name, as descriptions have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Yolox => "yolox",
            Self::Yolov8 => "yolov8",
            Self::End2end => "end2end",
        }
    }
}

/// What is known about a detector before it is loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// What people call it.
    pub name: String,
    /// The licence it came under; empty when unknown.
    pub licence: String,
    /// Its layout; `None` means: find out from its shapes.
    pub family: Option<Family>,
    /// Width and height of its input in pixels; `None` means: as its shapes say.
    pub input: Option<[u32; 2]>,
    /// Whether its boxes are pixels already, not offsets in a grid.
    pub decoded: bool,
    /// Its labels in order; empty means: as its metadata says.
    pub labels: Vec<String>,
    /// What labels stand for that do not carry the name of a class.
    pub classes: BTreeMap<String, Class>,
    /// Least score of a detection, 0..=1.
    pub threshold: f32,
}

/// A detector ready to be loaded.
#[derive(Debug, Clone)]
pub struct Model {
    /// The ONNX file.
    pub bytes: Bytes,
    /// SHA-256, hex.
    pub sha256: String,
    /// What is known about it.
    pub spec: ModelSpec,
}

/// A description as written in a `.toml` beside a model or in the catalog.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Option<String>,
    #[serde(default)]
    licence: String,
    family: Family,
    input: Option<[u32; 2]>,
    #[serde(default)]
    decoded: bool,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    classes: BTreeMap<String, Class>,
    threshold: Option<f32>,
    sha256: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    model: Vec<Written>,
}

/// Score under which a detection is not looked at, when its description gives none.
const THRESHOLD: f32 = 0.3;

impl Written {
    fn checked(self, place: &str, file_name: &str) -> Result<ModelSpec, Refusal> {
        let threshold = self.threshold.unwrap_or(THRESHOLD);
        if !(0.01..=1.0).contains(&threshold) {
            return Err(Refusal::new(
                format!("{place}: threshold"),
                format!("ngưỡng {threshold} không hợp lệ; ghi một số từ 0.01 đến 1"),
                format!("a threshold of {threshold} makes no sense; write 0.01 to 1"),
            ));
        }
        if let Some([w, h]) = self.input.filter(|side| side.iter().any(|s| *s == 0 || *s > 4096 || s % 32 != 0)) {
            return Err(Refusal::new(
                format!("{place}: input"),
                format!("kích thước đầu vào {w}×{h} không hợp lệ; mỗi cạnh là bội số của 32, nhiều nhất 4096"),
                format!("an input of {w}×{h} makes no sense; each side is a multiple of 32, at most 4096"),
            ));
        }
        if !self.labels.is_empty() {
            known_labels(&self.labels, &self.classes)
                .map_err(|r| Refusal { place: format!("{place}: {}", r.place), ..r })?;
        }
        Ok(ModelSpec {
            name: self.name.unwrap_or_else(|| file_name.to_owned()),
            licence: self.licence,
            family: Some(self.family),
            input: self.input,
            decoded: self.decoded,
            labels: self.labels,
            classes: self.classes,
            threshold,
        })
    }
}

/// The class each label stands for, first by `told`, then by its name; `None` for those the product does not look at.
///
/// # Errors
/// When not one of them is known, or `told` speaks of one that is not there.
pub fn known_labels(labels: &[String], told: &BTreeMap<String, Class>) -> Result<Vec<Option<Class>>, Refusal> {
    if let Some(stranger) = told.keys().find(|key| !labels.contains(key)) {
        return Err(Refusal::new(
            "classes",
            format!("không có nhãn «{stranger}»; ghi đúng tên nhãn của mô hình"),
            format!("there is no label “{stranger}”; write the label as the model has it"),
        ));
    }
    let classes: Vec<_> = labels.iter().map(|l| told.get(l).copied().or_else(|| Class::from_label(l))).collect();
    if classes.iter().any(Option::is_some) {
        return Ok(classes);
    }
    let known = Class::ALL.map(Class::name).join(", ");
    let first: Vec<_> = labels.iter().take(5).map(String::as_str).collect();
    Err(Refusal::new(
        "labels",
        format!("không nhãn nào ({}…) là loại phần mềm biết; cần ít nhất một trong: {known}", first.join(", ")),
        format!("none of the labels ({}…) is a class this program knows; at least one of: {known}", first.join(", ")),
    ))
}

impl Model {
    /// A model from its bytes.
    #[must_use]
    pub fn of(bytes: Bytes, spec: ModelSpec) -> Self {
        Self { sha256: hex::encode(Sha256::digest(&bytes)), bytes, spec }
    }
    /// The detector that is part of this program.
    #[must_use]
    pub fn street() -> Self {
        let sha256 = hex::encode(Sha256::digest(STREET));
        let spec = described(STREET_TOLD, "models/street.toml", "street", &sha256).expect("a test reads it");
        Self { bytes: Bytes::from_static(STREET), sha256, spec }
    }
    /// Reads a model and what describes it: a `.toml` beside it, else its SHA-256 in the catalog built in, else
    /// nothing, and the child finds out from the file itself when that is unambiguous.
    ///
    /// # Errors
    /// A file that is missing, empty, too large or not readable; a description with an unknown key or a wrong value.
    pub fn load(path: &Path) -> Result<Self, Refusal> {
        let place = path.display().to_string();
        let unreadable = |e: std::io::Error| {
            Refusal::new(
                place.clone(),
                format!("không đọc được tệp mô hình ({e}); kiểm tra đường dẫn và quyền đọc"),
                format!("the model file cannot be read ({e}); check its path and permissions"),
            )
        };
        let meta = std::fs::metadata(path).map_err(unreadable)?;
        if !meta.is_file() || meta.len() == 0 || meta.len() > MODEL_BYTES_MAX {
            return Err(Refusal::new(
                place,
                "đây không phải tệp mô hình; cần một tệp .onnx không rỗng, nhiều nhất 512 MiB",
                "this is no model file; give an .onnx file that is not empty, at most 512 MiB",
            ));
        }
        if is_classifier(path) {
            return Err(Refusal::new(
                place,
                "đây là mô hình phụ (classifier), không phải bộ nhận dạng; chép vào thư mục models, luật attribute sẽ dùng",
                "this is an extra classifier, no detector; put it into the folder models, for rules of the kind attribute",
            ));
        }
        let bytes = Bytes::from(std::fs::read(path).map_err(unreadable)?);
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let name = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
        let beside = path.with_extension("toml");
        let spec = match std::fs::read_to_string(&beside) {
            Ok(text) => described(&text, &beside.display().to_string(), &name, &sha256)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => match catalogued(&sha256) {
                Some(spec) => spec,
                None => ModelSpec {
                    name,
                    licence: String::new(),
                    family: None,
                    input: None,
                    decoded: false,
                    labels: Vec::new(),
                    classes: BTreeMap::new(),
                    threshold: THRESHOLD,
                },
            },
            Err(e) => return Err(Refusal { place: beside.display().to_string(), ..unreadable(e) }),
        };
        Ok(Self { bytes, sha256, spec })
    }
    /// The first `.onnx` of a folder in the order of names that is no extra classifier; `None` when there is none or no
    /// such folder.
    ///
    /// # Errors
    /// As [`Model::load`], and a folder that cannot be read.
    pub fn from_folder(folder: &Path) -> Result<Option<Self>, Refusal> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => {
                return Err(Refusal::new(
                    folder.display().to_string(),
                    format!("không đọc được thư mục mô hình ({e}); kiểm tra quyền đọc"),
                    format!("the folder of models cannot be read ({e}); check its permissions"),
                ));
            }
        };
        let mut files: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
        files.retain(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) && !is_classifier(p));
        files.sort();
        files.first().map(|p| Self::load(p)).transpose()
    }
}

/// Keys of a description.
const KEYS: &str = "name, licence, family, input, decoded, labels, classes, threshold, sha256";

fn described(text: &str, place: &str, file_name: &str, sha256: &str) -> Result<ModelSpec, Refusal> {
    let written: Written = toml::from_str(text).map_err(|e| {
        let said = e.to_string();
        let said = said.trim().replace('\n', " ");
        Refusal::new(
            place,
            format!("mô tả mô hình sai: {said}; các khóa: {KEYS}"),
            format!("the model's description is wrong: {said}; its keys: {KEYS}"),
        )
    })?;
    if written.sha256.as_ref().is_some_and(|s| !s.eq_ignore_ascii_case(sha256)) {
        return Err(Refusal::new(
            format!("{place}: sha256"),
            format!("mô hình không phải tệp được mô tả (SHA-256 của tệp: {sha256}); chép lại tệp hoặc sửa mô tả"),
            format!(
                "the model is not the file described (its SHA-256: {sha256}); copy it again or mend the description"
            ),
        ));
    }
    written.checked(place, file_name)
}

fn catalogued(sha256: &str) -> Option<ModelSpec> {
    let catalog: Catalog = toml::from_str(CATALOG).expect("a test reads the embedded catalog");
    let found = catalog.model.into_iter().find(|m| m.sha256.as_deref() == Some(sha256))?;
    Some(found.checked("models/catalog.toml", "").expect("a test checks every entry"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_catalog_is_sound_and_has_a_digest_and_a_licence() {
        let catalog: Catalog = toml::from_str(CATALOG).unwrap();
        for entry in catalog.model {
            let sha256 = entry.sha256.clone().expect("sha256");
            assert!(sha256.len() == 64 && sha256.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()));
            let spec = entry.checked("catalog", "").unwrap();
            assert!(!spec.name.is_empty() && !spec.licence.is_empty(), "{spec:?}");
        }
        let nano = catalogued("695e750a5d5754bb5a8d5325643b59282191a7e7a564e435a415fd3c578eab14").unwrap();
        assert_eq!((nano.labels.len(), nano.input), (80, Some([416, 416])));
        let classes = known_labels(&nano.labels, &BTreeMap::new()).unwrap();
        assert_eq!(classes[0], Some(Class::Person));
        assert_eq!(classes[3], Some(Class::Motorcycle));
        assert_eq!(classes.iter().flatten().count(), 6);
    }

    #[test]
    fn the_detector_that_is_part_of_the_program_is_small_and_sees_every_class() {
        let street = Model::street();
        assert!(street.bytes.len() <= 4_000_000, "{} bytes", street.bytes.len());
        assert_eq!(street.spec.licence, "Apache-2.0");
        assert_eq!(street.spec.labels, Class::ALL.map(Class::name));
    }

    #[test]
    fn a_description_beside_the_model_is_strict() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("a.onnx");
        std::fs::write(&model, b"not read here").unwrap();
        assert_eq!(Model::load(&model).unwrap().spec.family, None, "left to the child");
        let beside = folder.path().join("a.toml");
        let refused = |text: &str, word: &str| {
            std::fs::write(&beside, text).unwrap();
            let refusal = Model::load(&model).unwrap_err();
            assert!(refusal.place.contains("a.toml") && refusal.en.contains(word), "{refusal}");
        };
        refused("family = \"yolox\"\nfamly = 1", "famly");
        refused("family = \"yolo\"", "yolox");
        refused("family = \"yolox\"\nthreshold = 7", "threshold");
        refused("family = \"yolox\"\ninput = [400, 416]", "multiple of 32");
        refused("family = \"yolox\"\nlabels = [\"cat\"]", "motorcycle");
        refused("family = \"yolox\"\nsha256 = \"00\"", "SHA-256");
        refused("family = \"yolov8\"\nlabels = [\"xe may\"]\n[classes]\n\"xe tai\" = \"truck\"", "xe tai");
        refused("family = \"yolov8\"\nlabels = [\"xe may\"]\n[classes]\n\"xe may\" = \"moped\"", "moped");
        std::fs::write(&beside, "family = \"yolox\"\nlabels = [\"motorbike\", \"dog\"]").unwrap();
        let spec = Model::load(&model).unwrap().spec;
        assert_eq!((spec.name.as_str(), spec.family), ("a", Some(Family::Yolox)));
        let mapped = "family = \"end2end\"\nlabels = [\"xe may\", \"cho\"]\n[classes]\n\"xe may\" = \"motorcycle\"";
        std::fs::write(&beside, mapped).unwrap();
        let spec = Model::load(&model).unwrap().spec;
        assert_eq!(known_labels(&spec.labels, &spec.classes).unwrap(), [Some(Class::Motorcycle), None]);
        assert!(Family::ALL.iter().all(|f| format!("{f:?}").to_lowercase() == f.name()));
    }

    #[test]
    fn a_missing_or_empty_model_is_refused_and_an_empty_folder_is_no_model() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Model::from_folder(folder.path()).unwrap().is_none());
        assert!(Model::from_folder(&folder.path().join("nowhere")).unwrap().is_none());
        assert!(Model::load(&folder.path().join("no.onnx")).unwrap_err().place.ends_with("no.onnx"));
        std::fs::write(folder.path().join("b.onnx"), b"").unwrap();
        assert!(Model::from_folder(folder.path()).is_err());
        std::fs::write(folder.path().join("a.onnx"), b"x").unwrap();
        assert_eq!(Model::from_folder(folder.path()).unwrap().unwrap().spec.name, "a");
    }
}
