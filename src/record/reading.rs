//! One segment file read whole: its fragments, and every place where it is not what was written.
//!
//! After a bad place reading goes on at the next seal, so that one flipped bit costs one fragment and not the file.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use super::{
    chain::{self, Hash, Info, SEAL_BYTES, Seal},
    fmp4,
    recover::fragment_size,
};
use crate::domain::{segment::FragmentEntry, time::Span};

/// Bytes looked through at once for the next seal.
const WINDOW: usize = 1 << 20;
/// What a fragment lasts when nothing says so, microseconds.
const SECOND_US: i64 = 1_000_000;
/// A fragment is never longer; a time beyond is part of the damage.
const FRAGMENT_US_MAX: i64 = 3_600_000_000;

/// What is wrong at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The head cannot be read.
    Head,
    /// A fragment is not what was written.
    Fragment,
    /// The file ends inside a fragment.
    Tail,
    /// The name says another stream or time than the file.
    Name,
    /// The file before this one is missing; its path.
    Missing(String),
    /// The file before this one does not end as it did then; its path.
    Before(String),
    /// The index has other fragments than the file, or the file is gone.
    Index,
    /// The disk cannot read it.
    Unreadable(String),
}

impl Wrong {
    /// In Vietnamese.
    #[must_use]
    pub fn vi(&self) -> String {
        match self {
            Self::Head => "không đọc được phần đầu tệp".into(),
            Self::Fragment => "hình ở đây không còn như lúc ghi".into(),
            Self::Tail => "tệp bị cắt giữa chừng".into(),
            Self::Name => "tên tệp không khớp với nội dung (tệp bị tráo)".into(),
            Self::Missing(path) => format!("thiếu tệp liền trước: {path}"),
            Self::Before(path) => format!("tệp liền trước đã bị cắt hoặc thay: {path}"),
            Self::Index => "tệp khác với chỉ mục".into(),
            Self::Unreadable(error) => format!("ổ đĩa không đọc được ({error}); hãy kiểm tra ổ đĩa"),
        }
    }
    /// In English.
    #[must_use]
    pub fn en(&self) -> String {
        match self {
            Self::Head => "the file's head cannot be read".into(),
            Self::Fragment => "the picture here is not what was recorded".into(),
            Self::Tail => "the file ends inside a fragment".into(),
            Self::Name => "the name does not fit the contents (swapped files)".into(),
            Self::Missing(path) => format!("the file before this one is missing: {path}"),
            Self::Before(path) => format!("the file before this one was cut or replaced: {path}"),
            Self::Index => "the file is other than the index says".into(),
            Self::Unreadable(error) => format!("the disk cannot read it ({error}); check the disk"),
        }
    }
}

/// A bad place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// When; as near as the file lets it be known.
    pub span: Span,
    /// What.
    pub wrong: Wrong,
}

/// What was found in a file.
#[derive(Debug, Default)]
pub struct Reading {
    /// What it says about itself, if that can be read.
    pub info: Option<Info>,
    /// Bytes before the first fragment.
    pub init_bytes: u32,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Fragments that are what was written.
    pub fragments: Vec<FragmentEntry>,
    /// The end of the last of them, UTC microseconds.
    pub end_us: Option<i64>,
    /// Bad places, by time.
    pub flaws: Vec<Flaw>,
    /// The bytes behind the last whole fragment, which the end of a run may leave; not among the flaws.
    pub tail: Option<Flaw>,
    /// What the seal of a next fragment may stand on: one hash, or two when it cannot be told which one is bad.
    pub ends: Vec<Hash>,
}

