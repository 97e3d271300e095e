//! An extra classifier before it is loaded: the ONNX file of the site's folder of models and the `.toml` beside it, which
//! a detector may lack and a classifier may not: nothing about it can be guessed from its shapes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{detection::Class, refusal::Refusal, track::LABEL_BYTES_MAX};

/// Extra classifiers of a site at most.
pub const CLASSIFIERS_MAX: usize = 4;
/// The most bytes of one.
pub const CLASSIFIER_BYTES_MAX: u64 = 64 << 20;
/// Labels of one: at least two, and at most so many.
const LABELS_MAX: usize = 100;
/// Longer sides than this are no crop of a street camera's sub stream, pixels.
const SIDE_MAX: u32 = 512;
/// How much of its own size a picture shows around the box, when the description does not say.
const MARGIN: f32 = 0.1;
/// Keys of a description.
const KEYS: &str =
    "kind = \"classifier\", name, licence, sha256, input, labels, classes, colours, scale, output, margin, words";

/// The order of the planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// The range of the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Scale {
    /// 0 to 1.
    #[default]
    #[serde(rename = "0..1")]
    One,
    /// 0 to 255.
    #[serde(rename = "0..255")]
    Byte,
    /// 0 to 1, less the mean and over the deviation of ImageNet's pictures, as most training programs have it.
    #[serde(rename = "imagenet")]
    Imagenet,
}

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Numbers of any size; their softmax are scores.
    #[default]
    Logits,
    /// Scores from 0 to 1.
    Probabilities,
}

/// What is known about a classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifierSpec {
    /// The name of its file, by which rules call it.
    pub file: String,
    /// What people call it.
    pub name: String,
    /// The licence it came under.
    pub licence: String,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// Width and height of its input, pixels.
    pub input: [u32; 2],
    /// What it says, in the order of its numbers.
    pub labels: Vec<String>,
    /// What it looks at.
    pub classes: BTreeSet<Class>,
    /// The order of the planes.
    pub colours: Order,
    /// The range of the numbers.
    pub scale: Scale,
    /// What comes out.
    pub output: Answer,
    /// So much of its own size a picture shows around the box.
    pub margin: f32,
    /// What a rule for a label is called, in the people's own words.
    pub words: BTreeMap<String, String>,
}

/// A classifier ready to be loaded.
#[derive(Debug, Clone)]
pub struct ClassifierModel {
    /// The ONNX file.
    pub bytes: Bytes,
    /// What is known about it.
    pub spec: ClassifierSpec,
}

/// As written in the `.toml` beside it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "kind")]
    _kind: Kind,
    name: Option<String>,
    #[serde(default)]
    licence: String,
    sha256: String,
    input: [u32; 2],
    labels: Vec<String>,
    classes: BTreeSet<Class>,
    #[serde(default)]
    colours: Order,
    #[serde(default)]
    scale: Scale,
    #[serde(default)]
    output: Answer,
    margin: Option<f32>,
    #[serde(default)]
    words: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Classifier,
}

impl ClassifierSpec {
    /// As it stands in the `.toml` beside the file.
    #[must_use]
    pub fn describe(&self) -> toml::Table {
        let Self { file: _, name, licence, sha256, input, labels, classes, colours, scale, output, margin, words } =
            self;
        let mut table = toml::Table::new();
        let mut say = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
        say("kind", "classifier".into());
        say("name", name.clone().into());
        say("licence", licence.clone().into());
        say("sha256", sha256.clone().into());
        say("input", input.map(i64::from).to_vec().into());
        say("labels", labels.clone().into());
        say("classes", classes.iter().map(|c| c.name()).collect::<Vec<_>>().into());
        say("colours", if *colours == Order::Rgb { "rgb" } else { "bgr" }.into());
        let scale = match scale {
            Scale::One => "0..1",
            Scale::Byte => "0..255",
            Scale::Imagenet => "imagenet",
        };
        say("scale", scale.into());
        say("output", if *output == Answer::Logits { "logits" } else { "probabilities" }.into());
        say("margin", ((f64::from(*margin) * 1000.0).round() / 1000.0).into());
        let words: toml::Table = words.iter().map(|(label, word)| (label.clone(), word.clone().into())).collect();
        say("words", words.into());
        table
    }
}

/// Whether the file is described as an extra classifier.
#[must_use]
pub fn is_classifier(path: &Path) -> bool {
    let Ok(text) = std::fs::read_to_string(path.with_extension("toml")) else { return false };
    let kind = |line: &str| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "kind").then(|| value.trim().starts_with("\"classifier\""))
    };
    // Read line by line: one whose description is broken elsewhere is not taken for a detector.
    text.lines().take_while(|line| !line.trim_start().starts_with('[')).find_map(kind).unwrap_or(false)
}

/// The `.onnx` files of a folder that are extra classifiers, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.retain(|p| p.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) && is_classifier(p));
    files.sort();
    files
}

