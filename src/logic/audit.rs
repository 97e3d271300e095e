//! The chain of the audit log: what a line's hash covers, what a seal covers, and whether a log is what was written.

use sha2::{Digest, Sha256};

use crate::domain::audit::{AuditLine, Broken, Seal};

/// What stands before the first line.
pub const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The bytes of a line: each field with its length, so that nothing can be moved from one to the next.
fn bytes(line: &AuditLine) -> Vec<u8> {
    let mut all = b"vonglau audit 1".to_vec();
    let mut put = |field: Option<&[u8]>| {
        all.push(u8::from(field.is_some()));
        let field = field.unwrap_or_default();
        all.extend((field.len() as u64).to_be_bytes());
        all.extend(field);
    };
    let number = |n: i64| n.to_be_bytes();
    put(Some(&number(line.id)));
    put(Some(&number(line.time_us)));
    put(Some(line.who.as_bytes()));
    put(line.role.as_deref().map(str::as_bytes));
    put(Some(line.action.as_bytes()));
    put(Some(line.what.as_bytes()));
    for n in [line.camera, line.start_us, line.end_us] {
        put(n.map(number).as_ref().map(<[u8; 8]>::as_slice));
    }
    put(line.reason.as_deref().map(str::as_bytes));
    put(Some(line.address.as_bytes()));
    put(Some(line.before_sha256.as_bytes()));
    all
}

/// The hash of a line, which covers the one before.
#[must_use]
pub fn hash(line: &AuditLine) -> String {
    hex::encode(Sha256::digest(bytes(line)))
}

/// What a seal signs.
#[must_use]
pub fn sealed(last: i64, sha256: &str, made_us: i64) -> Vec<u8> {
    format!("vonglau audit seal 1\n{last}\n{sha256}\n{made_us}\n").into_bytes()
}

/// A log being gone through from its first line on.
#[derive(Debug)]
pub struct Reading {
    next: i64,
    before: String,
    seals: std::iter::Peekable<std::vec::IntoIter<Seal>>,
}

impl Reading {
    /// From the beginning; `seals` by their last line, their signatures looked at already.
    #[must_use]
    pub fn new(mut seals: Vec<Seal>) -> Self {
        seals.sort_by_key(|seal| seal.last);
        Self { next: 1, before: NOTHING.to_owned(), seals: seals.into_iter().peekable() }
    }

    /// The next line.
    ///
    /// # Errors
    /// The first line that is not what was written.
    pub fn line(&mut self, line: &AuditLine) -> Result<(), Broken> {
        let bad = |why| Err(Broken { line: self.next, why });
        if line.id != self.next {
            return bad("a line is missing here, or is out of its place");
        }
        if line.before_sha256 != self.before {
            return bad("does not follow the line before");
        }
        if hash(line) != line.sha256 {
            return bad("is not what was written");
        }
        // A line is sealed twice when the first seal did not get into the database.
        while let Some(seal) = self.seals.next_if(|seal| seal.last == line.id) {
            if seal.sha256 != line.sha256 {
                return bad("is not the line that was sealed");
            }
        }
        self.next += 1;
        self.before.clone_from(&line.sha256);
        Ok(())
    }

