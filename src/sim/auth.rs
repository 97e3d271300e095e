//! Logging in: Digest with MD5 (RFC 2617, RFC 7616) and Basic, as cameras offer them.

use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};

use crate::domain::camera::Secret;

/// What cameras call themselves; constant, as it is part of what a client may have stored.
const REALM: &str = "vonglau sim";

/// The two `WWW-Authenticate` headers of a 401; clients take the first they know.
pub(crate) fn offers(nonce: &str) -> [(&'static str, String); 2] {
    let digest = format!(r#"Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5"#);
    [("WWW-Authenticate", digest), ("WWW-Authenticate", format!(r#"Basic realm="{REALM}""#))]
}

/// Whether an `Authorization` header proves that its sender knows the password.
pub(crate) fn allows(header: &str, method: &str, nonce: &str, user: &str, password: &Secret) -> bool {
    let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header, ""));
    if scheme.eq_ignore_ascii_case("basic") {
        let given = BASE64_STANDARD.decode(rest.trim()).unwrap_or_default();
        return given == format!("{user}:{}", password.expose()).as_bytes();
    }
    scheme.eq_ignore_ascii_case("digest") && digest_fits(&parameters(rest), method, nonce, user, password)
}

fn digest_fits(given: &[(String, String)], method: &str, nonce: &str, user: &str, password: &Secret) -> bool {
    let get = |name: &str| given.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.as_str());
    if get("username") != user || get("realm") != REALM || get("nonce") != nonce {
        return false;
    }
    if !matches!(get("algorithm").to_ascii_uppercase().as_str(), "" | "MD5") {
        return false;
    }
    let who = md5_hex(&format!("{user}:{REALM}:{}", password.expose()));
    let what = md5_hex(&format!("{method}:{}", get("uri")));
    let expected = match get("qop") {
        "" => md5_hex(&format!("{who}:{nonce}:{what}")),
        qop => md5_hex(&format!("{who}:{nonce}:{}:{}:{qop}:{what}", get("nc"), get("cnonce"))),
    };
    get("response").eq_ignore_ascii_case(&expected)
}

/// `a="b", c=d` as pairs, names in lower case.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_ascii_lowercase();
        let rest = rest.trim_start();
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        all.push((name, value.trim().to_owned()));
        text = after;
    }
    all
}

fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_for_this_nonce_fits() {
        let secret = Secret::new("Mật:khẩu");
        let answer = |password: &str, nonce: &str| {
            let who = md5_hex(&format!("admin:{REALM}:{password}"));
            let response = md5_hex(&format!("{who}:{nonce}:{}", md5_hex("DESCRIBE:rtsp://h/cam01/main")));
            format!(
                "Digest username=\"admin\", realm=\"{REALM}\",nonce=\"{nonce}\" , uri=\"rtsp://h/cam01/main\", response=\"{response}\""
            )
        };
        let allowed = |header: &str| allows(header, "DESCRIBE", "n1", "admin", &secret);
        assert!(allowed(&answer("Mật:khẩu", "n1")));
        assert!(!allowed(&answer("mật:khẩu", "n1")));
        assert!(!allowed(&answer("Mật:khẩu", "n2")), "an answer to another connection's nonce");
        assert!(!allows(&answer("Mật:khẩu", "n1"), "PLAY", "n1", "admin", &secret), "another method's answer");
        assert!(allowed(&format!("Basic {}", BASE64_STANDARD.encode("admin:Mật:khẩu"))));
        for bad in ["", "Basic", "Basic ###", "Digest", "Digest username=", "Digest =\"\"", "Bearer x"] {
            assert!(!allowed(bad), "{bad}");
        }
    }

    #[test]
    fn the_example_of_rfc_2617_is_read_as_it_stands() {
        let all = parameters(r#"username="Mufasa", uri="/dir/a,b.html", qop=auth, nc=00000001"#);
        let all: Vec<_> = all.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(all, [("username", "Mufasa"), ("uri", "/dir/a,b.html"), ("qop", "auth"), ("nc", "00000001")]);
    }
}
