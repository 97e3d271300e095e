//! `RULES.toml`: `[[rule]]` tables to checked rules, for `vonglau analyze`.
//!
//! In: the file's text. Out: rules numbered from 1 in the file's order, or every problem of the file at once, each with
//! its place (`rule[0].zone`). The key `camera` is accepted and not looked at: a file that is analysed is one camera.
//! Limits: [`RULES_MAX`] rules. Refuses unknown keys.

use serde::Deserialize;

use crate::domain::{
    ids::RuleId,
    refusal::Refusal,
    rule::{Rule, RuleDraft},
};

/// The most rules one file may hold.
pub const RULES_MAX: usize = 500;

/// Every key of a `[[rule]]` table, and what its value must look like (Vietnamese, English).
const KEYS: [(&str, &str, &str); 28] = [
    ("name", "một chuỗi, ví dụ \"Cổng chợ\"", "a text such as \"Market gate\""),
    ("kind", "tên một loại luật, ví dụ \"intrusion\"", "the name of a kind such as \"intrusion\""),
    ("camera", "mã camera, ví dụ \"C07\"", "a camera's code such as \"C07\""),
    ("zone", "danh sách đỉnh [[x, y], …] từ 0 đến 1", "a list of corners [[x, y], …] from 0 to 1"),
    (
        "except",
        "danh sách ô [[trái, trên, phải, dưới], …] từ 0 đến 1",
        "a list of boxes [[left, upper, right, lower], …] from 0 to 1",
    ),
    ("classes", "danh sách, ví dụ [\"person\", \"car\"]", "a list such as [\"person\", \"car\"]"),
    ("schedule", "danh sách, ví dụ [\"mon-fri 22:00-05:00\"]", "a list such as [\"mon-fri 22:00-05:00\"]"),
    ("quiet", "danh sách, ví dụ [\"11:00-13:00\"]", "a list such as [\"11:00-13:00\"]"),
    ("min_score", "một số từ 0 đến 1", "a number from 0 to 1"),
    ("severity", "\"count\", \"low\", \"normal\" hoặc \"high\"", "\"count\", \"low\", \"normal\" or \"high\""),
    ("cooldown_s", "số giây, ví dụ 2.0", "seconds such as 2.0"),
    ("k", "một số nguyên dương", "a positive whole number"),
    ("n", "một số nguyên dương", "a positive whole number"),
    ("line", "hai điểm [[x, y], [x, y]]", "two points [[x, y], [x, y]]"),
    (
        "direction",
        "\"both\", \"left_to_right\" hoặc \"right_to_left\"",
        "\"both\", \"left_to_right\" or \"right_to_left\"",
    ),
    ("margin", "một số từ 0 đến 0.2", "a number from 0 to 0.2"),
    ("allowed", "một mũi tên [[x, y], [x, y]]", "an arrow [[x, y], [x, y]]"),
    ("angle_deg", "số độ, ví dụ 120", "degrees such as 120"),
    ("seconds", "số giây, ví dụ 30", "seconds such as 30"),
    ("distance", "số mét, ví dụ 5", "metres such as 5"),
    ("count", "một số nguyên từ 2", "a whole number from 2"),
    ("min_size", "một số từ 0 đến 1", "a number from 0 to 1"),
    ("ground", "bốn điểm [[x, y], …] trên hình", "four points [[x, y], …] of the picture"),
    ("ground_m", "bốn điểm [[x, y], …] tính bằng mét", "four points [[x, y], …] in metres"),
    ("limit_kmh", "km/h, ví dụ 40", "km/h such as 40"),
    ("model", "tên tệp mô hình, ví dụ \"helmet.onnx\"", "a model's file name such as \"helmet.onnx\""),
    ("label", "một nhãn của mô hình", "a label of the model"),
    ("share", "một số từ 0.5 đến 1", "a number from 0.5 to 1"),
];

/// Reads the rules of a file.
///
/// # Errors
/// Every problem of the file, or the one place where it is no TOML.
pub fn parse_toml(text: &str) -> Result<Vec<Rule>, Vec<Refusal>> {
    // Editors on Windows put a byte order mark before the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: toml::Table = text.parse().map_err(|error| vec![no_toml(text, &error)])?;
    let mut wrong: Vec<_> = file.keys().filter(|key| *key != "rule").map(|key| unknown(key, "rule")).collect();
    let tables = match file.get("rule") {
        None => &[][..],
        Some(toml::Value::Array(tables)) => tables.as_slice(),
        Some(_) => {
            wrong.push(Refusal::new(
                "rule",
                "mỗi luật bắt đầu bằng dòng [[rule]]",
                "each rule begins with a line [[rule]]",
            ));
            &[][..]
        }
    };
    if tables.len() > RULES_MAX {
        let (vi, en) = (
            format!("tệp có {} luật; tối đa {RULES_MAX}", tables.len()),
            format!("the file has {} rules; at most {RULES_MAX}", tables.len()),
        );
        return Err(vec![Refusal::new("rule", vi, en)]);
    }
    let mut rules = Vec::new();
    for (number, table) in (1..).zip(tables) {
        match rule(table) {
            Ok(rule) => rules.push(Rule { id: RuleId(number), ..rule }),
            Err(refusals) => wrong.extend(refusals.into_iter().map(|r| r.within(&format!("rule[{}]", number - 1)))),
        }
    }
    if wrong.is_empty() { Ok(rules) } else { Err(wrong) }
}

