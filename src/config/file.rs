//! The raw side: TOML text to a table that is read key by key, so that every problem is found in one go (serde's
//! `deny_unknown_fields` stops at the first).

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Table;

use crate::domain::refusal::Refusal;

/// Longest configuration file that is read, bytes; the example has about two thousand.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads the text of a configuration file.
///
/// # Errors
/// One [`Refusal`] naming the file: it is missing, unreadable, not UTF-8 or longer than 64 KiB.
pub(super) fn read(file: &Path) -> Result<String, Refusal> {
    let place = file.display().to_string();
    let size = std::fs::metadata(file).map(|m| m.len()).map_err(|e| unreadable(&place, &e))?;
    if size > MAX_BYTES {
        return Err(Refusal::new(
            place,
            format!("tệp dài {size} byte, nhiều nhất là {MAX_BYTES}. Kiểm tra lại có đúng là tệp cấu hình không."),
            format!(
                "the file has {size} bytes, at most {MAX_BYTES} are read. Check that it is the configuration file."
            ),
        ));
    }
    std::fs::read_to_string(file).map_err(|e| unreadable(&place, &e))
}

fn unreadable(place: &str, error: &std::io::Error) -> Refusal {
    Refusal::new(
        place,
        format!("không đọc được tệp cấu hình ({error}). Kiểm tra đường dẫn và quyền đọc; mẫu: config/example.toml."),
        format!(
            "the configuration file cannot be read ({error}). Check the path and the right to read it; \
             config/example.toml is a template."
        ),
    )
}

/// A table being read: what was asked for is taken out, what went wrong is collected.
pub(super) struct Reader {
    table: Table,
    asked: Vec<&'static str>,
    refusals: Vec<Refusal>,
}

impl Reader {
    /// Parses TOML; a text that is not TOML is one refusal with its line.
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        // Editors on Windows put a byte order mark before the first line.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let table = text.parse::<Table>().map_err(|e| {
            let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            // The parser's own message may take several lines; a refusal is one sentence.
            let message = e.message().lines().collect::<Vec<_>>().join("; ");
            Refusal::new(
                format!("line {line}"),
                format!("không đúng cú pháp TOML ({message}). Sửa dòng này; mẫu: config/example.toml."),
                format!("not valid TOML ({message}). Correct this line; config/example.toml is a template."),
            )
        })?;
        Ok(Self { table, asked: Vec::new(), refusals: Vec::new() })
    }

    /// Takes a key. `None` when it is absent, or when its value has another type than `T`, which is then refused
    /// with `example` as the form that would be right.
    pub(super) fn take<T: DeserializeOwned>(&mut self, key: &'static str, example: &str) -> Option<T> {
        self.asked.push(key);
        let value = self.table.remove(key)?;
        let found = value.type_str();
        value.try_into().map_or_else(
            |_| {
                self.refuse(
                    key,
                    format!("sai kiểu giá trị ({found}). Viết như mẫu: {key} = {example}"),
                    format!("a value of the wrong type ({found}). Write it like {key} = {example}"),
                );
                None
            },
            Some,
        )
    }

    /// Notes a refused value.
    pub(super) fn refuse(&mut self, key: &str, vi: impl Into<String>, en: impl Into<String>) {
        self.refusals.push(Refusal::new(key, vi, en));
    }

    /// The keys taken so far, present or not.
    pub(super) fn asked(&self) -> &[&'static str] {
        &self.asked
    }

    /// Refuses what nobody asked for, and gives everything that was refused.
    pub(super) fn finish(mut self) -> Vec<Refusal> {
        let known = self.asked.join(", ");
        for key in self.table.keys() {
            self.refusals.push(Refusal::new(
                key,
                format!("không có khóa cấu hình này. Xóa dòng hoặc sửa tên; các khóa có: {known}."),
                format!("there is no such key. Remove the line or correct the name; the keys are {known}."),
            ));
        }
        self.refusals
    }
}
