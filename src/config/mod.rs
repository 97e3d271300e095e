//! What the process itself needs to know: where it listens, where it keeps things, which detector it uses.
//!
//! In: one TOML file (`config/example.toml` shows every key), or nothing. Out: a checked [`Config`], or every
//! problem at once, each with its key and what to do. Cameras, clusters, shapes and rules are not configuration:
//! they live in the database. Refuses unknown keys, relative `data`, addresses other machines could reach (it
//! does not speak TLS yet), and files over 64 KiB. Does not look whether folders or models exist: `check` and the
//! rooms that use them do.

mod file;
pub mod rules;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use self::file::Reader;
use crate::domain::refusal::Refusal;

/// Every key, as written in the file.
pub const KEYS: [&str; 5] = ["listen", "data", "store", "model", "log"];

/// Where it listens without a configuration.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
/// Where data goes without a configuration: under the user's home.
const DATA: &str = "~/.local/share/vonglau";
/// Where recordings go without a configuration: under `data`.
const STORE: &str = "store";
/// Takes the first model in `<data>/models`, or the program's own.
const MODEL_AUTO: &str = "auto";
/// Takes none.
const MODEL_NONE: &str = "none";

/// Which detector is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ModelChoice {
    /// The first by name in `<data>/models`; where there is none, the one that is part of the program.
    #[default]
    Auto,
    /// None: recording and motion only.
    Off,
    /// This `.onnx` file; absolute.
    File(PathBuf),
}

/// The checked configuration of one serving process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Address of the web pages and the API; always loopback.
    pub listen: SocketAddr,
    /// Folder of the database, pictures and models; absolute.
    pub data: PathBuf,
    /// Folder of the recorded segments, the large part; absolute.
    pub store: PathBuf,
    /// The detector.
    pub model: ModelChoice,
    /// How much is logged.
    pub log: LogLevel,
}

/// How much is logged; each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// What stopped working.
    Error,
    /// And what works in a lesser way.
    Warn,
    /// And what began and ended.
    #[default]
    Info,
    /// And what a developer asks for.
    Debug,
    /// And everything.
    Trace,
}

impl LogLevel {
    /// All levels, quietest first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The word in the file, which `tracing` understands as a filter too.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Default for Config {
    /// What an empty file means.
    fn default() -> Self {
        let data = default_data(std::env::home_dir().as_deref());
        Self { listen: LISTEN, store: data.join(STORE), data, model: ModelChoice::Auto, log: LogLevel::default() }
    }
}

/// Reads `~/x` as `x` in the home folder; anything else as it is. `None` when there is no home.
fn at_home(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    match text.strip_prefix("~/") {
        Some(rest) => home.map(|h| h.join(rest)),
        None => Some(text.into()),
    }
}

/// A service account may have no home; then the usual place of services is taken.
fn default_data(home: Option<&Path>) -> PathBuf {
    home.and_then(|h| at_home(DATA, Some(h))).unwrap_or_else(|| "/var/lib/vonglau".into())
}

impl Config {
    /// Reads and checks a file; without one, the defaults.
    ///
    /// # Errors
    /// Every problem of the file, each with its key (or line) and what to do.
    pub fn load(file: Option<&Path>) -> Result<Self, Vec<Refusal>> {
        let Some(file) = file else { return Ok(Self::default()) };
        let text = file::read(file).map_err(|refusal| vec![refusal])?;
        let in_file = |r: Refusal| Refusal::new(format!("{}: {}", file.display(), r.place), r.vi, r.en);
        Self::parse(&text).map_err(|all| all.into_iter().map(in_file).collect())
    }

    /// Checks the text of a file.
    ///
    /// # Errors
    /// Every problem of the text, each with its key (or line) and what to do.
    pub fn parse(text: &str) -> Result<Self, Vec<Refusal>> {
        Self::parse_at(text, std::env::home_dir().as_deref())
    }

    /// The same configuration with another data folder (`--data`). Recordings move along if they lie in it.
    #[must_use]
    pub fn with_data(mut self, data: PathBuf) -> Self {
        if let Ok(inside) = self.store.strip_prefix(&self.data) {
            self.store = data.join(inside);
        }
        self.data = data;
        self
    }

