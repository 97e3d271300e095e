use super::*;

fn draft(json: &str) -> RuleDraft {
    serde_json::from_str(json).unwrap()
}

fn places(json: &str) -> Vec<String> {
    draft(json).checked().unwrap_err().into_iter().map(|r| r.place).collect()
}

/// One of each kind, with as little as it needs.
const EACH: [&str; 12] = [
    r#"{"name":"x","kind":"motion"}"#,
    r#"{"name":"x","kind":"intrusion","classes":["person"],"schedule":["22:00-05:00"],"severity":"high"}"#,
    r#"{"name":"x","kind":"line_crossing","line":[[0,0.5],[1,0.5]],"severity":"count"}"#,
    r#"{"name":"x","kind":"wrong_way","allowed":[[0,0.5],[1,0.5]]}"#,
    r#"{"name":"x","kind":"stopped","seconds":30,"zone":[[0,0],[1,0],[0.5,1]]}"#,
    r#"{"name":"x","kind":"loitering"}"#,
    r#"{"name":"x","kind":"crowd","count":4,"except":[[0.5,0.5,1,1]],"quiet":["11:00-13:00"]}"#,
    r#"{"name":"x","kind":"left_object"}"#,
    r#"{"name":"x","kind":"speeding","limit_kmh":40,"ground":[[0.3,0.9],[0.7,0.9],[0.6,0.4],[0.4,0.4]],
        "ground_m":[[0,0],[7,0],[7,40],[0,40]]}"#,
    r#"{"name":"x","kind":"attribute","model":"helmet.onnx","label":"no_helmet"}"#,
    r#"{"name":"x","kind":"tamper"}"#,
    r#"{"name":"x","kind":"camera_down"}"#,
];

#[test]
fn a_rule_with_three_mistakes_names_all_three() {
    let wrong = places(
        r#"{"name":"Cổng","kind":"intrusion","zone":[[0,0],[1,1],[1,0],[0,1]],"classes":["elephant"],"k":9,"n":3}"#,
    );
    assert_eq!(wrong, ["zone", "classes", "k"]);
}

#[test]
fn the_typed_form_of_a_checked_rule_of_any_kind_checks_to_the_same_rule() {
    for (json, kind) in EACH.into_iter().zip(RuleKind::ALL) {
        let rule = draft(json).checked().unwrap_or_else(|wrong| panic!("{json}: {wrong:?}"));
        assert_eq!(rule.kind(), kind);
        assert_eq!(rule.to_draft(None).checked().unwrap(), rule);
    }
    assert_eq!(
        RuleKind::NAMES.split(", ").map(RuleKind::from_name).collect::<Option<Vec<_>>>(),
        Some(RuleKind::ALL.to_vec())
    );
}

#[test]
fn what_a_shape_cannot_be_is_refused_where_it_stands() {
    for (json, place) in [
        (r#"{"name":"x","kind":"line_crossing"}"#, "line"),
        (r#"{"name":"x","kind":"line_crossing","line":[[0.5,0.5],[0.5,0.5]]}"#, "line"),
        (r#"{"name":"x","kind":"line_crossing","line":[[0,0],[0.5,0.5],[1,1]]}"#, "line"),
        (r#"{"name":"x","kind":"line_crossing","line":[[0,0],[1,1]],"direction":"up"}"#, "direction"),
        (r#"{"name":"x","kind":"wrong_way","allowed":[[0.2,0.5],[0.2,0.505]]}"#, "allowed"),
        (r#"{"name":"x","kind":"wrong_way","allowed":[[0,0],[0,1.5]]}"#, "allowed"),
        (r#"{"name":"x","kind":"stopped","zone":[[0,0],[1,1],[1,0],[0,1]]}"#, "zone"),
        (r#"{"name":"x","kind":"stopped","seconds":-1}"#, "seconds"),
        (r#"{"name":"x","kind":"crowd","count":1}"#, "count"),
        (r#"{"name":"x","kind":"crowd","except":[[0.5,0.5,0.4,1]]}"#, "except"),
        (r#"{"name":"x","kind":"tamper","except":[[0,0,1,1]]}"#, "except"),
        (r#"{"name":"x","kind":"crowd","quiet":["8 giờ"]}"#, "quiet[0]"),
        (r#"{"name":"x","kind":"crowd","severity":"count"}"#, "severity"),
        (r#"{"name":"x","kind":"crowd","schedule":["sat","8 giờ"]}"#, "schedule[1]"),
        (
            r#"{"name":"x","kind":"speeding","limit_kmh":40,"ground":[[0.3,0.9],[0.7,0.9],[0.6,0.4],[0.4,0.4]],
                "ground_m":[[0,0],[7,0],[0,40],[7,40]]}"#,
            "ground_m",
        ),
        (r#"{"name":"x","kind":"attribute","model":"m","label":"l","share":0.2}"#, "share"),
    ] {
        assert_eq!(places(json), [place], "{json}");
    }
    let all = places(r#"{"name":"x","kind":"speeding"}"#);
    assert_eq!(all, ["limit_kmh", "ground", "ground_m"], "what is missing is asked for together");
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let wrong = places(r#"{"name":"x","kind":"stopped","line":[[0,0],[1,1]],"limit_kmh":40}"#);
    assert_eq!(wrong, ["line", "limit_kmh"]);
    assert_eq!(places(r#"{"name":"x","kind":"tamper","zone":[[0,0],[1,0],[1,1]],"k":1}"#), ["zone", "k"]);
    assert_eq!(places(r#"{"name":"x","kind":"left_object","classes":["person"]}"#), ["classes"]);
}
