//! Extra classifiers at the command line: is it one, what does it say, what will it cost at most?

use std::path::Path;

use crate::{
    domain::refusal::Refusal,
    logic::ballot::{Ballot, LOOKS_MAX},
    vision::{
        classifier::{ClassifierModel, ClassifierSpec},
        examine::{Examination, examine_classifier},
        install::install_classifier,
    },
};

pub(super) fn check(file: &Path) -> Result<(), Refusal> {
    say_examined(&ClassifierModel::load(file)?)?;
    say!("dùng được / it can be used");
    Ok(())
}

pub(super) fn add(model: &ClassifierModel, folder: &Path) -> Result<(), Refusal> {
    say_examined(model)?;
    let path = install_classifier(model, folder)?;
    say!("đã cài/installed: {}\nkhởi động lại dịch vụ để dùng / restart the service to use it", path.display());
    Ok(())
}

fn say_examined(model: &ClassifierModel) -> Result<(), Refusal> {
    let Examination { shapes, cpu_us, wall_us } = examine_classifier(model)?;
    let ClassifierSpec { file, name, licence, sha256, input, labels, classes, words, .. } = &model.spec;
    let licence =
        if licence.is_empty() { "không rõ, hãy hỏi tác giả / not stated, ask its author" } else { licence };
    let [width, height] = input;
    let classes: Vec<_> = classes.iter().map(|c| c.name()).collect();
    let labels: Vec<_> = labels
        .iter()
        .map(|label| words.get(label).map_or_else(|| label.clone(), |word| format!("{label} = {word}")))
        .collect();
    say!("mô hình phụ/extra model: {name} ({file})\nSHA-256: {sha256}");
    say!("đầu vào/input: {width}×{height}; {shapes}");
    say!("nhãn/labels: {}", labels.join(", "));
    say!("xem/looks at: {}", classes.join(", "));
    say!("giấy phép/licence: {licence}");
    let (ms, most) = (|us: i64| us as f64 / 1e3, Ballot::new(*input).looks_a_second());
    say!("một lần nhìn/one look: {:.1} ms (CPU {:.1} ms)", ms(wall_us), ms(cpu_us));
    say!(
        "nhiều nhất/at most {LOOKS_MAX} lần mỗi đối tượng/looks an object, {most:.0} lần mỗi giây/looks a second: \
         {:.1} % một nhân/of a core",
        most * cpu_us as f64 / 1e4
    );
    Ok(())
}