    fn parse_at(text: &str, home: Option<&Path>) -> Result<Self, Vec<Refusal>> {
        let mut reader = Reader::parse(text).map_err(|refusal| vec![refusal])?;
        // A refused value goes on as its default, so that the later keys are checked as well.
        let listen = listen(&mut reader).unwrap_or(LISTEN);
        let data = data(&mut reader, home).unwrap_or_else(|| default_data(home));
        let store = store(&mut reader, home).unwrap_or_else(|| STORE.into());
        let store = data.join(store);
        let model = model(&mut reader, home).unwrap_or_default();
        let log = log(&mut reader).unwrap_or_default();
        debug_assert_eq!(reader.asked(), KEYS);
        let refusals = reader.finish();
        if refusals.is_empty() { Ok(Self { listen, data, store, model, log }) } else { Err(refusals) }
    }
}

fn listen(reader: &mut Reader) -> Option<SocketAddr> {
    let text: String = reader.take("listen", "\"127.0.0.1:8080\"")?;
    let Ok(address) = text.parse::<SocketAddr>() else {
        reader.refuse(
            "listen",
            format!("{text:?} không phải là địa chỉ IP kèm cổng. Viết như \"127.0.0.1:8080\"."),
            format!("{text:?} is not an IP address with a port. Write it like \"127.0.0.1:8080\"."),
        );
        return None;
    };
    match check_listen(address) {
        Ok(()) => Some(address),
        Err(refusal) => {
            reader.refuse("listen", refusal.vi, refusal.en);
            None
        }
    }
}

/// Accepts only an address of this machine itself.
///
/// # Errors
/// A [`Refusal`] at `listen` that says why and how to reach the pages from another machine.
pub fn check_listen(address: SocketAddr) -> Result<(), Refusal> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let port = address.port();
    Err(Refusal::new(
        "listen",
        format!(
            "{address} mở cho máy khác, mà phiên bản này chưa mã hóa đường truyền: mật khẩu và hình sẽ đi trần trên mạng. \
             Dùng \"127.0.0.1:{port}\"; từ máy khác, mở qua đường hầm SSH (ssh -L {port}:127.0.0.1:{port} máy-này)."
        ),
        format!(
            "{address} is open to other machines, and this version does not speak TLS yet: passwords and pictures would \
             cross the network in the open. Use \"127.0.0.1:{port}\"; from another machine, go through SSH \
             (ssh -L {port}:127.0.0.1:{port} this-machine)."
        ),
    ))
}

/// Takes a path. `~/` is the home folder; an empty one is refused.
fn path(reader: &mut Reader, key: &'static str, example: &str, home: Option<&Path>) -> Option<PathBuf> {
    let text: String = reader.take(key, example)?;
    if text.trim().is_empty() {
        reader.refuse(
            key,
            format!("để trống. Viết như {key} = {example}, hoặc xóa dòng để dùng mặc định."),
            format!("is empty. Write it like {key} = {example}, or remove the line to use the default."),
        );
        return None;
    }
    let path = at_home(&text, home);
    if path.is_none() {
        reader.refuse(
            key,
            format!("{text:?} nằm trong thư mục nhà, mà tài khoản này không có. Viết đường dẫn đầy đủ."),
            format!("{text:?} lies in the home folder, and this account has none. Write the whole path."),
        );
    }
    path
}

/// A relative path would move with the folder the service happens to be started from.
fn absolute(reader: &mut Reader, key: &'static str, path: PathBuf) -> Option<PathBuf> {
    if path.is_absolute() {
        return Some(path);
    }
    reader.refuse(
        key,
        format!("{path:?} không phải đường dẫn đầy đủ. Viết từ \"/\" hoặc \"~/\" trở đi."),
        format!("{path:?} is not a whole path. Begin it with \"/\" or \"~/\"."),
    );
    None
}

fn data(reader: &mut Reader, home: Option<&Path>) -> Option<PathBuf> {
    let data = path(reader, "data", "\"/var/lib/vonglau\"", home)?;
    absolute(reader, "data", data)
}