/// The extra classifiers of a folder: each, or the name of its file and why it is not used.
#[must_use]
pub fn from_folder(folder: &Path) -> Vec<Result<ClassifierModel, (String, Refusal)>> {
    let too_many = |path: &Path| {
        Refusal::new(
            path.display().to_string(),
            format!("chỉ dùng được {CLASSIFIERS_MAX} mô hình phụ; bỏ bớt tệp trong thư mục mô hình"),
            format!("no more than {CLASSIFIERS_MAX} extra models are used; take some out of the folder of models"),
        )
    };
    let one = |(i, path): (usize, &PathBuf)| match i < CLASSIFIERS_MAX {
        true => ClassifierModel::load(path).map_err(|refusal| (file_name(path), refusal)),
        false => Err((file_name(path), too_many(path))),
    };
    files(folder).iter().enumerate().map(one).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

impl ClassifierModel {
    /// Reads a classifier and what describes it.
    ///
    /// # Errors
    /// A file that is missing, empty, too large or not readable; a description that is missing, has an unknown key or a
    /// wrong value, or is of another file.
    pub fn load(path: &Path) -> Result<Self, Refusal> {
        let place = path.display().to_string();
        let unreadable = |e: std::io::Error| {
            Refusal::new(
                place.clone(),
                format!("không đọc được tệp mô hình phụ ({e}); kiểm tra đường dẫn và quyền đọc"),
                format!("the extra model cannot be read ({e}); check its path and permissions"),
            )
        };
        let meta = std::fs::metadata(path).map_err(unreadable)?;
        if !meta.is_file() || meta.len() == 0 || meta.len() > CLASSIFIER_BYTES_MAX {
            return Err(Refusal::new(
                place,
                "đây không phải tệp mô hình phụ; cần một tệp .onnx không rỗng, nhiều nhất 64 MiB",
                "this is no extra model; give an .onnx file that is not empty, at most 64 MiB",
            ));
        }
        let bytes = Bytes::from(std::fs::read(path).map_err(unreadable)?);
        let sha256 = hex::encode(Sha256::digest(&bytes));
        let beside = path.with_extension("toml");
        let text = std::fs::read_to_string(&beside)
            .map_err(|e| Refusal { place: beside.display().to_string(), ..unreadable(e) })?;
        let spec = described(&text, &beside.display().to_string(), &named(path)?, &sha256)?;
        Ok(Self { bytes, spec })
    }
}

/// A file whose name is short enough to be told with every look.
fn named(path: &Path) -> Result<String, Refusal> {
    Some(file_name(path)).filter(|name| name.len() <= LABEL_BYTES_MAX).ok_or_else(|| {
        Refusal::new(
            path.display().to_string(),
            format!("tên tệp dài quá {LABEL_BYTES_MAX} byte; đặt tên ngắn hơn"),
            format!("the file's name is longer than {LABEL_BYTES_MAX} bytes; give it a shorter one"),
        )
    })
}

fn described(text: &str, place: &str, file: &str, sha256: &str) -> Result<ClassifierSpec, Refusal> {
    let written: Written = toml::from_str(text).map_err(|e| {
        let said = e.to_string().trim().replace('\n', " ");
        Refusal::new(
            place,
            format!("mô tả mô hình phụ sai: {said}; các khóa: {KEYS}"),
            format!("the extra model's description is wrong: {said}; its keys: {KEYS}"),
        )
    })?;
    if !written.sha256.eq_ignore_ascii_case(sha256) {
        return Err(Refusal::new(
            format!("{place}: sha256"),
            format!("mô hình phụ không phải tệp được mô tả (SHA-256 của tệp: {sha256}); chép lại tệp hoặc sửa mô tả"),
            format!(
                "the extra model is not the file described (its SHA-256: {sha256}); copy it again or mend the description"
            ),
        ));
    }
    written.checked(place, file, sha256)
}

impl Written {
    fn checked(self, place: &str, file: &str, sha256: &str) -> Result<ClassifierSpec, Refusal> {
        let wrong = |key: &str, vi: String, en: String| Err(Refusal::new(format!("{place}: {key}"), vi, en));
        if self.input.iter().any(|side| !(8..=SIDE_MAX).contains(side)) {
            let [w, h] = self.input;
            return wrong(
                "input",
                format!("kích thước đầu vào {w}×{h} không hợp lệ; mỗi cạnh từ 8 đến {SIDE_MAX}"),
                format!("an input of {w}×{h} makes no sense; each side is 8 to {SIDE_MAX}"),
            );
        }
        let distinct: BTreeSet<_> = self.labels.iter().collect();
        let sound = |l: &String| !l.trim().is_empty() && l.len() <= LABEL_BYTES_MAX;
        if !(2..=LABELS_MAX).contains(&self.labels.len())
            || distinct.len() < self.labels.len()
            || !self.labels.iter().all(sound)
        {
            return wrong(
                "labels",
                format!(
                    "cần 2 đến {LABELS_MAX} nhãn khác nhau, không rỗng, mỗi nhãn nhiều nhất {LABEL_BYTES_MAX} byte"
                ),
                format!(
                    "2 to {LABELS_MAX} labels are needed, different, not empty, at most {LABEL_BYTES_MAX} bytes each"
                ),
            );
        }
        if self.classes.is_empty() {
            let known = Class::ALL.map(Class::name).join(", ");
            return wrong(
                "classes",
                format!("cần ít nhất một loại để xem; có: {known}"),
                format!("at least one class to look at is needed; there are: {known}"),
            );
        }
        let margin = self.margin.unwrap_or(MARGIN);
        if !(0.0..=1.0).contains(&margin) {
            return wrong(
                "margin",
                format!("phần hình quanh đối tượng {margin} không hợp lệ; ghi một số từ 0 đến 1"),
                format!("a margin of {margin} makes no sense; write 0 to 1"),
            );
        }
        if let Some(stranger) = self.words.keys().find(|key| !self.labels.contains(key)) {
            return wrong(
                "words",
                format!("không có nhãn «{stranger}»; ghi đúng tên nhãn của mô hình phụ"),
                format!("there is no label “{stranger}”; write the label as the extra model has it"),
            );
        }
        Ok(ClassifierSpec {
            file: file.to_owned(),
            name: self.name.unwrap_or_else(|| file.to_owned()),
            licence: self.licence,
            sha256: sha256.to_owned(),
            input: self.input,
            labels: self.labels,
            classes: self.classes,
            colours: self.colours,
            scale: self.scale,
            output: self.output,
            margin,
            words: self.words,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_says_everything_and_a_wrong_one_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("helmet.onnx");
        std::fs::write(&file, b"not read here").unwrap();
        let sha256 = hex::encode(Sha256::digest(b"not read here"));
        let beside = folder.path().join("helmet.toml");
        let sound = format!(
            "kind = \"classifier\"\nsha256 = \"{sha256}\"\ninput = [64, 48]\nlabels = [\"helmet\", \"none\"]\n\
             classes = [\"motorcycle\"]\nscale = \"imagenet\"\n[words]\nnone = \"nghi không đội mũ bảo hiểm\"\n"
        );
        let refused = |text: &str, place: &str, word: &str| {
            std::fs::write(&beside, text).unwrap();
            let refusal = ClassifierModel::load(&file).unwrap_err();
            assert!(refusal.place.contains("helmet.toml"), "{refusal}");
            assert!(refusal.place.contains(place) && refusal.en.contains(word), "{refusal}");
        };
        assert!(!is_classifier(&file) && ClassifierModel::load(&file).unwrap_err().place.contains("helmet.toml"));
        refused(&sound.replace("scale", "skale"), "", "skale");
        refused(&sound.replace("[64, 48]", "[4, 48]"), "input", "8 to 512");
        refused(&sound.replace("\"none\"]", "\"helmet\"]"), "labels", "different");
        refused(&sound.replace("[\"motorcycle\"]", "[]"), "classes", "motorcycle");
        refused(&sound.replace("\nnone =", "\nnobody ="), "words", "nobody");
        refused(&sound.replace(&sha256, "00"), "sha256", &sha256);
        refused(&sound.replace("scale = \"imagenet\"", "margin = -1.0"), "margin", "0 to 1");
        assert!(is_classifier(&file), "one that is described wrongly is still none of a detector");
        assert_eq!(from_folder(folder.path())[0].as_ref().unwrap_err().0, "helmet.onnx");
        std::fs::write(&beside, &sound).unwrap();
        let [Ok(model)] = &from_folder(folder.path())[..] else { panic!("not read") };
        assert_eq!((model.spec.file.as_str(), model.spec.name.as_str()), ("helmet.onnx", "helmet.onnx"));
        assert_eq!(
            (model.spec.scale, model.spec.output, model.spec.colours),
            (Scale::Imagenet, Answer::Logits, Order::Rgb)
        );
        assert_eq!(model.spec.words["none"], "nghi không đội mũ bảo hiểm");
        let text = toml::to_string(&model.spec.describe()).unwrap();
        assert_eq!(described(&text, "", "helmet.onnx", &sha256).unwrap(), model.spec, "it is read back as it was");
        for n in 0..CLASSIFIERS_MAX {
            std::fs::copy(&file, folder.path().join(format!("z{n}.onnx"))).unwrap();
            std::fs::copy(&beside, folder.path().join(format!("z{n}.toml"))).unwrap();
        }
        let all = from_folder(folder.path());
        assert_eq!((all.len(), all.iter().filter(|m| m.is_ok()).count()), (CLASSIFIERS_MAX + 1, CLASSIFIERS_MAX));
    }
}
