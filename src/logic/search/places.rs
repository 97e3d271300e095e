//! Places by the names people gave: cameras, clusters, hamlets and zones. A part of a name is enough where it is a number, a
//! kind of place (*chợ*, *cầu*) or two words.

use super::fold::{Word, words};
use crate::domain::ids::CameraId;

/// What a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    /// A camera's code.
    Code,
    /// A camera's name.
    Camera,
    /// A cluster.
    Cluster,
    /// A hamlet.
    Hamlet,
    /// A zone drawn on a camera's picture.
    Zone,
}

/// A name and the cameras that look there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// As people wrote it.
    pub name: String,
    /// What it belongs to.
    pub kind: PlaceKind,
    /// Those cameras.
    pub cameras: Vec<CameraId>,
}

/// A place that a person named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) taken: usize,
    pub(super) names: Vec<String>,
    pub(super) cameras: Vec<CameraId>,
}

/// Short forms and what they stand for.
const SHORT: [(&str, &str); 6] = [
    ("nvh", "nhà văn hóa"),
    ("uy ban", "ubnd"),
    ("ub", "ubnd"),
    ("tdp", "tổ dân phố"),
    ("market", "chợ"),
    ("bridge", "cầu"),
];

/// The places with their words.
#[derive(Debug, Clone, Default)]
pub(super) struct Gazetteer(Vec<(Vec<Word>, Place)>);

/// Numbers in the names of crossings are written both ways.
fn levelled(mut words: Vec<Word>) -> Vec<Word> {
    for i in 1..words.len() {
        let digit = match words[i].folded.as_str() {
            "ba" => "3",
            "tu" => "4",
            "nam" => "5",
            _ => continue,
        };
        if words[i - 1].folded == "nga" {
            let at = (words[i].from, words[i].to);
            words[i] = Word { from: at.0, to: at.1, ..Word::new(digit) };
        }
    }
    words
}

/// The words of what was typed, crossings levelled.
pub(super) fn typed(text: &str) -> Vec<Word> {
    levelled(words(text))
}

impl Gazetteer {
    pub(super) fn new(places: &[Place]) -> Self {
        let entry = |place: &Place| (levelled(words(&place.name)), place.clone());
        Self(places.iter().map(entry).filter(|(words, _)| !words.is_empty()).collect())
    }

    /// The places that the words at the beginning name, by as many words as possible. `landmark` says that the first
    /// `landmark` words are a kind of place.
    pub(super) fn read(&self, typed: &[Word], landmark: usize) -> Option<Named> {
        let expanded = SHORT.iter().find_map(|(short, long)| {
            let taken = super::starts(typed, short)?;
            let mut all = words(long);
            all.extend_from_slice(&typed[taken..]);
            Some((all, taken, words(long).len()))
        });
        if let Some((all, short, long)) = &expanded
            && let Some(mut named) = self.longest(all, *long)
            && named.taken >= *long
        {
            named.taken = named.taken - long + short;
            return Some(named);
        }
        self.longest(typed, landmark)
    }

    fn longest(&self, typed: &[Word], landmark: usize) -> Option<Named> {
        let mut best = Named { taken: 0, names: Vec::new(), cameras: Vec::new() };
        for (name, place) in &self.0 {
            let Some(taken) = matched(name, typed, place.kind, landmark) else { continue };
            if taken > best.taken {
                best = Named { taken, names: Vec::new(), cameras: Vec::new() };
            }
            if taken == best.taken {
                best.names.push(place.name.clone());
                best.cameras.extend(&place.cameras);
            }
        }
        best.names.dedup();
        best.cameras.sort_unstable();
        best.cameras.dedup();
        (best.taken > 0).then_some(best)
    }

