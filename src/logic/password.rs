//! Which passwords are taken. Length makes a password strong; rules about kinds of characters make it forgotten.

use unicode_normalization::UnicodeNormalization;

use crate::domain::refusal::Refusal;

/// The fewest and the most characters.
pub const CHARS_LEAST: usize = 10;
const CHARS_MAX: usize = 200;
/// The most bytes looked at before anything else is done with them.
pub const BYTES_MAX: usize = 1024;
/// The fewest different characters.
const DIFFERENT_LEAST: usize = 5;

/// What everybody tries first, without accents and blanks. A password that holds one and little else is refused.
const COMMON: [&str; 24] = [
    "matkhau",
    "password",
    "123456789",
    "12345678",
    "1234567",
    "123456",
    "987654321",
    "qwerty",
    "asdfgh",
    "zxcvbn",
    "iloveyou",
    "anhyeuem",
    "emyeuanh",
    "vietnam",
    "congan",
    "camera",
    "admin",
    "vonglau",
    "abc123",
    "hikvision",
    "dahua",
    "111111",
    "000000",
    "welcome",
];

/// The same text from every keyboard: accents composed alike (NFKC), as two ways of typing `ế` are one letter.
#[must_use]
pub fn normal(password: &str) -> String {
    password.nfkc().collect()
}

/// Whether a new password will do.
///
/// # Errors
/// A [`Refusal`] that says what to do; it never repeats the password.
pub fn check(password: &str, login: &str) -> Result<(), Refusal> {
    let refuse = |vi: String, en: String| Err(Refusal::new("password", vi, en));
    let text = normal(password);
    let count = text.chars().count();
    if password.len() > BYTES_MAX || count > CHARS_MAX {
        return refuse(
            format!("mật khẩu quá dài; tối đa {CHARS_MAX} ký tự"),
            format!("at most {CHARS_MAX} characters"),
        );
    }
    if count < CHARS_LEAST {
        return refuse(
            format!(
                "mật khẩu cần ít nhất {CHARS_LEAST} ký tự. Dễ nhớ mà khó đoán: ghép vài từ không liên quan, \
                 ví dụ kiểu «bờ ao – nón lá – thứ tư»; không bắt buộc chữ hoa hay ký tự lạ"
            ),
            format!(
                "at least {CHARS_LEAST} characters. A few words that do not belong together are easy to keep and hard to guess"
            ),
        );
    }
    let plain = plain(&text);
    let mut letters: Vec<char> = plain.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    if letters.len() < DIFFERENT_LEAST || is_row(&plain) {
        return refuse(
            "mật khẩu lặp lại một ký tự hoặc chỉ là một dãy liền nhau (như abcdefghij); hãy ghép vài từ khác nhau"
                .into(),
            "repeats itself or is a plain row such as abcdefghij; put a few different words together".into(),
        );
    }
    let login = login.to_lowercase();
    let known = COMMON.iter().copied().chain(Some(login.as_str()).filter(|l| l.len() > 2));
    let left = known.fold(plain, |left, word| left.replace(word, ""));
    if left.chars().count() < DIFFERENT_LEAST {
        return refuse(
            "mật khẩu này ai cũng đoán được (tên đăng nhập, «matkhau», «123456»…); hãy ghép vài từ không liên quan"
                .into(),
            "everybody guesses that one (the login, “password”, “123456”…); put a few unrelated words together".into(),
        );
    }
    Ok(())
}

/// Lower case without accents and blanks.
fn plain(text: &str) -> String {
    let bare = text.nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c) && !c.is_whitespace());
    bare.map(|c| if matches!(c, 'đ' | 'Đ') { 'd' } else { c }).flat_map(char::to_lowercase).collect()
}

/// Whether each character follows the one before, upwards or downwards.
fn is_row(text: &str) -> bool {
    let codes: Vec<i64> = text.chars().map(|c| i64::from(u32::from(c))).collect();
    let steps = |by: i64| codes.windows(2).filter(|pair| pair[1] - pair[0] == by).count();
    // 1234567890: one step of the row may be its turn.
    codes.len() > 2 && [1, -1, 0].iter().any(|by| steps(*by) + 2 >= codes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_everybody_tries_is_refused_and_a_few_words_are_taken() {
        for good in
            ["bờ ao nón lá thứ tư", "muối-sông-bút-chì", "correct horse battery", "Tr4c.ban-xa-7x", "cây đa giếng nước"]
        {
            assert_eq!(check(good, "binh"), Ok(()), "{good}");
        }
        for bad in [
            "",
            "ngắn",
            "123456789",
            "1234567890",
            "0987654321",
            "aaaaaaaaaaaa",
            "abababababab",
            "Mật khẩu 123456",
            "matkhau@123",
            "password1234",
            "binhbinh1234",
            "Binh@2026",
            "qwerty123456",
            "abcdefghijkl",
            "congan123456",
        ] {
            let refused = check(bad, "binh").unwrap_err();
            assert_eq!(refused.place, "password", "{bad}");
            assert!(bad.len() < 6 || !refused.to_string().contains(bad), "a refusal repeats the password: {bad}");
        }
    }

    #[test]
    fn a_password_is_the_same_however_its_accents_are_typed() {
        let (composed, apart) =
            ("giếng làng ở đầu", "gie\u{302}\u{301}ng la\u{300}ng o\u{31b}\u{309} đa\u{302}\u{300}u");
        assert_ne!(composed, apart);
        assert_eq!(normal(composed), normal(apart));
    }

    #[test]
    fn a_very_long_one_is_refused_before_it_costs_anything() {
        assert!(check(&"ab cd ef ".repeat(10_000), "binh").unwrap_err().en.contains("at most"));
    }
}