/// Reads `path`; `start_us` is when it begins, by its name. `pace` hears of bytes read and says whether to go on.
///
/// # Errors
/// The disk's.
pub fn read(path: &Path, start_us: i64, pace: &mut dyn FnMut(usize) -> bool) -> io::Result<Reading> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut walk = Walk { file, len, at: 0, now_us: start_us, out: Reading { size_bytes: len, ..Reading::default() } };
    walk.head()?;
    while walk.at < len {
        let before = walk.at;
        if !walk.step()? {
            break;
        }
        if !pace(usize::try_from(walk.at - before).unwrap_or(usize::MAX)) {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    Ok(walk.out)
}

struct Walk {
    file: File,
    len: u64,
    at: u64,
    /// Where the next fragment starts.
    now_us: i64,
    out: Reading,
}

impl Walk {
    fn head(&mut self) -> io::Result<()> {
        match chain::read_head(&self.file) {
            Ok((init, info)) => {
                self.at = init.len() as u64;
                self.out.init_bytes = u32::try_from(self.at).unwrap_or(u32::MAX);
                self.out.ends = vec![chain::chain_start(&init)];
                self.out.info = Some(info);
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.bad(Wrong::Head, SECOND_US);
                let _ = self.resume()?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn bad(&mut self, wrong: Wrong, us: i64) {
        let span = Span { start_us: self.now_us, end_us: self.now_us.saturating_add(us.max(1)) };
        self.out.flaws.push(Flaw { span, wrong });
    }

    /// Reads one fragment and its seal; whether there may be more.
    fn step(&mut self) -> io::Result<bool> {
        let Some((moof, size)) = fragment_size(&self.file, self.at, self.len)? else { return self.broken() };
        let mut bytes = vec![0; size + SEAL_BYTES];
        self.file.read_exact_at(&mut bytes, self.at)?;
        let (fragment, behind) = bytes.split_at(size);
        let found = chain::read_seal(behind);
        // A seal whose own head is bad still says by its place what it said.
        let seal = found.or_else(|| chain::read_seal(&[&chain::seal_head()[..], &behind[24..]].concat()));
        let Some(seal) = seal else { return self.broken() };
        let sealed: Vec<_> = self.out.ends.iter().map(|end| chain::sealed(end, fragment, seal.end_us)).collect();
        let fits = sealed.contains(&seal.hash);
        let entry = u32::try_from(size).ok().and_then(|s| fmp4::read_entry(&fragment[..moof], self.at, s).ok());
        match entry {
            Some(entry) if fits => {
                if found.is_none() {
                    self.bad(Wrong::Fragment, self.lasts(&seal));
                }
                self.out.fragments.push(entry);
                self.out.end_us = Some(seal.end_us);
                self.out.ends = vec![seal.hash];
            }
            _ if found.is_none() => return self.broken(),
            _ => {
                self.bad(Wrong::Fragment, self.lasts(&seal));
                // Which of fragment and seal is bad shows at the next one.
                self.out.ends = [seal.hash].into_iter().chain(sealed).take(3).collect();
            }
        }
        self.now_us = self.now_us.saturating_add(self.lasts(&seal));
        self.at += bytes.len() as u64;
        Ok(true)
    }

    fn lasts(&self, seal: &Seal) -> i64 {
        let us = seal.end_us.saturating_sub(self.now_us);
        if (0..FRAGMENT_US_MAX).contains(&us) { us } else { SECOND_US }
    }

    /// No fragment can be read here.
    fn broken(&mut self) -> io::Result<bool> {
        let start_us = self.now_us;
        if !self.resume()? {
            let span = Span { start_us, end_us: start_us.saturating_add(SECOND_US) };
            self.out.tail = Some(Flaw { span, wrong: Wrong::Tail });
            return Ok(false);
        }
        let span = Span { start_us, end_us: self.now_us.max(start_us.saturating_add(1)) };
        self.out.flaws.push(Flaw { span, wrong: Wrong::Fragment });
        Ok(true)
    }

    /// Goes on behind the next seal; `false` when there is none.
    fn resume(&mut self) -> io::Result<bool> {
        let (head, mut from) = (chain::seal_head(), self.at);
        let mut window = vec![0; WINDOW];
        while from + SEAL_BYTES as u64 <= self.len {
            let bytes = &mut window[..WINDOW.min(usize::try_from(self.len - from).unwrap_or(WINDOW))];
            self.file.read_exact_at(bytes, from)?;
            let found = bytes.windows(head.len()).position(|w| w == head);
            if let Some(seal) = found.and_then(|i| chain::read_seal(&bytes[i..])) {
                self.at = from + found.unwrap_or(0) as u64 + SEAL_BYTES as u64;
                self.now_us = self.now_us.saturating_add(self.lasts(&seal));
                self.out.ends = vec![seal.hash];
                return Ok(true);
            }
            // One that lies over the window's edge is whole in the next window.
            let on = found.unwrap_or(bytes.len().saturating_sub(SEAL_BYTES)).max(1);
            from += on as u64;
        }
        self.at = self.len;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{START_US, quick_dir, whole};

    fn read_bytes(path: &Path, bytes: &[u8]) -> Reading {
        std::fs::write(path, bytes).unwrap();
        read(path, START_US, &mut |_| true).unwrap()
    }

    #[test]
    fn a_whole_file_has_no_flaw_and_gives_its_table_back() {
        let (file, segment) = whole();
        let read = read_bytes(&quick_dir().path().join("x.mp4"), &file);
        assert_eq!((read.flaws, read.tail, read.fragments), (vec![], None, segment.fragments));
        assert_eq!((read.init_bytes, read.end_us), (segment.init_bytes, Some(START_US + 3_500_000)));
    }

    #[test]
    fn any_flipped_bit_is_found_within_its_second_and_costs_no_other_fragment() {
        let (dir, (file, segment)) = (quick_dir(), whole());
        let path = dir.path().join("x.mp4");
        let mut second = 0;
        for at in 0..file.len() {
            let place = segment.fragments.iter().rposition(|f| f.offset <= at as u64);
            let mut bytes = file.clone();
            bytes[at] ^= 1 << (at % 8);
            let read = read_bytes(&path, &bytes);
            let start_us =
                START_US + place.map_or(0, |n| i64::try_from(segment.fragments[n].start_90k).unwrap() * 100 / 9);
            let found: Vec<_> = read.flaws.iter().chain(&read.tail).collect();
            assert!(!found.is_empty() && found.len() <= 2, "byte {at}: {found:?}");
            assert!((found[0].span.start_us - start_us).abs() <= 1, "byte {at} of fragment {place:?}: {found:?}");
            // The fragment hit; where it is the head, the first cannot be told from it; a bad seal may cost none.
            assert!(
                read.fragments.len() + 1 >= segment.fragments.len(),
                "byte {at}: {} fragments",
                read.fragments.len()
            );
            second += i64::from(found.len() == 2);
        }
        assert!(second * 100 < file.len() as i64, "{second} of {} flips were told twice", file.len());
    }

    #[test]
    fn fragments_left_out_doubled_or_reordered_inside_a_file_are_found() {
        let (dir, (file, segment)) = (quick_dir(), whole());
        let path = dir.path().join("x.mp4");
        let (init, rest) = file.split_at(segment.init_bytes as usize);
        let mut from = 0;
        let pieces: Vec<&[u8]> = segment
            .fragments
            .iter()
            .map(|f| {
                let piece = &rest[from..from + f.size_bytes as usize + SEAL_BYTES];
                from += piece.len();
                piece
            })
            .collect();
        for order in [&[0, 2, 3][..], &[1, 2, 3], &[0, 0, 1, 2, 3], &[0, 2, 1, 3], &[3, 2, 1, 0]] {
            let parts: Vec<&[u8]> = order.iter().map(|&n| pieces[n]).collect();
            let read = read_bytes(&path, &[init, &parts.concat()].concat());
            assert!(!read.flaws.is_empty(), "{order:?}");
        }
        assert!(read_bytes(&path, &[init, rest].concat()).flaws.is_empty());
    }

    #[test]
    fn a_file_cut_anywhere_ends_in_a_tail_or_at_a_seal() {
        let (dir, (file, segment)) = (quick_dir(), whole());
        let path = dir.path().join("x.mp4");
        for len in segment.init_bytes as usize..file.len() {
            let read = read_bytes(&path, &file[..len]);
            let ends: Vec<_> =
                segment.fragments.iter().map(|f| f.offset + u64::from(f.size_bytes) + SEAL_BYTES as u64).collect();
            let good = ends.iter().filter(|end| **end <= len as u64).count();
            let at_seal = len == segment.init_bytes as usize || ends.contains(&(len as u64));
            assert_eq!((read.flaws.len(), read.tail.is_none(), read.fragments.len()), (0, at_seal, good), "{len}");
        }
    }
}
