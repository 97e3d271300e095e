//! Rust text to tokens, just far enough for the rules: no strings, no comments, and test modules can be left out.

/// A word, `::` or a single sign, with its line (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub line: usize,
    pub word: String,
}

/// The text with comments, strings and character literals blanked; lines stay where they are.
fn blank(text: &str) -> String {
    let c: Vec<char> = text.chars().collect();
    let at = |i: usize| c.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < c.len() {
        let in_word = i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_');
        let end = match at(i) {
            '/' if at(i + 1) == '/' => (i..c.len()).find(|&j| c[j] == '\n').unwrap_or(c.len()),
            '/' if at(i + 1) == '*' => block_comment_end(&c, i),
            '"' => string_end(&c, i),
            'r' if !in_word || (at(i - 1) == 'b' || at(i - 1) == 'c') => raw_string_end(&c, i).unwrap_or(i),
            '\'' if at(i + 1) == '\\' => (i + 3..c.len()).find(|&j| c[j] == '\'').map_or(c.len(), |j| j + 1),
            '\'' if at(i + 2) == '\'' => i + 3,
            _ => i,
        };
        if end == i {
            out.push(c[i]);
            i += 1;
        } else {
            out.extend(c[i..end].iter().map(|&ch| if ch == '\n' { '\n' } else { ' ' }));
            i = end;
        }
    }
    out
}

fn block_comment_end(c: &[char], start: usize) -> usize {
    let (mut depth, mut i) = (0, start);
    while i + 1 < c.len() {
        match (c[i], c[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    c.len()
}

fn string_end(c: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < c.len() && c[i] != '"' {
        i += if c[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(c.len())
}

/// `None` when no raw string begins here.
fn raw_string_end(c: &[char], start: usize) -> Option<usize> {
    let hashes = c[start + 1..].iter().take_while(|&&ch| ch == '#').count();
    let open = start + 1 + hashes;
    if c.get(open) != Some(&'"') {
        return None;
    }
    let close = (open + 1..c.len())
        .find(|&j| c[j] == '"' && c[j + 1..].iter().take(hashes).filter(|&&h| h == '#').count() == hashes);
    Some(close.map_or(c.len(), |j| j + 1 + hashes))
}

/// The tokens of a text.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut all: Vec<Token> = Vec::new();
    for (n, line) in blank(text).lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let word_len: usize =
                rest.chars().take_while(|ch| ch.is_alphanumeric() || *ch == '_').map(char::len_utf8).sum();
            let len = match word_len {
                0 if rest.starts_with("::") => 2,
                0 => first.len_utf8(),
                n => n,
            };
            all.push(Token { line: n + 1, word: rest[..len].to_owned() });
            rest = rest[len..].trim_start();
        }
    }
    all
}

/// The tokens without what is compiled for tests only: each item under an attribute `#[cfg(test)]` (or `all(test, …)`).
pub fn without_tests(all: &[Token]) -> Vec<Token> {
    let mut kept = Vec::with_capacity(all.len());
    let mut i = 0;
    while i < all.len() {
        let end = if all[i].word == "#" { close(all, i + 1) } else { i };
        let words: Vec<&str> = all[i..end].iter().map(|t| t.word.as_str()).collect();
        let test = words.starts_with(&["#", "[", "cfg", "("]) && words.contains(&"test") && !words.contains(&"not");
        if test {
            i = item_end(all, end);
        } else {
            kept.push(all[i].clone());
            i += 1;
        }
    }
    kept
}

/// The index after the bracket that closes the one at `open`; `open` itself when there is none.
pub fn close(all: &[Token], open: usize) -> usize {
    let (mut depth, mut i) = (0_i32, open);
    while i < all.len() {
        match all[i].word.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ if i == open => return open,
            _ => {}
        }
        i += 1;
        if depth == 0 {
            return i;
        }
    }
    all.len()
}

/// The index after an item: its closing brace or its semicolon.
fn item_end(all: &[Token], start: usize) -> usize {
    let mut i = start;
    while i < all.len() {
        match all[i].word.as_str() {
            "{" => return close(all, i),
            ";" => return i + 1,
            "(" | "[" => i = close(all, i),
            _ => i += 1,
        }
    }
    all.len()
}

/// Lines on which a path such as `thread::spawn` stands (also at the end of a longer one).
pub fn lines_with(all: &[Token], path: &str) -> Vec<usize> {
    let words: Vec<String> = tokens(path).into_iter().map(|t| t.word).collect();
    let found = all.windows(words.len()).filter(|w| w.iter().map(|t| &t.word).eq(words.iter()));
    found.map(|w| w[0].line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|t| t.word).collect()
    }

    #[test]
    fn strings_comments_and_characters_hold_no_words() {
        let text = "a // b\n/* c /* d */ e */ f \"g \\\" h\" r#\"i \" j\"# 'k' '\\'' b'l' br\"m\" 'life n r#o";
        assert_eq!(words(text), ["a", "f", "b", "b", "'", "life", "n", "r", "#", "o"].map(String::from));
        assert_eq!(tokens("x\n\n\"\n\"\ny").last().unwrap().line, 5);
    }

    #[test]
    fn items_for_tests_are_left_out_and_nothing_else_is() {
        let text = "a(); #[cfg(test)] mod t { fn x() { y } } b(); #[cfg(test)] use q::w; #[cfg(test)] #[z] fn f(a: [u8; 2]) {} c();\n\
                    #[cfg(not(test))] d(); #[cfg(all(test, unix))] e(); g();";
        let kept: String = without_tests(&tokens(text)).iter().map(|t| t.word.as_str()).collect();
        assert_eq!(kept, "a();b();c();#[cfg(not(test))]d();g();");
    }
}
