//! Vietnamese without its accents, and what of them was typed: the same on every database, since it is done here.
//!
//! A letter falls apart into its base and its marks: the shape (the bar of *đ*, circumflex, breve, horn) and the tone.
//! Composed and decomposed input (NFC, NFD) give the same, and so do both habits of placing a tone (*hoà*, *hòa*).

/// Marks of letters, a bit each.
const BAR: u16 = 1;
const CIRCUMFLEX: u16 = 2;
const BREVE: u16 = 4;
const HORN: u16 = 8;
const SHAPES: u16 = BAR | CIRCUMFLEX | BREVE | HORN;
const GRAVE: u16 = 16;
const ACUTE: u16 = 32;
const HOOK: u16 = 64;
const TILDE: u16 = 128;
const DOT: u16 = 256;

/// Rows of letters that differ in their tone alone: none, grave, acute, hook, tilde, dot.
const LETTERS: [(char, u16, [char; 6]); 12] = [
    ('a', 0, ['a', 'à', 'á', 'ả', 'ã', 'ạ']),
    ('a', CIRCUMFLEX, ['â', 'ầ', 'ấ', 'ẩ', 'ẫ', 'ậ']),
    ('a', BREVE, ['ă', 'ằ', 'ắ', 'ẳ', 'ẵ', 'ặ']),
    ('e', 0, ['e', 'è', 'é', 'ẻ', 'ẽ', 'ẹ']),
    ('e', CIRCUMFLEX, ['ê', 'ề', 'ế', 'ể', 'ễ', 'ệ']),
    ('i', 0, ['i', 'ì', 'í', 'ỉ', 'ĩ', 'ị']),
    ('o', 0, ['o', 'ò', 'ó', 'ỏ', 'õ', 'ọ']),
    ('o', CIRCUMFLEX, ['ô', 'ồ', 'ố', 'ổ', 'ỗ', 'ộ']),
    ('o', HORN, ['ơ', 'ờ', 'ớ', 'ở', 'ỡ', 'ợ']),
    ('u', 0, ['u', 'ù', 'ú', 'ủ', 'ũ', 'ụ']),
    ('u', HORN, ['ư', 'ừ', 'ứ', 'ử', 'ữ', 'ự']),
    ('y', 0, ['y', 'ỳ', 'ý', 'ỷ', 'ỹ', 'ỵ']),
];
const TONES: [u16; 6] = [0, GRAVE, ACUTE, HOOK, TILDE, DOT];

/// The base of a small letter and its marks; `None` for a mark that stands by itself.
fn apart(c: char) -> (Option<char>, u16) {
    if c.is_ascii() {
        return (Some(c), 0);
    }
    if c == 'đ' {
        return (Some('d'), BAR);
    }
    let mark = match c {
        '\u{300}' => GRAVE,
        '\u{301}' => ACUTE,
        '\u{302}' => CIRCUMFLEX,
        '\u{303}' => TILDE,
        '\u{306}' => BREVE,
        '\u{309}' => HOOK,
        '\u{31b}' => HORN,
        '\u{323}' => DOT,
        _ => 0,
    };
    if mark != 0 {
        return (None, mark);
    }
    for (base, shape, row) in LETTERS {
        if let Some(tone) = row.iter().position(|letter| *letter == c) {
            return (Some(base), shape | TONES[tone]);
        }
    }
    (Some(c), 0)
}

/// A text without accents, in small letters: `Đỏ` becomes `do`.
#[must_use]
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).filter_map(|c| apart(c).0).collect()
}

/// All accents of a text.
fn marks(text: &str) -> u16 {
    text.chars().flat_map(char::to_lowercase).fold(0, |marks, c| marks | apart(c).1)
}

/// A word as typed: letters and digits, or a sign that joins two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Without accents, in small letters.
    pub folded: String,
    /// The accents that were typed.
    pub(super) marks: u16,
    /// Where it begins, in UTF-16 units as browsers count.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
}