fn store(reader: &mut Reader, home: Option<&Path>) -> Option<PathBuf> {
    path(reader, "store", "\"/mnt/disk1/vonglau\"", home)
}

fn model(reader: &mut Reader, home: Option<&Path>) -> Option<ModelChoice> {
    let model = path(reader, "model", "\"/var/lib/vonglau/models/yolox.onnx\"", home)?;
    if model.as_os_str() == MODEL_AUTO {
        return Some(ModelChoice::Auto);
    }
    if model.as_os_str() == MODEL_NONE {
        return Some(ModelChoice::Off);
    }
    if model.extension().is_none_or(|e| e != "onnx") {
        reader.refuse(
            "model",
            format!("{model:?} không phải tệp .onnx. Chỉ tới một tệp .onnx, hoặc viết \"auto\" hay \"none\"."),
            format!("{model:?} is not an .onnx file. Name an .onnx file, or write \"auto\" or \"none\"."),
        );
        return None;
    }
    absolute(reader, "model", model).map(ModelChoice::File)
}

fn log(reader: &mut Reader) -> Option<LogLevel> {
    let text: String = reader.take("log", "\"info\"")?;
    let level = LogLevel::ALL.into_iter().find(|level| level.as_str() == text);
    if level.is_none() {
        let words = LogLevel::ALL.map(LogLevel::as_str).join(", ");
        reader.refuse(
            "log",
            format!("{text:?} không phải là mức nhật ký. Chọn một trong: {words}."),
            format!("{text:?} is not a level. Choose one of {words}."),
        );
    }
    level
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_folder_is_read_from_a_tilde_and_a_missing_home_is_refused_only_where_it_is_needed() {
        let home = Path::new("/home/an");
        assert_eq!(Config::parse_at("data = \"~/x\"", Some(home)).unwrap().data, home.join("x"));
        assert_eq!(Config::parse_at("", None).unwrap().data, Path::new("/var/lib/vonglau"));
        let refused = Config::parse_at("data = \"~/x\"", None).unwrap_err();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].place, "data");
    }

    #[test]
    fn every_name_of_this_machine_itself_may_be_listened_on() {
        for good in ["127.0.0.1:8080", "127.8.8.8:1", "[::1]:8080", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(check_listen(good.parse().unwrap()), Ok(()), "{good}");
        }
        assert!(check_listen("[::ffff:8.8.8.8]:80".parse().unwrap()).is_err());
    }

    #[test]
    fn recordings_follow_the_data_folder_unless_they_have_a_disk_of_their_own() {
        let inside = Config::parse("data = \"/a\"\nstore = \"rec\"").unwrap();
        assert_eq!(inside.store, Path::new("/a/rec"));
        assert_eq!(inside.with_data("/b".into()).store, Path::new("/b/rec"));
        let apart = Config::parse("data = \"/a\"\nstore = \"/mnt/disk\"").unwrap().with_data("/b".into());
        assert_eq!((apart.data.as_path(), apart.store.as_path()), (Path::new("/b"), Path::new("/mnt/disk")));
    }

    #[test]
    fn a_file_problem_names_the_file_and_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("v.toml");
        let missing = Config::load(Some(&file)).unwrap_err();
        assert!(missing[0].place.ends_with("v.toml"), "{missing:?}");
        std::fs::write(&file, "log = \"loud\"\nlisten = 1\n").unwrap();
        let places: Vec<_> = Config::load(Some(&file)).unwrap_err().into_iter().map(|r| r.place).collect();
        assert!(places[0].ends_with("v.toml: listen") && places[1].ends_with("v.toml: log"), "{places:?}");
        std::fs::write(&file, vec![b'#'; 70_000]).unwrap();
        assert!(Config::load(Some(&file)).unwrap_err()[0].en.contains("70000 bytes"));
    }

    #[test]
    fn broken_toml_is_refused_with_its_line() {
        let refused = Config::parse("log = \"info\"\n\nlisten = \n").unwrap_err();
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].place, "line 3");
    }
}
