//! `vonglau user …`: accounts without the page.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

fn user(data: &Path, args: &[&str], typed: Option<&str>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vonglau"));
    let all: Vec<&str> = ["user"].iter().chain(args).copied().collect();
    command.args(all).arg("--data").arg(data).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // One that refuses before it asks does not read.
    let _ = stdin.write_all(typed.unwrap_or_default().as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn accounts_are_added_disabled_listed_and_given_passwords_from_the_command_line() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path();
    let good = Some("bờ ao nón lá thứ tư\n");
    let (done, said) = user(data, &["add", "binh", "--role", "police"], good);
    assert!(!done && said.contains("Quản trị hệ thống"), "the first one governs: {said}");
    let (done, said) = user(data, &["add", "an", "--role", "king"], good);
    assert!(!done && said.contains("police, duty, office"), "{said}");
    let (done, said) = user(data, &["add", "an", "--role", "admin"], Some("123456\n"));
    assert!(!done && said.contains("ít nhất 10 ký tự") && !said.contains("123456"), "{said}");
    assert_eq!(
        user(data, &["add", "an", "--name", "Anh An", "--role", "admin", "--role", "police"], good),
        (true, "an: đã thêm / added\n".into())
    );
    let file = data.join("password");
    std::fs::write(&file, "cây đa giếng nước\n").unwrap();
    assert!(user(data, &["add", "binh", "--role", "duty", "--password-file", &file.display().to_string()], None).0);
    let (done, said) = user(data, &["add", "chi", "--role", "police@Chợ"], good);
    assert!(!done && said.contains("không có cụm"), "{said}");
    let (done, said) = user(data, &["disable", "an"], None);
    assert!(!done && said.contains("ít nhất một"), "{said}");
    assert!(user(data, &["disable", "Binh"], None).0);
    let (done, said) = user(data, &["passwd", "dung"], good);
    assert!(!done && said.contains("an, binh"), "{said}");
    assert!(user(data, &["passwd", "binh"], good).0);
    let (_, said) = user(data, &["list", "--json"], None);
    let all: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&all[0]["roles"], &all[0]["disabled"]), (&serde_json::json!(["police", "admin"]), &Value::Bool(false)));
    assert_eq!((&all[1]["login"], &all[1]["disabled"]), (&Value::from("binh"), &Value::Bool(true)));
    assert!(user(data, &["enable", "binh"], None).0);
    assert!(!user(data, &["list"], None).1.contains("argon2"));
}