impl Word {
    /// A word alone.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { folded: fold(text), marks: marks(text), from: 0, to: text.encode_utf16().count() }
    }
    /// Whether it was typed with accents.
    #[must_use]
    pub const fn accented(&self) -> bool {
        self.marks != 0
    }
    /// Whether `meant`, written with all its accents, may be what was typed: without any, with those of the letters
    /// alone, or just so.
    #[must_use]
    pub fn may_be(&self, meant: &Self) -> bool {
        self.folded == meant.folded
            && (self.marks == meant.marks
                || (self.marks & !SHAPES == 0 && self.marks & SHAPES & !(meant.marks & SHAPES) == 0))
    }
    /// Whether it was typed just so.
    #[must_use]
    pub fn is(&self, meant: &Self) -> bool {
        self.folded == meant.folded && self.marks == meant.marks
    }
    /// Its number, when it is one.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        self.folded.parse().ok().filter(|n| (0..100_000).contains(n))
    }
}

/// The words of a text. `:`, `/` and `.` stay inside a word between digits; dashes stand by themselves.
#[must_use]
pub fn words(text: &str) -> Vec<Word> {
    let chars: Vec<char> = text.chars().collect();
    let digit = |i: usize| chars.get(i).is_some_and(char::is_ascii_digit);
    let inside = |i: usize| {
        let c = chars[i];
        c.is_alphanumeric()
            || apart(c).0.is_none()
            || (matches!(c, ':' | '/' | '.') && i > 0 && digit(i - 1) && digit(i + 1))
    };
    let (mut found, mut i, mut at) = (Vec::new(), 0, 0);
    while i < chars.len() {
        let (begin, from) = (i, at);
        while i < chars.len() && inside(i) {
            at += chars[i].len_utf16();
            i += 1;
        }
        if i > begin {
            let typed: String = chars[begin..i].iter().collect();
            found.push(Word { from, to: at, ..Word::new(&typed) });
            continue;
        }
        at += chars[i].len_utf16();
        if matches!(chars[i], '-' | '–' | '—' | '→' | '>') {
            let folded = if chars[i] == '>' { ">" } else { "-" }.to_owned();
            found.push(Word { folded, marks: 0, from, to: at });
        }
        i += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accents_and_capitals_fall_away_composed_or_not() {
        assert_eq!(fold("Đường Chợ ĐỔ RÁC nghĩa trang"), "duong cho do rac nghia trang");
        assert_eq!(fold("cho\u{031b}\u{0323}"), "cho");
        assert!(Word::new("cho\u{031b}\u{0323}").is(&Word::new("chợ")));
        assert!(Word::new("hoà").is(&Word::new("hòa")));
    }

    #[test]
    fn a_word_typed_without_accents_may_be_any_and_one_with_its_tone_only_itself() {
        let meant = ["đỏ", "đổ", "đỗ"].map(Word::new);
        let may = |typed: &str| meant.each_ref().map(|m| Word::new(typed).may_be(m));
        assert_eq!(may("do"), [true; 3]);
        assert_eq!(may("đo"), [true; 3]);
        assert_eq!(may("đô"), [false, true, true]);
        assert_eq!(may("đỏ"), [true, false, false]);
        assert_eq!(may("Đỗ"), [false, false, true]);
    }

    #[test]
    fn times_dates_and_plates_stay_words_with_their_places() {
        let text = "xe đỏ 21:00–23:00, 20/11 36B1-45.";
        let found = words(text);
        let folded: Vec<_> = found.iter().map(|w| w.folded.as_str()).collect();
        assert_eq!(folded, ["xe", "do", "21:00", "-", "23:00", "20/11", "36b1", "-", "45"]);
        let units: Vec<u16> = text.encode_utf16().collect();
        let at = |w: &Word| String::from_utf16(&units[w.from..w.to]).unwrap();
        assert_eq!((at(&found[1]).as_str(), at(&found[4]).as_str()), ("đỏ", "23:00"));
    }

    proptest! {
        #[test]
        fn any_text_gives_words_in_order_inside_it(text in "\\PC{0,60}") {
            let end = text.encode_utf16().count();
            let found = words(&text);
            prop_assert!(found.windows(2).all(|w| w[0].to <= w[1].from));
            prop_assert!(found.iter().all(|w| w.from < w.to && w.to <= end));
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }
    }
}