fn no_toml(text: &str, error: &toml::de::Error) -> Refusal {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let why = error.message();
    Refusal::new(
        format!("line {line}"),
        format!("dòng {line} không đúng cú pháp TOML ({why}); sửa lại dòng này"),
        format!("line {line} is no TOML ({why}); mend this line"),
    )
}

fn unknown(key: &str, known: &str) -> Refusal {
    let (vi, en) = (format!("không có khóa này; các khóa: {known}"), format!("there is no such key; keys: {known}"));
    Refusal::new(key, vi, en)
}

/// One table. Keys are tried one by one, so that one mistake does not hide the next.
fn rule(value: &toml::Value) -> Result<Rule, Vec<Refusal>> {
    let Some(table) = value.as_table() else {
        return Err(vec![Refusal::new(
            "",
            "mỗi luật bắt đầu bằng dòng [[rule]]",
            "each rule begins with a line [[rule]]",
        )]);
    };
    // What stands for a missing or unreadable key while the others are looked at.
    let mut usable = toml::Table::from_iter([
        ("name".to_owned(), toml::Value::from("?")),
        ("kind".to_owned(), toml::Value::from("motion")),
    ]);
    let mut wrong = Vec::new();
    for required in ["name", "kind"].into_iter().filter(|key| !table.contains_key(*key)) {
        wrong.push(Refusal::new(required, "thiếu khóa này; hãy thêm vào", "this key is missing; add it"));
    }
    for (key, value) in table {
        let Some((_, vi, en)) = KEYS.iter().find(|(known, ..)| known == key) else {
            wrong.push(unknown(key, &KEYS.map(|(known, ..)| known).join(", ")));
            continue;
        };
        let before = usable.insert(key.clone(), value.clone());
        if RuleDraft::deserialize(usable.clone()).is_err() {
            wrong.push(Refusal::new(key, format!("phải là {vi}"), format!("must be {en}")));
            match before {
                Some(before) => usable.insert(key.clone(), before),
                None => usable.remove(key),
            };
        }
    }
    let rule = RuleDraft::deserialize(usable).ok().map(|draft| draft.checked());
    match rule {
        Some(Ok(rule)) if wrong.is_empty() => Ok(rule),
        Some(Err(more)) => {
            wrong.extend(more);
            Err(wrong)
        }
        _ => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rule::RuleKind;

    #[test]
    fn rules_are_read_with_their_defaults_and_numbered() {
        let text = "\u{feff}[[rule]]\nname = \"Cổng\"\nkind = \"motion\"\ncamera = \"C07\"\n\n[[rule]]\nname = \"Sân\"\nkind = \"intrusion\"\nzone = [[0, 0], [1, 0], [0.5, 1]]\nclasses = [\"person\"]\nmin_score = 0.4\nk = 1\nn = 2\ncooldown_s = 5";
        let rules = parse_toml(text).unwrap();
        assert_eq!(
            rules.iter().map(|r| (r.id.0, r.kind())).collect::<Vec<_>>(),
            [(1, RuleKind::Motion), (2, RuleKind::Intrusion)]
        );
        assert_eq!((rules[0].k_of_n(), rules[0].camera), ((3, 5), None));
        assert_eq!((rules[1].zone.corners().len(), rules[1].k_of_n(), rules[1].cooldown_s), (3, (1, 2), 5.0));
        assert_eq!(parse_toml("").unwrap(), []);
    }

    #[test]
    fn every_mistake_of_a_file_is_named_with_its_place() {
        let text = r#"
            colour = "red"
            [[rule]]
            name = "Cổng"
            kind = "motion"
            zone = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
            [[rule]]
            kind = "intrusion"
            min_score = "high"
            zoen = [[0.0, 0.0]]
            k = 9
            n = 3
            [[rule]]
            name = 3
            kind = "hovering"
            [[rule]]
            name = "Vạch"
            kind = "line_crossing"
            line = [[0.5, 0.5], [0.5, 0.5]]
            limit_kmh = 40
        "#;
        let places: Vec<_> = parse_toml(text).unwrap_err().into_iter().map(|r| r.place).collect();
        let expected = [
            "colour",
            "rule[0].zone",
            "rule[1].name",
            "rule[1].min_score",
            "rule[1].zoen",
            "rule[1].k",
            "rule[2].name",
            "rule[2].kind",
            "rule[3].limit_kmh",
            "rule[3].line",
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_text_that_is_no_toml_names_the_line() {
        let wrong = parse_toml("[[rule]]\nname = \"x\"\nkind = motion\n").unwrap_err();
        assert_eq!((wrong.len(), wrong[0].place.as_str()), (1, "line 3"));
        for text in ["rule = 3", "rule = [1]", "[rule]\nname = \"x\""] {
            assert!(parse_toml(text).unwrap_err()[0].en.contains("[[rule]]"), "{text}");
        }
    }
}
