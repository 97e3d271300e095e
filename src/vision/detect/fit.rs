//! Which layout a graph has: as it is described, else as its shapes say when they fit one layout only.

use super::{Layout, end2end, end2end::End2End, runtime::Session, yolov8::Yolov8, yolox, yolox::Yolox};
use crate::{
    domain::refusal::Refusal,
    vision::model::{Family, ModelSpec, known_labels},
};

/// A side of the input is a multiple of this.
const SIDE: u32 = 32;
/// What is expected, for a person.
const EXPECTED: &str = "input f32 or f16 [1,3,H,W] (H, W: 32·n) and one output f32 or f16: [1,N,5+classes] (yolox) or \
                        [1,4+classes,N] (yolov8) with N = HW/64 + HW/256 + HW/1024, or [1,300,6] (end2end)";

/// A layout that fits.
#[derive(Debug)]
pub(super) struct Fitted {
    pub layout: Layout,
    pub input: [u32; 2],
    /// As many as the layout has classes.
    pub labels: Vec<String>,
}

/// The two lengths of an output `[1,a,b]`; `None` for one that the graph leaves open.
pub(super) type Lengths = [Option<usize>; 2];

/// How many labels a graph of that family has; `None` when the shapes are not those of the family. Lengths that are
/// open fit when `told` says what the model is; it is the number of labels described, if any are.
fn labels_in(family: Family, [w, h]: [u32; 2], lengths: Lengths, told: Option<usize>) -> Option<usize> {
    let cells = yolox::cells(w, h);
    let sure = told.is_some();
    let is = |found: Option<usize>, length: usize| found.map_or(sure, |found| found == length);
    let open = |least: usize| told.filter(|labels| *labels > 0).map(|labels| labels + least);
    match (family, lengths) {
        (Family::Yolox, [rows, row]) => {
            let row = row.or(open(5))?;
            (is(rows, cells) && row > 5).then(|| row - 5)
        }
        (Family::Yolov8, [channels, columns]) => {
            let channels = channels.or(open(4))?;
            // Heads of two or four grids have other numbers of columns: believed when described.
            let fits = sure || columns == Some(cells);
            (fits && channels > 4 && columns.is_none_or(|c| c >= channels)).then(|| channels - 4)
        }
        (Family::End2end, [rows, row]) => {
            let few = rows.map_or(sure, |rows| rows <= end2end::ROWS_MAX && rows != cells);
            (few && is(row, end2end::ROW)).then_some(told.unwrap_or(0))
        }
    }
}

/// The labels a model carries in its metadata, as exporters write them: `{0: 'person', 1: 'car'}`, a JSON list, or
/// names between commas.
fn labels_of(text: &str) -> Vec<String> {
    let inner = text.trim().trim_matches(|c| "{}[]".contains(c));
    let name = |part: &str| {
        let part = part.rsplit_once(':').map_or(part, |(_, name)| name);
        part.trim().trim_matches(|c| c == '\'' || c == '"').to_owned()
    };
    inner.split(',').map(name).filter(|n| !n.is_empty()).collect()
}