    /// After the last line: how many there are.
    ///
    /// # Errors
    /// The first line that is missing at the end.
    pub fn end(mut self, head_last: i64, head_sha256: &str) -> Result<i64, Broken> {
        let last = self.next - 1;
        if head_last != last || head_sha256 != self.before {
            return Err(Broken {
                line: last.min(head_last) + 1,
                why: "lines were cut from the end, or the end was put back",
            });
        }
        if self.seals.next().is_some() {
            return Err(Broken { line: last + 1, why: "a seal covers lines that are no longer there" });
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Small numbers that look random.
    fn dice(state: &mut u64) -> usize {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as usize
    }

    fn log(n: i64) -> Vec<AuditLine> {
        let mut all: Vec<AuditLine> = Vec::new();
        for id in 1..=n {
            let before_sha256 = all.last().map_or(NOTHING.to_owned(), |line| line.sha256.clone());
            let mut line = AuditLine {
                id,
                time_us: 1_000 * id,
                who: format!("an{}", id % 3),
                role: (id % 2 == 0).then(|| "police".to_owned()),
                action: "playback".into(),
                what: format!("GET /x/{id}"),
                camera: (id % 4 > 0).then_some(id % 4),
                start_us: Some(id),
                end_us: None,
                reason: Some("tin báo của dân".into()),
                address: "127.0.0.1".into(),
                before_sha256,
                sha256: String::new(),
            };
            line.sha256 = hash(&line);
            all.push(line);
        }
        all
    }

    fn verify(lines: &[AuditLine], seals: Vec<Seal>, head: (i64, &str)) -> Result<i64, Broken> {
        let mut reading = Reading::new(seals);
        lines.iter().try_for_each(|line| reading.line(line))?;
        reading.end(head.0, head.1)
    }

    fn edit(line: &mut AuditLine, which: usize) {
        match which % 11 {
            0 => line.time_us += 1,
            1 => line.who.push('x'),
            2 => line.role = if line.role.is_some() { None } else { Some("police".into()) },
            3 => line.action = "live".into(),
            4 => line.what.push('0'),
            5 => line.camera = Some(line.camera.unwrap_or(0) + 1),
            6 => line.start_us = None,
            7 => line.end_us = Some(7),
            8 => line.reason = None,
            9 => line.address = "10.0.0.1".into(),
            _ => {
                // From one field into the next.
                let last = line.who.pop().expect("a name");
                line.action.insert(0, last);
            }
        }
    }

    #[test]
    fn a_thousand_edits_cuts_and_swaps_are_found_at_their_line() {
        let whole = log(40);
        let head = (40, whole[39].sha256.clone());
        assert_eq!(verify(&whole, Vec::new(), (40, &head.1)), Ok(40));
        let mut seed = 7;
        for round in 0..1000 {
            let (mut lines, at) = (whole.clone(), dice(&mut seed) % 39);
            let first = match round % 5 {
                0 => {
                    edit(&mut lines[at], dice(&mut seed));
                    at + 1
                }
                // With its own hash made to fit.
                1 => {
                    edit(&mut lines[at], dice(&mut seed));
                    lines[at].sha256 = hash(&lines[at]);
                    at + 2
                }
                2 => {
                    lines.remove(at);
                    at + 1
                }
                3 => {
                    lines.swap(at, at + 1);
                    at + 1
                }
                _ => {
                    lines.truncate(at);
                    at + 1
                }
            };
            let broken = verify(&lines, Vec::new(), (40, &head.1)).unwrap_err();
            assert_eq!(broken.line, first as i64, "{round}: {broken:?}");
        }
    }

    #[test]
    fn a_log_written_anew_or_put_back_does_not_fit_a_seal() {
        let whole = log(20);
        let seal = |last: usize| Seal {
            last: last as i64,
            sha256: whole[last - 1].sha256.clone(),
            made_us: 1,
            public_key: String::new(),
            signature: String::new(),
        };
        assert_eq!(verify(&whole, vec![seal(10), seal(20)], (20, &whole[19].sha256)), Ok(20));
        // Everything from line 5 on made anew, head and all.
        let mut anew = whole.clone();
        anew[4].who = "khác".into();
        for i in 4..20 {
            anew[i].before_sha256 = anew[i - 1].sha256.clone();
            anew[i].sha256 = hash(&anew[i]);
        }
        assert_eq!(verify(&anew, Vec::new(), (20, &anew[19].sha256)), Ok(20), "without a seal nobody can tell");
        assert_eq!(verify(&anew, vec![seal(10)], (20, &anew[19].sha256)).unwrap_err().line, 10);
        // The table as it was at line 12, head and all: the seal that lies outside it knows more.
        assert_eq!(verify(&whole[..12], vec![seal(10), seal(20)], (12, &whole[11].sha256)).unwrap_err().line, 13);
    }
}
