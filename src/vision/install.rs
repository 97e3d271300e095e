//! A detector into the folder of a site: the file and, beside it, its description with the licence and the SHA-256.
//!
//! In: a [`Model`] that has been examined and the licence a person gave. Out: where it lies now. The service takes the
//! first file of the folder by name, so what was there before is set aside under another ending, and can be taken back
//! by renaming it. Extra classifiers lie beside it.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use super::{
    classifier::{ClassifierModel, is_classifier},
    detect::About,
    model::Model,
};
use crate::domain::refusal::Refusal;

/// Ending of a detector that is not in use.
const ASIDE: &str = "onnx.aside";

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The file in use from the next start.
    pub path: PathBuf,
    /// Files that were in use and have another name now.
    pub aside: Vec<PathBuf>,
}

/// Puts a detector into the folder under the name of `file`.
///
/// # Errors
/// A name that is none, or what the folder said.
pub fn install(model: &Model, about: &About, file: &Path, folder: &Path) -> Result<Installed, Refusal> {
    let stem = stem(file)?;
    put(model, about, &stem, folder).map_err(|e| unwritable(folder, &e))
}

/// Puts an extra classifier into the folder under the name of its file. The detector in use stays there; a file of that
/// name is replaced unless it is a detector.
///
/// # Errors
/// As [`install`], and where a detector has that name.
pub fn install_classifier(model: &ClassifierModel, folder: &Path) -> Result<PathBuf, Refusal> {
    let stem = stem(Path::new(&model.spec.file))?;
    let path = folder.join(format!("{stem}.onnx"));
    if path.exists() && !is_classifier(&path) {
        return Err(Refusal::new(
            path.display().to_string(),
            "đã có bộ nhận dạng trùng tên; đổi tên tệp mô hình phụ",
            "a detector has this name; give the extra model another one",
        ));
    }
    let put = || {
        fs::create_dir_all(folder)?;
        let description = toml::to_string(&model.spec.describe()).map_err(std::io::Error::other)?;
        written(&folder.join(format!("{stem}.part")), &model.bytes, &path, || {
            let (part, to) = (folder.join(format!("{stem}.toml.part")), folder.join(format!("{stem}.toml")));
            written(&part, description.as_bytes(), &to, || Ok(()))
        })?;
        File::open(folder)?.sync_all()
    };
    put().map_err(|e| unwritable(folder, &e))?;
    Ok(path)
}

fn stem(file: &Path) -> Result<String, Refusal> {
    file.file_stem().map(|s| s.to_string_lossy().into_owned()).filter(|s| !s.starts_with('.')).ok_or_else(|| {
        Refusal::new(
            file.display().to_string(),
            "tên tệp không dùng được; đặt tên dạng ten.onnx",
            "this name cannot be used; give one like name.onnx",
        )
    })
}

fn unwritable(folder: &Path, e: &std::io::Error) -> Refusal {
    Refusal::new(
        folder.display().to_string(),
        format!("không ghi được vào thư mục mô hình ({e}); kiểm tra quyền ghi và dung lượng đĩa"),
        format!("the folder of models cannot be written ({e}); check its permissions and the disk's room"),
    )
}

fn put(model: &Model, about: &About, stem: &str, folder: &Path) -> std::io::Result<Installed> {
    fs::create_dir_all(folder)?;
    let path = folder.join(format!("{stem}.onnx"));
    let description = folder.join(format!("{stem}.toml"));
    // Whole under another name first: a service that starts now sees the old one or the new one.
    written(&folder.join(format!("{stem}.part")), &model.bytes, &path, || {
        written(&folder.join(format!("{stem}.toml.part")), describe(model, about).as_bytes(), &description, || Ok(()))
    })?;
    let mut others: Vec<PathBuf> = fs::read_dir(folder)?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| *p != path && !is_classifier(p) && p.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")))
        .collect();
    others.sort();
    let mut aside = Vec::new();
    for other in others {
        let to = other.with_extension(ASIDE);
        fs::rename(&other, &to)?;
        aside.push(to);
    }
    File::open(folder)?.sync_all()?;
    Ok(Installed { path, aside })
}

/// Writes a file beside its place, does what must be done before it gets its name, and names it.
fn written(part: &Path, bytes: &[u8], to: &Path, before: impl FnOnce() -> std::io::Result<()>) -> std::io::Result<()> {
    let mut file = File::create(part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    before()?;
    fs::rename(part, to)
}

/// The description beside it: all that was found out, so that nothing has to be guessed again.
fn describe(model: &Model, about: &About) -> String {
    let spec = &model.spec;
    let mut table = toml::Table::new();
    let mut say = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
    say("name", about.name.clone().into());
    say("licence", about.licence.clone().into());
    say("sha256", model.sha256.clone().into());
    say("family", about.family.name().into());
    say("input", about.input.map(i64::from).to_vec().into());
    // Two digits say what a person wrote, where the nearest f64 of an f32 would say 0.30000001192….
    let threshold = (f64::from(spec.threshold) * 100.0).round() / 100.0;
    say("threshold", threshold.max(0.01).into());
    if spec.decoded {
        say("decoded", true.into());
    }
    if !spec.labels.is_empty() {
        say("labels", spec.labels.clone().into());
    }
    if !spec.classes.is_empty() {
        let classes: toml::Table =
            spec.classes.iter().map(|(label, class)| (label.clone(), class.name().into())).collect();
        say("classes", classes.into());
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        domain::detection::Class,
        vision::model::{Family, ModelSpec},
    };

    #[test]
    fn what_is_installed_is_read_back_with_its_description_and_is_the_one_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        fs::create_dir_all(&models).unwrap();
        fs::write(models.join("a.onnx"), b"an older one").unwrap();
        let spec = ModelSpec {
            name: "m".to_owned(),
            licence: String::new(),
            family: None,
            input: None,
            decoded: true,
            labels: vec!["xe may".to_owned()],
            classes: [("xe may".to_owned(), Class::Motorcycle)].into(),
            threshold: 0.3,
        };
        let model = Model::of(Bytes::from_static(b"bytes"), spec);
        let about = About {
            name: "M".to_owned(),
            licence: "MIT".to_owned(),
            family: Family::Yolox,
            input: [416, 320],
            shapes: String::new(),
            looked_at: Vec::new(),
            others: 0,
        };
        let installed = install(&model, &about, Path::new("/elsewhere/m.onnx"), &models).unwrap();
        assert_eq!(installed.path, models.join("m.onnx"));
        assert_eq!(installed.aside, [models.join("a.onnx.aside")]);
        let read = Model::from_folder(&models).unwrap().unwrap();
        assert_eq!(read.sha256, model.sha256);
        let expected = ModelSpec {
            name: "M".to_owned(),
            licence: "MIT".to_owned(),
            family: Some(Family::Yolox),
            input: Some([416, 320]),
            ..model.spec
        };
        assert_eq!(read.spec, expected);
        assert_eq!(fs::read_dir(&models).unwrap().count(), 3, "nothing half done is left");
    }
}