/// Fits a graph to a layout.
///
/// # Errors
/// Shapes that fit none, or labels that do not fit the shapes: what was found and what was expected.
pub(super) fn fit(session: &Session, spec: &ModelSpec) -> Result<Fitted, Refusal> {
    let refuse = |vi: String, en: String| Refusal::new(spec.name.clone(), vi, en);
    let shapes = session.shapes();
    let wrong = || {
        refuse(
            format!(
                "mô hình có {shapes}; cần {EXPECTED}; hãy mô tả nó trong tệp .toml bên cạnh hoặc dùng mô hình khác"
            ),
            format!("the model has {shapes}; expected {EXPECTED}; describe it in a .toml beside it or use another one"),
        )
    };
    let sides = session.input(spec.input).filter(|sides| sides.iter().all(|s| s % SIDE == 0));
    let (input, lengths) = sides.zip(session.output()).ok_or_else(wrong)?;
    let told = spec.family.map(|_| spec.labels.len());
    let families = spec.family.map_or_else(|| Family::ALL.to_vec(), |family| vec![family]);
    let fitting: Vec<_> =
        families.into_iter().filter_map(|f| labels_in(f, input, lengths, told).map(|n| (f, n))).collect();
    let [(family, count)] = fitting[..] else { return Err(wrong()) };
    let labels = if spec.labels.is_empty() {
        session.metadata("names").map(|t| labels_of(&t)).unwrap_or_default()
    } else {
        spec.labels.clone()
    };
    if labels.is_empty() && family == Family::End2end {
        return Err(refuse(
            "mô hình không có tên nhãn; ghi đủ `labels` trong tệp .toml bên cạnh".to_owned(),
            "the model names no labels; list them all as `labels` in a .toml beside it".to_owned(),
        ));
    }
    if labels.len() != count && family != Family::End2end {
        return Err(refuse(
            format!("mô hình có {count} loại nhưng có {} nhãn; ghi đủ `labels` trong tệp .toml bên cạnh", labels.len()),
            format!(
                "the model has {count} classes but {} labels; list them all as `labels` in a .toml beside it",
                labels.len()
            ),
        ));
    }
    let classes = known_labels(&labels, &spec.classes).map_err(|r| r.within(&spec.name))?;
    let threshold = spec.threshold;
    let layout = match family {
        Family::Yolox => Layout::Yolox(Yolox { input, classes, decoded: spec.decoded, threshold }),
        Family::Yolov8 => Layout::Yolov8(Yolov8 { classes, threshold }),
        Family::End2end => Layout::End2End(End2End { classes, threshold }),
    };
    Ok(Fitted { layout, input, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_exporters_write_them() {
        let two = ["person".to_owned(), "motorbike".to_owned()];
        assert_eq!(labels_of("{0: 'person', 1: 'motorbike'}"), two);
        assert_eq!(labels_of("[\"person\", \"motorbike\"]"), two);
        assert_eq!(labels_of("person,motorbike"), two);
        assert!(labels_of("{}").is_empty());
    }

    #[test]
    fn shapes_fit_one_family_or_none() {
        let fitting = |side: u32, lengths: [i64; 2]| {
            let lengths = lengths.map(|l| usize::try_from(l).ok());
            let fits = |f: &Family| labels_in(*f, [side, side], lengths, None);
            Family::ALL.into_iter().filter_map(|f| fits(&f).map(|n| (f, n))).collect::<Vec<_>>()
        };
        assert_eq!(fitting(416, [3549, 85]), [(Family::Yolox, 80)]);
        assert_eq!(fitting(640, [84, 8400]), [(Family::Yolov8, 80)]);
        assert_eq!(fitting(640, [300, 6]), [(Family::End2end, 0)]);
        assert_eq!(fitting(640, [8400, 6]), [(Family::Yolox, 1)]);
        assert_eq!(fitting(640, [5, 8400]), [(Family::Yolov8, 1)]);
        // The tiniest input has 21 cells: a graph of one class that could be either way round.
        assert_eq!(fitting(32, [21, 6]), [(Family::Yolox, 1)]);
        for none in [[25_200, 85], [85, 484], [8400, 5], [4, 8400], [-1, 85], [300, -1], [8400, 8400]] {
            assert_ne!(fitting(640, none).len(), 1, "{none:?}");
        }
    }

    #[test]
    fn a_description_says_what_the_graph_leaves_open() {
        let told = |family, lengths: [i64; 2], labels| {
            labels_in(family, [640, 640], lengths.map(|l| usize::try_from(l).ok()), Some(labels))
        };
        assert_eq!(told(Family::Yolox, [-1, -1], 3), Some(3));
        assert_eq!(told(Family::Yolov8, [-1, -1], 3), Some(3));
        assert_eq!(told(Family::Yolov8, [7, 34_000], 3), Some(3), "four grids");
        assert_eq!(told(Family::End2end, [-1, -1], 3), Some(3));
        assert_eq!(told(Family::Yolox, [-1, -1], 0), None, "nobody says how many");
        assert_eq!(told(Family::End2end, [300, 7], 3), None);
        assert_eq!(told(Family::Yolov8, [8400, 7], 3), None, "the wrong way round");
    }
}