    /// The cameras with that number in their code or name: "camera 7", "mắt 7".
    pub(super) fn numbered(&self, number: i64) -> Option<Named> {
        let of_code = |name: &[Word]| {
            let letters = |c: char| c.is_ascii_alphabetic();
            name.len() == 1 && name[0].folded.trim_start_matches(letters).parse() == Ok(number)
        };
        let is_it = |(name, place): &&(Vec<Word>, Place)| place.kind == PlaceKind::Code && of_code(name);
        let (_, place) = self.0.iter().find(is_it)?;
        Some(Named { taken: 1, names: vec![place.name.clone()], cameras: place.cameras.clone() })
    }
}

/// How many words of `typed` are a part of the name, when they are enough to mean it.
fn matched(name: &[Word], typed: &[Word], kind: PlaceKind, landmark: usize) -> Option<usize> {
    let common = |at: usize| name[at..].iter().zip(typed).take_while(|(meant, typed)| same(typed, meant)).count();
    let taken = (0..name.len()).map(common).max().unwrap_or(0);
    let whole = taken == name.len();
    let telling = |word: &Word| word.folded.bytes().any(|b| b.is_ascii_digit()) && word.folded.len() > 1;
    let first_telling = typed.first().is_some_and(telling);
    let joined = typed.iter().take(taken).filter(|w| w.folded != "-").count();
    let long = whole && (kind != PlaceKind::Zone || joined > 1 || name[0].folded.len() > 3);
    let enough = taken > 0 && (long || joined >= 2 || (landmark > 0 && taken >= landmark) || first_telling);
    enough.then_some(taken)
}

/// Whether a word means another; in codes zeros in front of a number do not count.
fn same(typed: &Word, meant: &Word) -> bool {
    typed.may_be(meant) || code(&typed.folded).is_some_and(|a| code(&meant.folded) == Some(a))
}

fn code(word: &str) -> Option<(&str, u32)> {
    let at = word.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = word.split_at(at);
    (!letters.is_empty()).then_some(())?;
    Some((letters, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gazetteer() -> Gazetteer {
        let place = |name: &str, kind, camera| Place { name: name.into(), kind, cameras: vec![CameraId(camera)] };
        Gazetteer::new(&[
            place("C01", PlaceKind::Code, 1),
            place("Chợ Đông, cổng chính", PlaceKind::Camera, 1),
            place("C02", PlaceKind::Code, 2),
            place("Ngã tư Trung tâm", PlaceKind::Camera, 2),
            place("Ra QL1", PlaceKind::Camera, 3),
            place("Thôn 3", PlaceKind::Hamlet, 3),
            place("Nhà văn hóa", PlaceKind::Camera, 4),
            place("Chợ", PlaceKind::Cluster, 1),
            place("Chợ", PlaceKind::Cluster, 5),
        ])
    }

    #[test]
    fn a_telling_part_of_a_name_is_enough_and_a_common_word_is_not() {
        let read = |text: &str, landmark| {
            gazetteer()
                .read(&typed(text), landmark)
                .map(|n| (n.taken, n.cameras.iter().map(|c| c.0).collect::<Vec<_>>()))
        };
        assert_eq!(read("cho", 1), Some((1, vec![1, 5])));
        assert_eq!(read("chợ đông tối qua", 1), Some((2, vec![1])));
        assert_eq!(read("chó", 1), None);
        assert_eq!(read("nga 4", 2), Some((2, vec![2])));
        assert_eq!(read("ngã tư trung tâm", 2), Some((4, vec![2])));
        assert_eq!(read("ql1", 0), Some((1, vec![3])));
        assert_eq!(read("thon 3", 0), Some((2, vec![3])));
        assert_eq!(read("thon 4", 0), None);
        assert_eq!(read("c1", 0), Some((1, vec![1])));
        assert_eq!(read("nvh", 0), Some((1, vec![4])));
        assert_eq!(read("dong", 0), None);
        assert_eq!(gazetteer().numbered(2).map(|n| n.cameras), Some(vec![CameraId(2)]));
        assert_eq!(gazetteer().numbered(9), None);
    }
}
